package checkpoint

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"goflink/control"
)

// TestRandom lets a job run in a world where tasks acknowledge and refuse (and are
// heard twice), fail and finish in any order, storage fails, folders are taken and
// attempts end at any moment. It checks that no checkpoint completes without all
// acknowledgements, that nothing a retained or published checkpoint refers to
// is ever deleted, that ids only rise, that tasks which go on while others are
// run again hear how every checkpoint ended, and that in the end nothing is left
// over.
func TestRandom(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	completed := 0
	for round := range 200 {
		w := newWorld(t, rand.New(rand.NewPCG(seed, uint64(round))))
		for range 800 {
			w.move()
		}
		w.end()
		completed += w.completed
	}
	if completed < 1000 {
		t.Fatalf("only %d checkpoints completed: the test tests nothing", completed)
	}
	t.Logf("%d checkpoints completed", completed)
}

// world is the job's surroundings: tasks with their inboxes, a store of files,
// answers on their way to the coordinator.
type world struct {
	t   *testing.T
	r   *rand.Rand
	c   *Coordinator
	now time.Time

	files     map[string]bool
	folders   map[string]bool
	inbox     map[Task][]Action // in order
	own       map[Task]map[int64][]string
	answers   []Event
	acked     map[int64]map[Task]bool
	expect    map[int64]map[Task]bool
	finished  map[Task]bool
	durable   *Write // what a successor would begin from
	written   map[int64]*Write
	last      int64
	attempt   bool
	gone      map[Task]bool // tasks that are run again, or are to be
	over      bool
	requests  int
	completed int
	fileCount int
}

func newWorld(t *testing.T, r *rand.Rand) *world {
	w := &world{t: t, r: r, now: zero, files: map[string]bool{}, folders: map[string]bool{}, acked: map[int64]map[Task]bool{}, finished: map[Task]bool{},
		expect: map[int64]map[Task]bool{}, written: map[int64]*Write{}}
	w.c = New(Config{JobID: "job", Graph: testGraph(2, 2), Interval: time.Second, MinPause: time.Duration(r.IntN(2)) * time.Second,
		Timeout: 5 * time.Second, MaxConcurrent: 1 + r.IntN(3), Tolerable: 2, Retained: 1 + r.IntN(2), Dir: "/cp", Incremental: true, Enumerators: r.IntN(2) == 0})
	w.gone = map[Task]bool{}
	w.inbox, w.own = map[Task][]Action{}, map[Task]map[int64][]string{}
	w.everyTask(func(t Task) { w.gone[t] = true })
	w.start(nil)
	return w
}

func (w *world) everyTask(f func(Task)) {
	for _, t := range w.c.tasks {
		f(t.Task)
	}
}

// start runs those that are gone.
func (w *world) start(from *Completed) {
	for t := range w.gone {
		delete(w.inbox, t)
		w.own[t] = map[int64][]string{}
		if from != nil {
			w.own[t][from.ID] = from.Files
		}
	}
	w.attempt, w.gone = true, map[Task]bool{}
	w.do(Begin{})
}

func (w *world) move() {
	w.now = w.now.Add(time.Duration(w.r.IntN(200)) * time.Millisecond)
	switch n := w.r.IntN(100); {
	case n < 40:
		w.taskMoves()
	case n < 80 && len(w.answers) > 0:
		i := w.r.IntN(len(w.answers))
		ev := w.answers[i]
		if !fromTask(ev) || w.r.IntN(8) > 0 { // what comes over the network may come twice, now and later
			w.answers = append(w.answers[:i], w.answers[i+1:]...)
		}
		w.do(ev)
	case n < 80: // nothing under way
	case n < 81 && w.r.IntN(4) == 0:
		w.fail()
	case n < 82 && w.r.IntN(2) == 0:
		w.requests++
		kind := []Kind{Savepoint, Periodic, Stop}[w.r.IntN(3)]
		w.do(Request{Token: "T", Kind: kind, Dir: fmt.Sprintf("/sp/%d", w.requests)})
	case n < 83 && w.r.IntN(6) == 0:
		t := w.anyTask()
		w.do(TaskDrained{t})
		if w.r.IntN(3) == 0 && t.Vertex == vertexID("source") {
			w.finished[t] = true
			delete(w.inbox, t)
			w.do(TaskFinished{t})
		}
	default:
		w.do(Tick{})
	}
}

// fromTask tells whether a worker has sent an event.
func fromTask(ev Event) bool {
	switch ev.(type) {
	case Ack, Decline:
		return true
	}
	return false
}

