package streamtest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"reflect"
	"sync"
	"time"

	"goflink/conf"
	"goflink/dataflow"
	"goflink/graph"
	"goflink/hdfsstore"
	"goflink/metrics/accumulator"
	"goflink/state"
)

// Options configure a Cluster.
type Options struct {
	// Seed decides the order of steps and which edges are encoded.
	Seed uint64
	// RemoteShare is the share of channels that carry encoded buffers, 0 to 1.
	RemoteShare float64
	// Credit is how many batches a channel holds before its sender stops; 0
	// means 4.
	Credit int
	// CheckpointEvery takes a checkpoint each so many steps; 0 takes none, and
	// sinks commit at the end.
	CheckpointEvery int
	// Backend holds keyed state.
	Backend state.BackendKind
	// Dir is scratch space for the backend and for cached files.
	Dir string
	// MemoryBudget is what the backend of each operator may use, in bytes; 0: its
	// own default.
	MemoryBudget int64
	// Restore starts from a checkpoint.
	Restore *Checkpoint
	// Conf is what operators read; nil is empty.
	Conf *conf.Config
	// Files; nil opens local files.
	Files dataflow.FileSystems
	// Start is the clock's first time; zero means the epoch plus a day.
	Start time.Time
	// SingleRecords is the share of steps, 0 to 1, that handle one record only
	// and send on at once what is pending: buffers of a single record.
	SingleRecords float64
	// Tick moves the clock with each step; 0 moves it only when nothing else can.
	Tick time.Duration
	// Kill is asked at each Moment of a checkpoint; true ends the attempt there
	// with ErrKilled. Nil kills nothing.
	Kill func(at Moment) bool
}

// Checkpoint is a complete checkpoint.
type Checkpoint struct {
	ID          int64
	states      map[string][]dataflow.OperatorSnapshot
	handles     map[string][]state.Handle
	bytes       map[string][]byte // by location
	enumerators map[string][]byte
	live        map[string]bool // operators with a subtask whose data had not ended
}

// Cluster runs one attempt of a program.
type Cluster struct {
	o       Options
	program dataflow.Program
	graph   *graph.JobGraph
	rand    *rand.Rand
	now     time.Time
	tasks   []*task
	enums   map[string]*enumerator
	ctx     context.Context
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	running chan struct{} // a function of Env.Go ended
	live    int
	steps   int
	current *attempt // checkpoint in progress
	nextID  int64
	aligner *dataflow.Aligner
	last    *Checkpoint
	mu      struct {
		sync.Mutex
		lines []string
		errs  []string
		err   error // of a function of Env.Go
		mail  []func() error
	}
}

// New builds all tasks of a program.
func New(p dataflow.Program, o Options) (*Cluster, error) {
	if o.Credit == 0 {
		o.Credit = 4
	}
	if o.Start.IsZero() {
		o.Start = time.UnixMilli(24 * 60 * 60 * 1000)
	}
	if o.Files == nil {
		o.Files = hdfsstore.NewResolver(hdfsstore.Options{})
	}
	if o.Conf == nil {
		o.Conf = conf.New()
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &Cluster{o: o, program: p, graph: p.JobGraph(), rand: rand.New(rand.NewPCG(o.Seed, 1)), now: o.Start,
		aligner: dataflow.NewAligner(), enums: map[string]*enumerator{}, ctx: ctx, cancel: cancel, running: make(chan struct{}, 1024)}
	if o.Restore != nil {
		c.nextID, c.last = o.Restore.ID, o.Restore
	}
	if err := c.build(); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Cluster) build() error {
	byVertex := map[string][]*task{}
	for _, v := range c.graph.Vertices {
		for sub := range int(v.Parallelism) {
			t := &task{c: c, v: v, sub: sub}
			byVertex[v.Id] = append(byVertex[v.Id], t)
			c.tasks = append(c.tasks, t)
		}
	}
	for _, e := range c.graph.Edges {
		c.connect(e, byVertex[e.Source], byVertex[e.Target])
	}
	for i := len(c.tasks) - 1; i >= 0; i-- {
		if err := c.tasks[i].open(); err != nil {
			return fmt.Errorf("%s: %w", c.tasks[i].name(), err)
		}
	}
	for _, t := range c.tasks {
		if t.finished {
			t.gone()
		}
	}
	return c.startEnumerators()
}

// connect makes the channels of an edge.
func (c *Cluster) connect(e *graph.Edge, from, to []*task) {
	for _, f := range from {
		var ws []dataflow.ChannelWriter
		for _, t := range to {
			if e.Partitioning == graph.Partitioning_FORWARD && t.sub != f.sub {
				continue
			}
			ch := &channel{remote: c.rand.Float64() < c.o.RemoteShare, credit: c.o.Credit, first: e.First, from: f, to: t, in: int(e.InputIndex)}
			if e.Blocking { // it lies on disk
				ch.credit = math.MaxInt
			}
			for len(t.inputs) <= ch.in {
				t.inputs = append(t.inputs, nil)
			}
			ch.ch = len(t.inputs[ch.in])
			t.inputs[ch.in] = append(t.inputs[ch.in], ch)
			f.outs = append(f.outs, ch)
			ws = append(ws, writer{ch})
		}
		for len(f.outputs) <= int(e.OutputIndex) {
			f.outputs = append(f.outputs, nil)
		}
		f.outputs[e.OutputIndex] = ws
	}
}

// Now is the cluster's clock.
func (c *Cluster) Now() time.Time { return c.now }

// Advance moves the clock and fires what is due.
func (c *Cluster) Advance(d time.Duration) error {
	c.now = c.now.Add(d)
	if err := c.alignDue(); err != nil {
		return err
	}
	for _, t := range c.tasks {
		if err := t.fireTimers(); err != nil {
			return err
		}
	}
	return nil
}

// Lines are the lines printed so far.
func (c *Cluster) Lines() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.mu.lines...)
}

