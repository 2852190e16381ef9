package ha

import (
	"context"
	"errors"
	"fmt"
	iofs "io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"goflink/hdfsstore"
	"goflink/hdfsstore/memfs"
	"goflink/internal/seeds"
)

// The model check. Actors are attempts of one JobManager; each waits at a gate
// before every operation of the file system, and a schedule says who goes next.
// An attempt that a schedule leaves alone for a while is one that was stopped
// (SIGSTOP) between two operations and wakes after others have acted.

// actor is one attempt.
type actor struct {
	name   string
	run    func(*actor)
	ask    chan string   // at the gate: the operation
	grant  chan struct{} // go on
	next   string        // what it asked for
	done   bool
	gating bool
}

// gate waits until the schedule lets the actor do its next operation.
func (a *actor) gate(op, path string) {
	if a.gating {
		a.ask <- op + " " + path
		<-a.grant
	}
}

// gated is a file system behind an actor's gate.
type gated struct {
	hdfsstore.FS
	a *actor
}

func (g gated) Create(ctx context.Context, p string, o hdfsstore.CreateOptions) (hdfsstore.Writer, error) {
	g.a.gate("create", p)
	w, err := g.FS.Create(ctx, p, o)
	return gatedWriter{w, g.a, p}, err
}

type gatedWriter struct {
	hdfsstore.Writer
	a *actor
	p string
}

func (w gatedWriter) Close() error {
	w.a.gate("close", w.p)
	return w.Writer.Close()
}

func (g gated) Open(ctx context.Context, p string) (hdfsstore.File, error) {
	g.a.gate("open", p)
	return g.FS.Open(ctx, p)
}

func (g gated) Stat(ctx context.Context, p string) (hdfsstore.Info, error) {
	g.a.gate("stat", p)
	return g.FS.Stat(ctx, p)
}

func (g gated) List(ctx context.Context, p string) ([]hdfsstore.Info, error) {
	g.a.gate("list", p)
	return g.FS.List(ctx, p)
}

func (g gated) Rename(ctx context.Context, from, to string) error {
	g.a.gate("rename", to)
	return g.FS.Rename(ctx, from, to)
}

func (g gated) Replace(ctx context.Context, from, to string) error {
	g.a.gate("replace", to)
	return g.FS.Replace(ctx, from, to)
}

func (g gated) Mkdir(ctx context.Context, p string, perm iofs.FileMode) error {
	g.a.gate("mkdir", p)
	return g.FS.Mkdir(ctx, p, perm)
}

func (g gated) MkdirExclusive(ctx context.Context, p string, perm iofs.FileMode) error {
	g.a.gate("mkdir", p)
	return g.FS.MkdirExclusive(ctx, p, perm)
}

func (g gated) Delete(ctx context.Context, p string, recursive bool) error {
	g.a.gate("delete", p)
	return g.FS.Delete(ctx, p, recursive)
}

// advance lets an actor do one operation, and waits for its next or its end.
func (a *actor) advance() {
	a.grant <- struct{}{}
	a.wait()
}

func (a *actor) wait() {
	op, ok := <-a.ask
	a.next, a.done = op, !ok
}

func (a *actor) start() {
	a.ask, a.grant, a.gating = make(chan string), make(chan struct{}), true
	go func() {
		a.run(a)
		close(a.ask)
	}()
	a.wait()
}

// world is one run of the model: what the attempts were told.
type world struct {
	t     *testing.T
	fs    hdfsstore.FS
	dir   string
	trace []string
	acked map[int64]int64 // by attempt: the highest checkpoint of job A that was acknowledged
	ended map[int64]bool  // by attempt: whether the end of job B was acknowledged
	led   map[int64]*Recovered
	errs  map[int64]error // what ended the attempt
}

const dirOfModel = "/cluster"

func quiet() Options { return Options{Logger: slog.New(slog.DiscardHandler)} }

func newWorld(t *testing.T, fs hdfsstore.FS, dir string) *world {
	return &world{
		t: t, fs: fs, dir: dir, acked: map[int64]int64{}, ended: map[int64]bool{},
		led: map[int64]*Recovered{}, errs: map[int64]error{},
	}
}

func (w *world) fatalf(format string, args ...any) {
	w.t.Helper()
	dump := ""
	if m, ok := w.fs.(*memfs.FS); ok {
		dump = m.Dump()
	}
	w.t.Fatalf("%s\nschedule:\n  %s\nfiles:\n%s", fmt.Sprintf(format, args...), strings.Join(w.trace, "\n  "), dump)
}