func (w *world) anyTask() Task { return w.c.tasks[w.r.IntN(len(w.c.tasks))].Task }

// fail ends the attempt of all tasks or of a region, and starts the next.
func (w *world) fail() {
	if !w.attempt {
		return
	}
	if w.r.IntN(2) == 0 && w.c.ending != Stop { // a job that is being stopped is run again as a whole
		w.gone[Task{vertexID("source"), 0}], w.gone[Task{vertexID("map"), 0}] = true, true
	} else {
		w.everyTask(func(t Task) { w.gone[t] = true })
	}
	w.again("a task failed")
}

// again ends the attempt and asks for what the next one begins from. Tasks may
// finish from then on, before all of them run.
func (w *world) again(reason string) {
	w.attempt = false
	others := len(w.gone) < len(w.c.tasks)
	w.do(Suspend{Reason: reason, Others: others})
	var which []Task
	for t := range w.gone {
		delete(w.finished, t)
		which = append(which, t)
	}
	if !others {
		which = nil
	}
	w.do(Restore{Tasks: which})
}

func (w *world) taskMoves() {
	t := w.anyTask()
	if w.gone[t] || w.finished[t] || len(w.inbox[t]) == 0 {
		return
	}
	a := w.inbox[t][0]
	w.inbox[t] = w.inbox[t][1:]
	switch a := a.(type) {
	case Trigger:
		w.snapshot(t, a)
	}
}

func (w *world) snapshot(t Task, a Trigger) {
	if w.r.IntN(60) == 0 {
		w.answers = append(w.answers, Decline{&control.CheckpointDecline{CheckpointId: a.ID, Task: taskOf(t), Reason: "no", TaskFinished: w.r.IntN(2) == 0}})
		return
	}
	if w.r.IntN(80) == 0 {
		return // never
	}
	w.fileCount++
	file := fmt.Sprintf("f%d", w.fileCount)
	if w.r.IntN(2) == 0 && !a.Kind.IsSavepoint() {
		file = "../shared/" + file
	}
	list := []string{Resolve(a.Dir, file)}
	w.files[list[0]] = true
	paths := []string{file}
	if a.Base > 0 { // whether or not the task has heard that it is complete
		for _, f := range w.own[t][a.Base] {
			if strings.HasPrefix(f, "/sp/") || a.Kind.IsSavepoint() {
				w.t.Fatalf("checkpoint %d of kind %s may build on %s", a.ID, a.Kind, f)
			}
			if w.r.IntN(2) == 0 {
				list = append(list, f)
				paths = append(paths, f)
			}
		}
	}
	w.own[t][a.ID] = list
	w.answers = append(w.answers, Ack{ackOf(a.ID, t, paths)})
}

func (w *world) do(ev Event) {
	if a, ok := ev.(Ack); ok {
		id := a.GetCheckpointId()
		if w.acked[id] == nil {
			w.acked[id] = map[Task]bool{}
		}
		w.acked[id][Task{a.Task.VertexId, int(a.Task.Subtask)}] = true
	}
	for _, a := range w.c.Step(w.now, ev) {
		w.obey(a)
	}
	w.check()
}

func (w *world) obey(a Action) {
	switch a := a.(type) {
	case Prepare:
		w.prepare(a)
	case SnapshotCoordinator:
		w.answers = append(w.answers, CoordinatorSnapshot{ID: a.ID, Err: map[bool]string{true: "no"}[w.r.IntN(60) == 0]})
	case Trigger:
		w.trigger(a)
	case Write:
		err := w.storageError()
		if err == nil {
			w.written[a.ID] = &a
			w.files[a.Dir+"/"+MetadataName] = true
		}
		w.answers = append(w.answers, Written{ID: a.ID, Size: 1, Err: err})
	case Publish:
		w.publish(a)
	case Complete:
		w.complete(a)
	case Aborted:
		if !a.Notify && w.hears(a.ID) {
			w.t.Fatalf("tasks go on and do not hear that checkpoint %d was aborted: %s", a.ID, a.Reason)
		}
	case FailJob:
		w.attempt = false
		defer func() {
			w.everyTask(func(t Task) { w.gone[t] = true })
			w.again(a.Reason)
		}()
	case RestoreFrom:
		defer w.start(a.Checkpoint)
	case Discard:
		w.discard(a)
	}
}

func (w *world) storageError() error {
	if w.r.IntN(40) == 0 {
		return errors.New("disk full")
	}
	return nil
}

func (w *world) prepare(a Prepare) {
	ev := Prepared{ID: a.ID, Dir: a.Dir, Exists: w.folders[a.Dir] || w.r.IntN(25) == 0, Err: w.storageError()}
	if !ev.Exists && ev.Err == nil {
		w.folders[a.Dir] = true
	}
	w.answers = append(w.answers, ev)
}