// Print takes a line of a print sink.
func (c *Cluster) Print(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.lines = append(c.mu.lines, line)
}

// Accumulators are the results of the program's accumulators so far, merged over
// the tasks: an int64, a float64, a map[int64]int64 or a []string each.
func (c *Cluster) Accumulators() (map[string]any, error) {
	values := map[string]accumulator.Value{}
	for _, t := range c.tasks {
		for name, v := range t.env.Accumulators.Values() {
			if old, ok := values[name]; ok {
				var err error
				if v, err = old.Merge(v); err != nil {
					return nil, fmt.Errorf("accumulator %q: %w", name, err)
				}
			}
			values[name] = v
		}
	}
	out := map[string]any{}
	for name, v := range values {
		out[name] = v.Result()
	}
	return out, nil
}

// ErrLines are the lines printed to the standard error output so far.
func (c *Cluster) ErrLines() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.mu.errs...)
}

// PrintErr takes a line of a print sink.
func (c *Cluster) PrintErr(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.errs = append(c.mu.errs, line)
}

// Steps is how many steps were taken.
func (c *Cluster) Steps() int { return c.steps }

// LastCheckpoint is the last complete checkpoint, or nil.
func (c *Cluster) LastCheckpoint() *Checkpoint { return c.last }

// Run runs the job to its end.
func (c *Cluster) Run() error { return c.RunSteps(1 << 62) }