// first is attempt 1, which led and put jobs A and B before anything was watched.
func (w *world) first(a *actor) *Store {
	ctx := w.t.Context()
	s, _, err := Open(ctx, gated{w.fs, a}, w.dir, 1, quiet())
	if err == nil {
		err = errors.Join(s.PutJob(ctx, "A", []byte("graph of A")), s.PutJob(ctx, "B", []byte("graph of B")), w.publish(s, 1))
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.led[1] = &Recovered{}
	return s
}

// publish completes a checkpoint of job A.
func (w *world) publish(s *Store, id int64) error {
	err := s.PublishCheckpoint(w.t.Context(), "A", CheckpointPointer{ID: id, Path: fmt.Sprintf("chk-%d-of-%d", id, s.Epoch())})
	if err == nil {
		w.acked[s.Epoch()] = id
	}
	return err
}

// work is what an attempt does once it leads: complete two checkpoints, end B.
func (w *world) work(s *Store, next int64) error {
	for i := range int64(2) {
		if err := w.publish(s, next+i); err != nil {
			return err
		}
	}
	err := s.PutResult(w.t.Context(), "B", []byte("result"))
	if err == nil {
		w.ended[s.Epoch()] = true
	}
	if errors.Is(err, errEnded) || errors.Is(err, errUnknownJob) {
		err = nil
	}
	return err
}

// attempt is a new attempt, from its take-over on.
func (w *world) attempt(n int64) *actor {
	return &actor{name: fmt.Sprint("attempt ", n), run: func(a *actor) {
		s, r, err := Open(w.t.Context(), gated{w.fs, a}, w.dir, n, quiet())
		if err != nil {
			w.errs[n] = err
			return
		}
		w.led[n] = r
		next := int64(1)
		for _, j := range r.Jobs {
			if j.ID == "A" {
				next = j.HighestCheckpointID + 1
			}
		}
		w.errs[n] = w.work(s, next)
	}}
}

// old is attempt 1 going on with its work.
func (w *world) old(s *Store, a *actor) {
	a.name, a.run = "attempt 1", func(*actor) { w.errs[1] = w.work(s, 2) }
}

// check demands that whatever any attempt was told is known to all later ones.
func (w *world) check(last int64) {
	w.t.Helper()
	for n, r := range w.led {
		if n == 1 {
			continue
		}
		for lower := int64(1); lower < n; lower++ {
			w.knows(n, r, lower)
		}
	}
	for n, err := range w.errs {
		if err != nil && !errors.Is(err, ErrFenced) {
			w.fatalf("attempt %d ended with %v", n, err)
		}
	}
	if err := w.errs[last]; err != nil {
		w.fatalf("the newest attempt ended with %v", err)
	}
}

// knows demands that attempt n recovered what a lower one had acknowledged.
func (w *world) knows(n int64, r *Recovered, lower int64) {
	w.t.Helper()
	found := int64(0)
	graphs := 0
	for _, j := range r.Jobs {
		graphs++
		if j.ID == "A" && j.Checkpoint != nil {
			found = j.Checkpoint.ID
			if want := fmt.Sprintf("chk-%d-of-%d", found, j.Checkpoint.Epoch); j.Checkpoint.Path != want || string(j.Graph) != "graph of A" {
				w.fatalf("attempt %d recovered %+v", n, j)
			}
		}
	}
	if found < w.acked[lower] {
		w.fatalf("attempt %d goes on from checkpoint %d, but attempt %d had completed %d", n, found, lower, w.acked[lower])
	}
	if w.ended[lower] && len(r.Results) != 1 {
		w.fatalf("attempt %d does not know that B had ended under attempt %d", n, lower)
	}
	if graphs+len(r.Results) != 2 {
		w.fatalf("attempt %d recovered %d jobs and %d results", n, graphs, len(r.Results))
	}
}

// published are the files that count.
func (w *world) published() string {
	var out []string
	for _, line := range strings.Split(w.fs.(*memfs.FS).Dump(), "\n") {
		if !strings.Contains(line, "/"+temporaryPrefix) {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

// explorer enumerates schedules with a bounded number of preemptions.
type explorer struct {
	bound int
	runs  int
	make  func() (*world, []*actor)
	last  int64
}

// run executes a schedule: choices says who goes at each step, and after its end
// the actor that went last goes on, then the next one. It returns who could have
// gone at each step.
func (x *explorer) run(choices []int) (taken []int, enabled [][]int) {
	w, actors := x.make()
	x.runs++
	for _, a := range actors {
		a.start()
	}
	current := 0
	for {
		var can []int
		for i, a := range actors {
			if !a.done {
				can = append(can, i)
			}
		}
		if len(can) == 0 {
			break
		}
		step := len(taken)
		switch {
		case step < len(choices):
			current = choices[step]
		case actors[current].done:
			current = can[0]
		}
		w.trace = append(w.trace, actors[current].name+": "+actors[current].next)
		actors[current].advance()
		taken, enabled = append(taken, current), append(enabled, can)
	}
	w.check(x.last)
	return taken, enabled
}

// explore runs the schedule that begins with prefix, and all that deviate from it
// later with the preemptions that are left.
func (x *explorer) explore(prefix []int, preemptions int) {
	taken, enabled := x.run(prefix)
	for i := len(prefix); i < len(taken); i++ {
		for _, other := range enabled[i] {
			if other == taken[i] {
				continue
			}
			// Leaving an actor that could go on is a preemption.
			forced := i > 0 && !contains(enabled[i], taken[i-1])
			if !forced && preemptions == x.bound {
				continue
			}
			next := append(append([]int{}, taken[:i]...), other)
			used := preemptions
			if !forced {
				used++
			}
			x.explore(next, used)
		}
	}
}

func contains(list []int, v int) bool {
	for _, x := range list {
		if x == v {
			return true
		}
	}
	return false
}

// two has the old leader at work while its successor starts.
func two(t *testing.T) func() (*world, []*actor) {
	return func() (*world, []*actor) {
		w := newWorld(t, memfs.New(), dirOfModel)
		a := &actor{}
		w.old(w.first(a), a)
		return w, []*actor{a, w.attempt(2)}
	}
}

// three has two successors start beside the old leader.
func three(t *testing.T) func() (*world, []*actor) {
	return func() (*world, []*actor) {
		w, actors := two(t)()
		return w, append(actors, w.attempt(3))
	}
}

// TestInterleavings runs every schedule of an old leader and its successor with
// at most three preemptions, and of two successors with at most two: stopping the
// old leader before any operation and waking it before any later one of the
// others is two of them. GOFLINK_HA_PREEMPTIONS=1 allows one more, in a minute.
func TestInterleavings(t *testing.T) {
	for _, c := range []struct {
		name  string
		make  func() (*world, []*actor)
		last  int64
		bound int
	}{{"two", two(t), 2, 3}, {"three", three(t), 3, 2}} {
		t.Run(c.name, func(t *testing.T) {
			bound := c.bound
			if os.Getenv("GOFLINK_HA_PREEMPTIONS") != "" {
				bound++
			}
			if testing.Short() || raceEnabled {
				bound--
			}
			x := &explorer{bound: bound, make: c.make, last: c.last}
			x.explore(nil, 0)
			t.Logf("%d schedules", x.runs)
		})
	}
}

// TestRandomSchedules switches at every step.
func TestRandomSchedules(t *testing.T) {
	seed := seeds.One(t)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 500 {
		x := &explorer{make: three(t), last: 3}
		w, actors := x.make()
		for _, a := range actors {
			a.start()
		}
		for {
			var can []*actor
			for _, a := range actors {
				if !a.done {
					can = append(can, a)
				}
			}
			if len(can) == 0 {
				break
			}
			a := can[r.IntN(len(can))]
			w.trace = append(w.trace, a.name+": "+a.next)
			a.advance()
		}
		w.check(3)
	}
}

// TestPausedLeader stops the old leader before each of its operations, runs its
// successor from start to end, and wakes the old one: it must publish nothing,
// and learn that it is fenced, unless all it had to do was done.
func TestPausedLeader(t *testing.T) {
	for at := 0; ; at++ {
		w, actors := two(t)()
		old, successor := actors[0], actors[1]
		old.start()
		for i := 0; i < at && !old.done; i++ {
			old.advance()
		}
		finished := old.done
		pausedAt := old.next
		successor.start()
		for !successor.done {
			successor.advance()
		}
		before := w.published()
		for !old.done {
			old.advance()
		}
		w.check(2)
		if finished {
			t.Logf("paused at %d places", at)
			return
		}
		if after := w.published(); after != before {
			w.fatalf("paused at %q, the old leader changed\n%s", pausedAt, before)
		}
		if w.errs[1] != nil && !errors.Is(w.errs[1], ErrFenced) {
			w.fatalf("paused at %q, the old leader ended with %v", pausedAt, w.errs[1])
		}
	}
}