func (w *world) trigger(a Trigger) {
	if a.ID <= w.last {
		w.t.Fatalf("checkpoint %d is triggered after %d", a.ID, w.last)
	}
	if !w.folders[a.Dir] {
		w.t.Fatalf("checkpoint %d is triggered without its folder", a.ID)
	}
	w.last = a.ID
	w.expect[a.ID] = map[Task]bool{}
	for _, t := range w.c.tasks {
		if !w.finished[t.Task] {
			w.expect[a.ID][t.Task] = true
			w.inbox[t.Task] = append(w.inbox[t.Task], a)
		}
	}
}

// publish fails at times; rarely nobody knows whether it happened.
func (w *world) publish(a Publish) {
	err := w.storageError()
	unknown := w.r.IntN(400) == 0
	if err == nil || unknown && w.r.IntN(2) == 0 {
		w.durable = w.written[a.ID]
	}
	w.answers = append(w.answers, Published{ID: a.ID, Err: err, Fenced: unknown})
}

func (w *world) complete(a Complete) {
	w.completed++
	for t := range w.expect[a.Checkpoint.ID] {
		if !w.acked[a.Checkpoint.ID][t] {
			w.t.Fatalf("checkpoint %d completes without %v", a.Checkpoint.ID, t)
		}
	}
	if a.Checkpoint.Kind != Savepoint && (w.durable == nil || w.durable.ID != a.Checkpoint.ID) {
		w.t.Fatalf("checkpoint %d completes before it is published", a.Checkpoint.ID)
	}
	if !a.Notify && a.Checkpoint.Kind != Savepoint && w.hears(a.Checkpoint.ID) {
		w.t.Fatalf("tasks go on and do not hear that checkpoint %d is complete", a.Checkpoint.ID)
	}
	if a.Notify {
		for _, t := range w.c.tasks {
			w.inbox[t.Task] = append(w.inbox[t.Task], a)
		}
	}
}

// hears tells that a task that goes on was triggered for a checkpoint.
func (w *world) hears(id int64) bool {
	for t := range w.expect[id] {
		if !w.gone[t] && !w.over && !w.c.fenced { // a JobManager that was succeeded ends with all its workers
			return true
		}
	}
	return false
}

func (w *world) discard(d Discard) {
	for _, dir := range d.Dirs {
		if !w.folders[dir] {
			w.t.Fatalf("folder %s is deleted and was never ours", dir)
		}
		for f := range w.files {
			if strings.HasPrefix(f, dir+"/") {
				delete(w.files, f)
			}
		}
	}
	for _, f := range d.Files {
		if strings.HasPrefix(f, "/sp/") {
			w.t.Fatalf("a user's file %s is deleted", f)
		}
		delete(w.files, f)
	}
}

// check verifies that all that is needed is there.
func (w *world) check() {
	for _, r := range w.c.Retained() {
		for _, f := range append(r.Files, r.Dir+"/"+MetadataName) {
			if !w.files[f] {
				w.t.Fatalf("checkpoint %d refers to %s, which is gone", r.ID, f)
			}
		}
	}
	if w.durable == nil || w.c.over {
		return
	}
	for _, f := range append(filesOf(w.durable.Dir, w.durable.Metadata.States), w.durable.Dir+"/"+MetadataName) {
		if !w.files[f] {
			w.t.Fatalf("published checkpoint %d refers to %s, which is gone", w.durable.ID, f)
		}
	}
}

// end cancels the job, delivers every answer, and expects that nothing is left
// but savepoints, and folders whose creation failed in between.
func (w *world) end() {
	w.attempt, w.over = false, true
	w.do(Terminate{Cancelled: true})
	for len(w.answers) > 0 {
		ev := w.answers[0]
		w.answers = w.answers[1:]
		w.do(ev)
	}
	if w.c.fenced { // it leaves everything to its successor
		return
	}
	if len(w.c.pending) > 0 || len(w.c.trash) > 0 {
		w.t.Fatalf("%d under way, %d in the trash after the end", len(w.c.pending), len(w.c.trash))
	}
	s := w.c.Stats()
	if s.Counts.InProgress != 0 || s.Counts.Total != s.Counts.Completed+s.Counts.Failed {
		w.t.Fatalf("counts do not add up: %+v", s.Counts)
	}
	for f := range w.files {
		if !strings.HasPrefix(f, "/sp/") {
			w.t.Fatalf("%s is left over", f)
		}
	}
}
