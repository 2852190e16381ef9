package law

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"goflink/conf"
	"goflink/control"
	"goflink/dataflow"
	"goflink/graph"
	"goflink/hdfsstore"
	"goflink/state"
	"goflink/taskmanager/tmtest"
	"goflink/taskmanager/worker"
)

// onWorkers is the share of seeds that run on the real task runtime: one of so
// many.
const onWorkers = 10

// brake slows a source down on the real runtime, so that checkpoints and deaths
// come while records flow.
const brake = 150 * time.Microsecond

// mostFinals is how often a final checkpoint is tried.
const mostFinals = 10

// onRuntime is the real task runtime under a JobManager that does what it is told:
// workers, joined by real connections, that die with their attempt.
type onRuntime struct {
	t    *testing.T
	jm   *tmtest.JM
	rand *rand.Rand
	spec *Spec
	dir  string
	out  *outputs
	// last is the last complete checkpoint, 0 for none; enums are the enumerators
	// in each.
	last, next int64
	enums      map[int64]map[string][]byte
}

// runWorkers runs a graph on workers, attempt after attempt.
func runWorkers(t *testing.T, s *Spec, f *Faults, dir string) (*outputs, error) {
	r := &onRuntime{t: t, jm: tmtest.NewJM(t), rand: rand.New(rand.NewPCG(s.Seed, 3)), spec: s, dir: dir, next: 1,
		out: newOutputs(filepath.Join(dir, "out")), enums: map[int64]map[string][]byte{}}
	defer r.jm.Close()
	r.out.happened["workers"] = true
	for i := range f.Attempts {
		a := f.Attempts[i]
		a.Brake = brake
		if err := r.attempt(i, &a, i+1 == len(f.Attempts)); err != nil {
			return r.out, fmt.Errorf("attempt %d: %w", i, err)
		}
	}
	return r.out, nil
}

// attempt runs one attempt; what is not the last one dies between checkpoints.
func (r *onRuntime) attempt(n int, a *Attempt, last bool) error {
	p, err := program(r.spec, a, r.out)
	if err != nil {
		return fmt.Errorf("%w: %w", errGraph, err)
	}
	g := p.JobGraph()
	stop := r.startWorkers(n, a, p)
	defer stop()
	workers := r.jm.WaitWorkers(1 + int(a.Seed%2))
	d := r.jm.Deploy(g, workers, int32(n), r.restore(g))
	e, err := r.startEnumerators(p, g, d)
	if err != nil {
		return err
	}
	defer e.close()
	d.Start()
	if !last {
		for range 1 + r.rand.IntN(3) {
			r.checkpoint(d, e, r.rand.IntN(4) > 0)
		}
		return r.failure()
	}
	if r.rand.IntN(2) == 0 {
		r.checkpoint(d, e, true)
	}
	return r.finish(g, d)
}

// finish waits for the end of the data, takes the final checkpoint and ends.
func (r *onRuntime) finish(g *graph.JobGraph, d *tmtest.Deployment) error {
	tasks := 0
	for _, v := range g.Vertices {
		tasks += int(v.Parallelism)
	}
	r.jm.Wait("the end of the data", func() bool { return len(r.jm.Drained) == tasks || r.failed() != "" })
	if err := r.failure(); err != nil {
		return err
	}
	// Tasks whose data had ended before an earlier checkpoint have finished already,
	// or do so just now, and decline.
	for tries := 0; !d.Checkpoint(r.order("final")); tries++ {
		var last *control.CheckpointDecline
		r.jm.Look(func() { last = r.jm.Declines[len(r.jm.Declines)-1] })
		if tries == mostFinals || !last.TaskFinished {
			return fmt.Errorf("the final checkpoint was declined: %v", last)
		}
		r.jm.Wait("the task that has finished to say so", func() bool { return r.jm.States[tmtest.Key(last.Task)].GetState() == "FINISHED" })
	}
	r.jm.Wait("the end of the job", func() bool {
		for _, s := range r.jm.States {
			if s.State != "FINISHED" && r.failed() == "" {
				return false
			}
		}
		return true
	})
	return r.failure()
}