// RunSteps takes at most n steps; Finished tells whether the job has ended.
func (c *Cluster) RunSteps(n int) error {
	for range n {
		more, err := c.step()
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// Finished tells whether all tasks have ended.
func (c *Cluster) Finished() bool {
	for _, t := range c.tasks {
		if !t.finished {
			return false
		}
	}
	return true
}

// step lets one task that can do something do it; without one the clock moves.
func (c *Cluster) step() (bool, error) {
	c.steps++
	if err := c.failure(); err != nil {
		return false, err
	}
	for _, t := range c.tasks {
		if err := t.emit(); err != nil {
			return false, err
		}
	}
	if c.o.Tick > 0 {
		if err := c.Advance(c.o.Tick); err != nil {
			return false, err
		}
	}
	if c.o.CheckpointEvery > 0 && c.current == nil && c.steps%c.o.CheckpointEvery == 0 {
		// Checkpoints that follow each other at once always leave something to do:
		// without this the clock would stand still, and sources that wait for it.
		if err := c.Advance(time.Millisecond); err != nil {
			return false, err
		}
		if err := c.trigger(); err != nil {
			return false, err
		}
	}
	if c.Finished() {
		return false, nil
	}
	var ready []*task
	for _, t := range c.tasks {
		if t.runnable() {
			ready = append(ready, t)
		}
	}
	if len(ready) > 0 {
		t := ready[c.rand.IntN(len(ready))]
		if err := t.step(); err != nil {
			return false, fmt.Errorf("%s: %w", t.name(), err)
		}
		return true, nil
	}
	if c.drained() {
		return true, c.finish()
	}
	return true, c.wait()
}

// wait flushes what waits, or waits for goroutines, or moves the clock.
func (c *Cluster) wait() error {
	flushed := false
	for _, t := range c.tasks {
		for _, o := range t.chain.Outputs {
			if !t.ended && o.Pending() {
				flushed = true
				if err := o.Flush(); err != nil {
					return err
				}
			}
		}
	}
	if flushed {
		return nil
	}
	if c.goroutines() > 0 && c.waitReady() {
		return nil
	}
	next, ok := int64(0), false
	for _, t := range c.tasks {
		if t.ended {
			continue
		}
		if ms, has := t.chain.NextTimer(); has && (!ok || ms < next) {
			next, ok = ms, true
		}
	}
	if !ok {
		return c.Advance(time.Millisecond)
	}
	return c.Advance(max(time.Millisecond, time.UnixMilli(next).Sub(c.now)))
}

func (c *Cluster) goroutines() int {
	for {
		select {
		case <-c.running:
			c.live--
			continue
		default:
		}
		return c.live
	}
}

// waitReady waits until a source is ready or a goroutine ends, for a moment.
func (c *Cluster) waitReady() bool {
	cases := []reflect.SelectCase{{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(time.After(20 * time.Millisecond))},
		{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(c.running)}}
	tasks := []*task{nil, nil}
	for _, t := range c.tasks {
		if t.chain.Source != nil && !t.ended && t.chain.Source.Ready() != nil {
			cases = append(cases, reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(t.chain.Source.Ready())})
			tasks = append(tasks, t)
		}
	}
	i, _, _ := reflect.Select(cases)
	if i == 1 {
		c.live--
	}
	if tasks[i] != nil {
		tasks[i].waiting = false
	}
	return i > 0
}

func (c *Cluster) failure() error {
	c.mu.Lock()
	err, mail := c.mu.err, c.mu.mail
	c.mu.mail = nil
	c.mu.Unlock()
	for _, f := range mail {
		if err == nil {
			err = f()
		}
	}
	return err
}

// drained tells whether all data was processed.
func (c *Cluster) drained() bool {
	for _, t := range c.tasks {
		if !t.ended {
			return false
		}
	}
	return true
}

// finish takes the final checkpoint or commits, and ends the tasks.
func (c *Cluster) finish() error {
	if c.o.CheckpointEvery > 0 {
		c.current = nil
		if err := c.trigger(); err != nil {
			return err
		}
	}
	for _, t := range c.tasks {
		if c.o.CheckpointEvery == 0 {
			for _, op := range t.chain.Operators {
				if err := op.CommitFinal(); err != nil {
					return err
				}
			}
		}
		t.finished = true
	}
	return nil
}

// Close ends the attempt, as a failure would at this point, and waits for its
// goroutines.
func (c *Cluster) Close() error {
	c.cancel()
	var first error
	for _, t := range c.tasks {
		if t.chain == nil {
			continue
		}
		for _, op := range t.chain.Operators {
			if err := op.Close(); err != nil && first == nil {
				first = err
			}
		}
	}
	for _, e := range c.enums {
		if err := e.e.Close(); err != nil && first == nil {
			first = err
		}
	}
	c.wg.Wait()
	return first
}

func (c *Cluster) spawn(name string, f func(ctx context.Context) error) {
	c.live++
	c.wg.Go(func() {
		if err := f(c.ctx); err != nil {
			c.mu.Lock()
			c.mu.err = fmt.Errorf("%s: %w", name, err)
			c.mu.Unlock()
		}
		select {
		case c.running <- struct{}{}:
		case <-c.ctx.Done(): // nobody counts any more
		}
	})
}

func (c *Cluster) openHandle(_ context.Context, h state.Handle) (io.ReadCloser, error) {
	b, ok := c.o.Restore.bytes[h.Location]
	if !ok {
		return nil, fmt.Errorf("no state at %q", h.Location)
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }
