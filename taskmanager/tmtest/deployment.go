package tmtest

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"goflink/control"
	"goflink/dataflow"
	"goflink/graph"
)

// Deployment is an attempt of a region on some workers: subtask i of each vertex runs on
// worker i modulo their number.
type Deployment struct {
	JM      *JM
	Graph   *graph.JobGraph
	Workers []*Worker
	Region  int32
	Attempt int32
	tasks   map[string]*control.Task
	places  []*control.TaskLocation
}

// Deploy sends an attempt's tasks; restore holds states by Key.
func (j *JM) Deploy(g *graph.JobGraph, workers []*Worker, attempt int32, restore map[string][]*control.OperatorState) *Deployment {
	j.update(func() { // what it was before, under other names perhaps, is over
		j.States, j.Drained = map[string]*control.TaskState{}, map[string]bool{}
	})
	return j.DeployRegion(0, g, workers, attempt, restore)
}

// DeployRegion is Deploy for a region, which g is the graph of.
func (j *JM) DeployRegion(region int32, g *graph.JobGraph, workers []*Worker, attempt int32, restore map[string][]*control.OperatorState) *Deployment {
	return j.deployRegion(region, g, workers, attempt, restore, nil)
}

// DeployReaders is DeployRegion for a region that reads what the tasks of before
// wrote for the blocking edge of the program with number 0, of which all subtasks
// read.
func (j *JM) DeployReaders(before *Deployment, region int32, g *graph.JobGraph, workers []*Worker, attempt int32) *Deployment {
	return j.deployRegion(region, g, workers, attempt, nil, before)
}

// addReads adds what a worker holds of before for the first vertex of g.
func addReads(to *control.DeployTasks, worker string, before *Deployment, g *graph.JobGraph) {
	for _, l := range before.places {
		if l.WorkerId != worker {
			continue
		}
		r := &control.PartitionRead{Producer: &control.Task{VertexId: l.VertexId, Subtask: l.Subtask, Attempt: before.Attempt}, Region: before.Region}
		for s := range g.Vertices[0].Parallelism {
			r.Targets = append(r.Targets, s)
		}
		to.Reads = append(to.Reads, r)
	}
}

func (j *JM) deployRegion(region int32, g *graph.JobGraph, workers []*Worker, attempt int32, restore map[string][]*control.OperatorState, before *Deployment) *Deployment {
	d := &Deployment{JM: j, Graph: g, Workers: workers, Region: region, Attempt: attempt, tasks: map[string]*control.Task{}}
	j.update(func() {
		j.Attempt = attempt
		for _, v := range g.Vertices {
			j.attempts[v.Id] = attempt
			// Whatever parallelism it had before.
			of := func(key string) bool { return strings.HasPrefix(key, v.Id+"/") }
			maps.DeleteFunc(j.States, func(key string, _ *control.TaskState) bool { return of(key) })
			maps.DeleteFunc(j.Drained, func(key string, _ bool) bool { return of(key) })
		}
	})
	byWorker := map[*Worker]*control.DeployTasks{}
	var locations []*control.TaskLocation
	finished := func(key string, v *graph.Vertex) bool { return control.FinishedBefore(restore[key], len(v.Operators)) }
	for _, v := range g.Vertices {
		for s := range v.Parallelism {
			w := workers[int(s)%len(workers)]
			id := &control.Task{VertexId: v.Id, Subtask: s, Attempt: attempt}
			d.tasks[Key(id)] = id
			locations = append(locations, &control.TaskLocation{VertexId: v.Id, Subtask: s, WorkerId: w.WorkerId, Host: w.Host, DataPort: w.DataPort, Finished: finished(Key(id), v)})
			if byWorker[w] == nil {
				byWorker[w] = &control.DeployTasks{Region: region, Attempt: attempt}
			}
			byWorker[w].Tasks = append(byWorker[w].Tasks, &control.TaskDeployment{Task: id, Restore: restore[Key(id)]})
		}
	}
	d.places = locations
	if before != nil {
		locations = append(slices.Clone(locations), before.places...)
	}
	for _, w := range workers {
		deploy := byWorker[w]
		if deploy == nil {
			if before == nil {
				continue
			}
			deploy = &control.DeployTasks{Region: region, Attempt: attempt} // it only serves
		}
		if before != nil {
			addReads(deploy, w.WorkerId, before, g)
		}
		deploy.Locations = locations
		w.Send(&control.WorkerCommand{Command: &control.WorkerCommand_Deploy{Deploy: proto.CloneOf(deploy)}})
	}
	return d
}

// All sends a command to all workers.
func (d *Deployment) All(c *control.WorkerCommand) {
	for _, w := range d.Workers {
		w.Send(proto.CloneOf(c))
	}
}

// Start waits for the deployment, then starts and waits for RUNNING.
func (d *Deployment) Start() {
	d.JM.t.Helper()
	d.WaitAll("INITIALIZING")
	d.All(&control.WorkerCommand{Command: &control.WorkerCommand_Start{Start: &control.StartTasks{Region: d.Region, Attempt: d.Attempt}}})
	d.JM.Wait("RUNNING", func() bool { return d.count("RUNNING")+d.count("FINISHED")+d.count("FAILED") == len(d.tasks) })
}

// states are the states of its tasks.
func (d *Deployment) states() map[string]*control.TaskState {
	out := map[string]*control.TaskState{}
	for k := range d.tasks {
		if s := d.JM.States[k]; s != nil {
			out[k] = s
		}
	}
	return out
}

func (d *Deployment) count(state string) int {
	n := 0
	for _, s := range d.states() {
		if s.State == state {
			n++
		}
	}
	return n
}

// WaitAll waits until all tasks are in a state.
func (d *Deployment) WaitAll(state string) {
	d.JM.t.Helper()
	d.JM.Wait("all tasks being "+state, func() bool { return d.count(state) == len(d.tasks) })
}

// WaitFailed waits until a task has failed and returns its failure.
func (d *Deployment) WaitFailed() *control.TaskState {
	d.JM.t.Helper()
	var failed *control.TaskState
	d.JM.Wait("a failure", func() bool {
		for _, s := range d.states() {
			if s.State == "FAILED" {
				failed = s
			}
		}
		return failed != nil
	})
	return failed
}

// Cancel cancels all tasks and waits until they have ended.
func (d *Deployment) Cancel() {
	d.JM.t.Helper()
	d.All(&control.WorkerCommand{Command: &control.WorkerCommand_Cancel{Cancel: &control.CancelTasks{Region: d.Region, Attempt: d.Attempt, Reason: "test"}}})
	d.JM.Wait("all tasks having ended", func() bool {
		return d.count("CANCELED")+d.count("FAILED")+d.count("FINISHED") == len(d.tasks)
	})
}

// Trigger sends a checkpoint to the sources, as far as they have not finished,
// and to tasks whose inputs have all finished.
func (d *Deployment) Trigger(t *control.TriggerCheckpoint) {
	running := map[string]bool{}
	d.JM.Look(func() {
		for k, s := range d.JM.States {
			running[k] = s.State == "RUNNING"
		}
	})
	t.TimestampMs = time.Now().UnixMilli()
	inputs := map[string]bool{}
	for _, e := range d.Graph.Edges {
		for _, v := range d.Graph.Vertices {
			for s := range v.Parallelism {
				if v.Id == e.Source && running[fmt.Sprintf("%s/%d", v.Id, s)] {
					inputs[e.Target] = true
				}
			}
		}
	}
	for i, w := range d.Workers {
		c := proto.CloneOf(t)
		for _, v := range d.Graph.Vertices {
			for s := range v.Parallelism {
				if id := d.tasks[fmt.Sprintf("%s/%d", v.Id, s)]; int(s)%len(d.Workers) == i && !inputs[v.Id] && running[Key(id)] {
					c.Tasks = append(c.Tasks, id)
				}
			}
		}
		if len(c.Tasks) > 0 {
			w.Send(&control.WorkerCommand{Command: &control.WorkerCommand_Trigger{Trigger: c}})
		}
	}
}

// Acked waits until every running task has acknowledged a checkpoint; false
// when one declined.
func (d *Deployment) Acked(id int64) bool {
	d.JM.t.Helper()
	ok := true
	d.JM.Wait(fmt.Sprintf("acknowledgements of checkpoint %d", id), func() bool {
		for _, dec := range d.JM.Declines {
			if dec.CheckpointId == id {
				ok = false
				return true
			}
		}
		for k, s := range d.states() {
			if s.State == "RUNNING" && d.JM.Acks[id][k] == nil {
				return false
			}
		}
		return true
	})
	return ok
}

// Complete tells all workers that a checkpoint is complete.
func (d *Deployment) Complete(id int64, stop bool) {
	d.All(&control.WorkerCommand{Command: &control.WorkerCommand_Complete{Complete: &control.CheckpointComplete{CheckpointId: id, Stop: stop}}})
}

// Checkpoint takes a checkpoint and completes it; false when it was declined.
func (d *Deployment) Checkpoint(t *control.TriggerCheckpoint) bool {
	d.JM.t.Helper()
	d.Trigger(t)
	if !d.Acked(t.CheckpointId) {
		d.All(&control.WorkerCommand{Command: &control.WorkerCommand_Aborted{Aborted: &control.CheckpointAborted{CheckpointId: t.CheckpointId, Reason: "declined"}}})
		return false
	}
	d.Complete(t.CheckpointId, t.Kind == "stop")
	return true
}

// TryCheckpoint is Checkpoint for a job that may fail meanwhile; without told the
// workers never hear that it completed.
func (d *Deployment) TryCheckpoint(t *control.TriggerCheckpoint, told bool) bool {
	d.JM.t.Helper()
	return d.TryCheckpointAfter(t, told, func() {})
}

// TryCheckpointAfter is TryCheckpoint; ordered is called when the tasks have been
// told to begin.
func (d *Deployment) TryCheckpointAfter(t *control.TriggerCheckpoint, told bool, ordered func()) bool {
	d.JM.t.Helper()
	d.Trigger(t)
	ordered()
	done := false
	d.JM.Wait(fmt.Sprintf("checkpoint %d or a failure", t.CheckpointId), func() bool {
		for _, dec := range d.JM.Declines {
			if dec.CheckpointId == t.CheckpointId {
				return true
			}
		}
		done = true
		for k, s := range d.states() {
			if s.State == "FAILED" || s.State == "FINISHED" {
				done = false
				return true
			}
			done = done && d.JM.Acks[t.CheckpointId][k] != nil
		}
		return done
	})
	if done && told {
		d.Complete(t.CheckpointId, false)
	}
	return done
}

// Abort tells all workers that a checkpoint was given up.
func (d *Deployment) Abort(id int64) {
	d.All(&control.WorkerCommand{Command: &control.WorkerCommand_Aborted{Aborted: &control.CheckpointAborted{CheckpointId: id, Reason: "test"}}})
}

// AllDrained tells that its tasks have processed all of their data.
func (d *Deployment) AllDrained() bool {
	for k := range d.tasks {
		if !d.JM.Drained[k] {
			return false
		}
	}
	return true
}

// Restore assigns the states of a checkpoint to the subtasks of a graph that
// may have another parallelism: what the JobManager does, in its simplest form.
func (j *JM) Restore(id int64, dir string, g *graph.JobGraph) map[string][]*control.OperatorState {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := map[string][]*control.OperatorState{}
	for _, v := range g.Vertices {
		for s := range v.Parallelism {
			key := fmt.Sprintf("%s/%d", v.Id, s)
			for _, op := range v.Operators {
				st := &control.OperatorState{OperatorId: op.Id, Subtask: s}
				merge(st, j.Acks[id], op.Id, s, v, dir)
				out[key] = append(out[key], st)
			}
		}
	}
	return out
}

// share is what of a list is the subtask's, of which so many items came before:
// its items divided, all of them, or those of the first subtask that had any.
func share(st *control.OperatorState, l *control.ListState, before, subtask, parallelism int32) *control.ListState {
	mine := &control.ListState{Name: l.Name, Mode: l.Mode, Schema: l.Schema}
	switch dataflow.ListMode(l.Mode) {
	case dataflow.ListUnion:
		mine.Items = l.Items
	case dataflow.ListBroadcast:
		if !slices.ContainsFunc(st.Lists, func(x *control.ListState) bool { return x.Name == l.Name }) {
			mine.Items = l.Items
		}
	default:
		for i, item := range l.Items {
			if (before+int32(i))%parallelism == subtask {
				mine.Items = append(mine.Items, item)
			}
		}
	}
	return mine
}

func merge(st *control.OperatorState, acks map[string]*control.CheckpointAck, op string, subtask int32, v *graph.Vertex, dir string) {
	next := int32(0)
	for _, key := range slices.Sorted(maps.Keys(acks)) {
		for _, old := range acks[key].States {
			if old.OperatorId != op {
				continue
			}
			for _, h := range old.Keyed { // the backend clips
				h = proto.CloneOf(h)
				if h.Path != "" {
					h.Path = dir + "/" + h.Path
				}
				for _, t := range h.Tables {
					if !path.IsAbs(t.Path) {
						t.Path = path.Join(dir, t.Path)
					}
				}
				st.Keyed = append(st.Keyed, h)
			}
			for _, l := range old.Lists {
				if mine := share(st, l, next, subtask, v.Parallelism); len(mine.Items) > 0 {
					st.Lists = append(st.Lists, mine)
				}
				next += int32(len(l.Items))
			}
		}
	}
}