// failed is the failure of a task; for use within Wait and Look.
func (r *onRuntime) failed() string {
	for k, s := range r.jm.States {
		if s.State == "FAILED" {
			return fmt.Sprintf("%s: %v", k, s.Failure)
		}
	}
	return ""
}

func (r *onRuntime) failure() (err error) {
	r.jm.Look(func() {
		if text := r.failed(); text != "" {
			err = fmt.Errorf("a task failed: %s", text)
		}
	})
	return err
}

// order makes the next checkpoint, with its folder.
func (r *onRuntime) order(kind string) *control.TriggerCheckpoint {
	id := r.next
	r.next++
	dir := r.folder(id)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		r.t.Fatal(err)
	}
	return &control.TriggerCheckpoint{CheckpointId: id, Kind: kind, Dir: dir, Format: "canonical"}
}

func (r *onRuntime) folder(id int64) string { return filepath.Join(r.dir, fmt.Sprintf("chk-%d", id)) }

// checkpoint takes one, if no task ends meanwhile; the enumerators come first, and
// no split is handed out between them and the order to the tasks. Without told it
// is complete and nobody knows.
func (r *onRuntime) checkpoint(d *tmtest.Deployment, e *enumerators, told bool) {
	o := r.order("checkpoint")
	e.mu.Lock()
	r.enums[o.CheckpointId] = e.snapshot(o.CheckpointId)
	e.hold = true // those that ask now are answered behind the order
	e.mu.Unlock()
	if d.TryCheckpointAfter(o, told, e.release) {
		r.last = o.CheckpointId
	}
}

// restore assigns the states of the last complete checkpoint.
func (r *onRuntime) restore(g *graph.JobGraph) map[string][]*control.OperatorState {
	if r.last == 0 {
		return nil
	}
	return r.jm.Restore(r.last, r.folder(r.last), g)
}

// startWorkers starts one or two workers; stop is their death.
func (r *onRuntime) startWorkers(n int, a *Attempt, p dataflow.Program) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	c := map[string]string{conf.ExecutionBufferTimeout.Key: fmt.Sprintf("%d ms", a.Credit-1)}
	if a.Backend == state.Pebble {
		c[conf.StateBackendType.Key] = "rocksdb"
	}
	flowOptions(c, a.Seed)
	binary, err := proto.Marshal(&graph.Program{Sha256: "cafe"})
	if err != nil {
		r.t.Fatal(err)
	}
	for i := range 1 + a.Seed%2 {
		id := fmt.Sprintf("w%d-%d", n, i)
		o := worker.Options{
			Bootstrap: &control.Bootstrap{Jobmanager: r.jm.Addr, Secret: tmtest.Secret, TaskManagerId: "tm-" + id, ScratchDir: filepath.Join(r.dir, id), Host: "127.0.0.1",
				Worker: &control.StartWorker{WorkerId: id, JobId: "00000000000000000000000000000001", JobName: "law", Program: binary, Slots: 3,
					NetworkBytes: 16 << 20, ManagedBytes: 16 << 20, Config: c}},
			Program: p, Files: hdfsstore.NewResolver(hdfsstore.Options{}), Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
			Out: printer{r.out}, Fatal: func(err error) { r.t.Error(err) },
		}
		wg.Go(func() { _ = worker.Run(ctx, o) }) // it ends with its context
	}
	return func() {
		cancel()
		wg.Wait()
		r.jm.Forget()
	}
}

// flowOptions draws what must not change any result: markers among the records,
// buffers that shrink, compression.
func flowOptions(c map[string]string, seed uint64) {
	if seed&2 != 0 {
		c[conf.MetricsLatencyInterval.Key] = "1 ms"
	}
	c[conf.NetworkCompressionCodec.Key] = []string{"NONE", "LZ4", "ZSTD", "NONE"}[seed>>8%4]
	if seed&4 != 0 {
		c[conf.NetworkDebloatPeriod.Key], c[conf.NetworkDebloatTarget.Key] = "1 ms", "1 ms"
	}
}

// printer takes the lines of print sinks.
type printer struct{ out *outputs }

// Print implements dataflow.Printer.
func (p printer) Print(line string) { p.out.printed([]string{line}) }

// enumerators are those of one attempt, which a goroutine of its own serves.
type enumerators struct {
	r      *onRuntime
	d      *tmtest.Deployment
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	mu     sync.Mutex // guards all below, and the enumerators
	hold   bool
	of     map[string]*enumerator
	seen   int // requests served
}

// enumerator is one, with what it may do.
type enumerator struct {
	dataflow.Enumerator
	all         *enumerators
	id          string
	parallelism int
}

func (r *onRuntime) startEnumerators(p dataflow.Program, g *graph.JobGraph, d *tmtest.Deployment) (*enumerators, error) {
	e := &enumerators{r: r, d: d, of: map[string]*enumerator{}}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	r.jm.Look(func() { e.seen = len(r.jm.Splits) })
	for _, v := range g.Vertices {
		for _, op := range v.Operators {
			if !op.Enumerator {
				continue
			}
			x, err := p.NewEnumerator(op.Id)
			if err != nil {
				return nil, err
			}
			en := &enumerator{x, e, op.Id, int(v.Parallelism)}
			e.of[op.Id] = en
			if err := x.Start(en, r.enums[r.last][op.Id]); err != nil {
				return nil, err
			}
		}
	}
	e.wg.Go(e.serve)
	return e, nil
}

// serve answers requests until the attempt ends.
func (e *enumerators) serve() {
	for e.ctx.Err() == nil {
		var asked []*control.SplitRequest
		e.mu.Lock()
		if !e.hold {
			e.r.jm.Look(func() { asked = append(asked, e.r.jm.Splits[e.seen:]...) })
			e.seen += len(asked)
		}
		for _, a := range asked {
			if x := e.of[a.OperatorId]; x != nil && a.Attempt == e.d.Attempt {
				if err := x.Request(int(a.Subtask), a.Host); err != nil {
					e.r.t.Error(err)
				}
			}
		}
		e.mu.Unlock()
		if len(asked) == 0 {
			select {
			case <-e.ctx.Done():
			case <-time.After(time.Millisecond):
			}
		}
	}
}

// snapshot is what all hold; the lock is held.
func (e *enumerators) snapshot(id int64) map[string][]byte {
	out := map[string][]byte{}
	for op, x := range e.of {
		b, err := x.Snapshot(id)
		if err != nil {
			e.r.t.Error(err)
		}
		out[op] = append([]byte{}, b...)
	}
	return out
}

func (e *enumerators) release() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.hold = false
}

func (e *enumerators) close() {
	e.cancel()
	e.wg.Wait()
}

// What follows is dataflow.EnumeratorContext.

func (x *enumerator) Context() context.Context { return x.all.ctx }
func (x *enumerator) Parallelism() int         { return x.parallelism }

func (x *enumerator) Assign(subtask int, splits [][]byte) {
	x.send(&control.AssignSplits{OperatorId: x.id, Subtask: int32(subtask), Splits: splits})
}

func (x *enumerator) NoMoreSplits(subtask int) {
	x.send(&control.AssignSplits{OperatorId: x.id, Subtask: int32(subtask), NoMore: true})
}

func (x *enumerator) send(a *control.AssignSplits) {
	w := x.all.d.Workers[int(a.Subtask)%len(x.all.d.Workers)]
	w.Send(&control.WorkerCommand{Command: &control.WorkerCommand_Assign{Assign: a}})
}

// SendEvent has no one to talk to: the sources of graphs only ask for splits.
func (x *enumerator) SendEvent(int, []byte) {}

func (x *enumerator) Run(f func(ctx context.Context) error, done func(error) error) {
	if err := done(f(x.all.ctx)); err != nil {
		x.all.r.t.Error(err)
	}
}

func (x *enumerator) Every(time.Duration, func() error) {}
func (x *enumerator) Conf() *conf.Config                { return conf.New() }
func (x *enumerator) Files() dataflow.FileSystems       { return hdfsstore.NewResolver(hdfsstore.Options{}) }
func (x *enumerator) Log() *slog.Logger                 { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// runsOnWorkers tells which seeds do: those without an idle source, whose clock is
// not that of the machine, and without sources that are too long.
func runsOnWorkers(s *Spec) bool {
	return s.Class != Idle && !s.Batch && s.Seed%onWorkers == s.Seed/onWorkers%onWorkers && !strings.Contains(s.String(), "sums")
}
