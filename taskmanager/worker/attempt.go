package worker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"goflink/conf"
	"goflink/control"
	"goflink/dataflow"
	"goflink/graph"
	"goflink/metrics"
	"goflink/metrics/accumulator"
	"goflink/state"
	"goflink/taskmanager/exchange"
)

// attempt is the tasks of one attempt of a region on this worker. The map of
// tasks does not change after deploy.
type attempt struct {
	w         *worker
	id        exchange.AttemptID
	session   *exchange.Session
	tasks     map[taskKey]*task
	locations map[taskKey]*control.TaskLocation
	vertices  map[string]*graph.Vertex // with the parallelism of the deployment
	scratch   string
	connected chan struct{} // closed when the channels are connected
	started   bool
	ctx       context.Context
	cancel    context.CancelCauseFunc
	wg        sync.WaitGroup // tasks, connecting, watchdog
	reads     *serving       // of partitions of this worker
	links     sync.WaitGroup // native snapshots whose files are being linked
	ending    sync.Once
	ended     chan struct{} // closed by finish
}

// newAttempt makes the tasks of a deployment with their channels, without
// running anything of the user's.
func newAttempt(w *worker, d *control.DeployTasks, epoch int64) (*attempt, error) {
	a := &attempt{w: w, id: exchange.AttemptID{Epoch: epoch, Region: d.Region, Attempt: d.Attempt}, tasks: map[taskKey]*task{},
		locations: map[taskKey]*control.TaskLocation{}, connected: make(chan struct{}), ended: make(chan struct{})}
	a.vertices = scaled(w.vertices, d.Parallelism)
	a.ctx, a.cancel = context.WithCancelCause(w.ctx)
	for _, l := range d.Locations {
		a.locations[taskKey{l.VertexId, l.Subtask}] = l
	}
	var err error
	if a.session, err = w.net.Open(a.id); err != nil {
		return nil, err
	}
	a.scratch = filepath.Join(w.scratch, fmt.Sprintf("attempt-%s", a.id))
	if err := os.MkdirAll(a.scratch, 0o700); err != nil {
		a.session.Close(false)
		return nil, fmt.Errorf("scratch folder: %w", err)
	}
	return a, nil
}

// scaled are the vertices of the graph with the parallelism that a deployment
// gives them.
func scaled(vertices map[string]*graph.Vertex, to map[string]int32) map[string]*graph.Vertex {
	if len(to) == 0 {
		return vertices
	}
	out := maps.Clone(vertices)
	for id, n := range to {
		if v := out[id]; v != nil {
			v = proto.CloneOf(v)
			v.Parallelism = n
			out[id] = v
		}
	}
	return out
}

// deploy makes and starts the tasks. What fails for one task is reported as
// its failure; the others start all the same and are cancelled with the job.
func (a *attempt) deploy(d *control.DeployTasks) {
	dir := ""
	if d.CheckpointDir != "" && d.RestoredCheckpoint > 0 {
		dir = fmt.Sprintf("%s/chk-%d", d.CheckpointDir, d.RestoredCheckpoint)
	}
	for _, td := range d.Tasks {
		t := a.newTask(td.Task)
		if err := a.prepare(t, td, dir); err != nil {
			t.fail(err)
			t.env = nil
		}
		a.tasks[t.key] = t
	}
	if err := a.openReads(d); err != nil {
		for _, t := range a.tasks {
			t.fail(err)
		}
		if len(a.tasks) == 0 {
			a.w.Log.Error("serving result partitions", "attempt", a.id.String(), "error", err)
		}
	}
	a.w.segments.enter(a)
	for _, t := range a.tasks {
		a.wg.Go(t.run)
	}
}

func (a *attempt) newTask(id *control.Task) *task {
	t := &task{attempt: a, w: a.w, id: id, key: taskKey{id.VertexId, id.Subtask}, ended: make(chan struct{}), wake: make(chan struct{}, 1), aborted: map[int64]bool{},
		name: fmt.Sprintf("vertex %s (%d)", id.VertexId, id.Subtask+1), restore: &restored{}}
	if v := a.vertices[id.VertexId]; v != nil {
		t.vertex = v
		t.name = fmt.Sprintf("%s (%d/%d)", v.Name, id.Subtask+1, v.Parallelism)
	}
	t.mail.wake = t.signal
	t.log = a.w.Log.With("job", a.w.start.JobName, "task", t.name, "attempt", id.Attempt)
	t.ctx, t.cancel = context.WithCancelCause(a.ctx)
	t.metrics = a.w.registry.Task(metrics.TaskID{JobID: a.w.start.JobId, JobName: a.w.start.JobName, VertexID: id.VertexId,
		TaskName: t.name, Subtask: int(id.Subtask), Attempt: int(id.Attempt)})
	return t
}

// prepare makes a task's channels and what its chain is built with.
func (a *attempt) prepare(t *task, td *control.TaskDeployment, dir string) error {
	if t.vertex == nil || t.id.Subtask < 0 || t.id.Subtask >= t.vertex.Parallelism {
		return internalf("the job's graph has no subtask %d of vertex %s: the worker's program is not the JobManager's", t.id.Subtask, t.id.VertexId)
	}
	var err error
	if t.restore, err = newRestored(td.Restore, len(t.vertex.Operators), dir); err != nil {
		return err
	}
	t.env = a.newEnv(t)
	t.setLatency(t.env)
	if t.restore.finished {
		return nil // its peers take its channels as ended
	}
	inputs, err := a.gateInputs(t)
	if err != nil {
		return err
	}
	if len(inputs) > 0 {
		t.gate, err = a.session.NewGate(exchange.GateOptions{Task: t.name, Subtask: int(t.id.Subtask), Inputs: inputs,
			ExactlyOnce: a.w.exactlyOnce, Wake: t.signal, Fail: t.fail, Urgent: &t.yield, Announced: t.awaitTimeout})
		if err != nil {
			return err
		}
		t.showDebloated()
	}
	outputs, files, err := a.outputEdges(t)
	if err != nil {
		return err
	}
	t.out, err = a.session.NewOutputs(t.ctx, exchange.OutputsOptions{Task: t.name, Blocked: &t.blocked, Wake: t.signal, Edges: outputs})
	if err != nil {
		return err
	}
	t.env.Outputs = t.out.Writers()
	for i, w := range files {
		t.env.Outputs[i] = w
	}
	for _, in := range inputs {
		t.env.InputChannels = append(t.env.InputChannels, len(in.Sources))
	}
	return nil
}

// gateInputs are the incoming edges of a task, by input index.
func (a *attempt) gateInputs(t *task) ([]exchange.GateInput, error) {
	var inputs []exchange.GateInput
	for i, e := range a.w.graph.Edges {
		if e.Target != t.vertex.Id {
			continue
		}
		from := a.vertices[e.Source]
		in := exchange.GateInput{Edge: i, Overtakes: a.w.overtakes(e), First: e.First}
		for _, s := range graph.Sources(e.Partitioning, int(t.id.Subtask), int(from.Parallelism), int(t.vertex.Parallelism)) {
			peer, finished, err := a.locate(from, s)
			if err != nil {
				return nil, err
			}
			in.Sources = append(in.Sources, exchange.GateSource{Subtask: s, Peer: peer, Finished: finished})
		}
		inputs = placed(inputs, int(e.InputIndex), in)
	}
	return inputs, nil
}

// outputEdges are the outgoing edges of a task, by output index: channels, or the
// writers of a partition in their place.
func (a *attempt) outputEdges(t *task) ([][]exchange.TargetChannel, map[int][]dataflow.ChannelWriter, error) {
	files := map[int][]dataflow.ChannelWriter{}
	var outputs [][]exchange.TargetChannel
	for i, e := range a.w.graph.Edges {
		if e.Source != t.vertex.Id {
			continue
		}
		if e.Blocking {
			w, err := a.writePartition(t, i, e)
			if err != nil {
				return nil, nil, err
			}
			outputs = placed(outputs, int(e.OutputIndex), nil)
			files[int(e.OutputIndex)] = w
			continue
		}
		to := a.vertices[e.Target]
		var out []exchange.TargetChannel
		for _, s := range graph.Targets(e.Partitioning, int(t.id.Subtask), int(t.vertex.Parallelism), int(to.Parallelism)) {
			peer, finished, err := a.locate(to, s)
			if err != nil {
				return nil, nil, err
			}
			out = append(out, exchange.TargetChannel{Channel: exchange.ChannelID{Edge: i, Source: int(t.id.Subtask), Target: s}, Peer: peer, Finished: finished,
				Overtakes: a.w.overtakes(e)})
		}
		outputs = placed(outputs, int(e.OutputIndex), out)
	}
	return outputs, files, nil
}

// placed puts v at an index and grows the slice as needed.
func placed[T any](list []T, index int, v T) []T {
	for len(list) <= index {
		var zero T
		list = append(list, zero)
	}
	list[index] = v
	return list
}

func (a *attempt) locate(v *graph.Vertex, subtask int) (exchange.Peer, bool, error) {
	l := a.locations[taskKey{v.Id, int32(subtask)}]
	if l == nil {
		return exchange.Peer{}, false, internalf("the deployment does not say where %s (%d/%d) runs", v.Name, subtask+1, v.Parallelism)
	}
	return exchange.Peer{WorkerID: l.WorkerId, Host: l.Host, Port: int(l.DataPort)}, l.Finished, nil
}

func (a *attempt) newEnv(t *task) *dataflow.Env {
	v, w := t.vertex, a.w
	maxParallelism := int(v.MaxParallelism)
	if maxParallelism <= 0 {
		maxParallelism = state.DefaultMaxParallelism(int(v.Parallelism))
	}
	groups := state.KeyGroupRange(maxParallelism, int(v.Parallelism), int(t.id.Subtask))
	dir := filepath.Join(a.scratch, v.Id+"-"+strconv.Itoa(int(t.id.Subtask)))
	open := &opener{restored: t.restore, files: w.Files, scratch: a.scratch, tables: &t.tables}
	return &dataflow.Env{
		Ctx: t.ctx, JobID: w.start.JobId, JobName: w.start.JobName, VertexID: v.Id, TaskName: t.name,
		Subtask: int(t.id.Subtask), Parallelism: int(v.Parallelism), MaxParallelism: maxParallelism,
		ParallelismOf: func(vertexID string) int { return int(a.vertices[vertexID].GetParallelism()) },
		Attempt:       int(t.id.Attempt), Epoch: a.id.Epoch, Host: w.Bootstrap.Host, KeyGroups: groups,
		Blocked: &t.blocked, Yield: &t.yield,
		State: state.Env{Kind: w.backend(), Dir: dir, Range: groups, MaxParallelism: maxParallelism,
			MemoryBudget: w.stateBudget(), Open: open.open, Fetch: open.fetch, Context: t.ctx},
		RestoreOf: t.restore.of, Mailbox: t.mail.put, Go: t.goRun, Now: w.Now,
		RequestSplit: func(operatorID string) { w.requestSplit(t, operatorID) },
		SendEvent:    func(operatorID string, data []byte) { w.sendEvent(t, operatorID, data) },
		Conf:         w.conf, Metrics: t.metrics.Group, Log: t.log, Out: w.Out, Files: w.Files,
		Scratch: w.scratch, OperatorMetrics: t.metrics.User, Accumulators: accumulator.NewSet(),
	}
}

func (s *settings) backend() state.BackendKind {
	if conf.StateBackendType.Get(s.conf) == conf.BackendRocksDB {
		return state.Pebble
	}
	return state.Heap
}

// stateBudget is the managed memory of one keyed operator: a slot's share,
// divided among the keyed operators of the job, each of which has a subtask in
// the slot at most.
func (s *settings) stateBudget() int64 {
	return s.start.ManagedBytes / int64(max(1, s.start.Slots)) / int64(s.keyedOperators())
}

// start connects the channels; the tasks wait for it.
func (a *attempt) start() {
	if a.started {
		return
	}
	a.started = true
	a.wg.Go(func() {
		err := a.session.Connect(a.ctx)
		if err == nil {
			close(a.connected)
			a.serve()
			return
		}
		if a.ctx.Err() != nil {
			return
		}
		for _, t := range a.tasks {
			t.fail(fmt.Errorf("connecting the task: %w", err))
		}
	})
}

// end cancels what runs, with a reason, and has everything cleaned up; wait on
// ended. It does not block.
func (a *attempt) end(cause error) {
	a.cancel(cause)
	for _, t := range a.tasks {
		t.signal()
	}
	a.ending.Do(func() {
		a.w.wg.Go(a.finish)
	})
}

// finish waits for the tasks under the eye of the watchdog, then drops what
// the attempt held.
func (a *attempt) finish() {
	defer close(a.ended)
	done := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() { a.watchdog(done) })
	a.wg.Wait()
	close(done)
	watch.Wait()
	a.w.segments.abortAttempt(a.id)
	a.closeReads()
	a.links.Wait() // they write to the stores in the scratch folder
	a.session.Close(errors.Is(context.Cause(a.ctx), errOrdered))
	if err := os.RemoveAll(a.scratch); err != nil {
		a.w.Log.Warn("removing scratch files", "dir", a.scratch, "error", err)
	}
}

// watchdog warns about tasks that do not end and at last ends the process:
// there is no other way to stop a goroutine that does not heed its context.
func (a *attempt) watchdog(done <-chan struct{}) {
	limit, every := conf.TaskCancellationTimeout.Get(a.w.conf), conf.TaskCancellationInterval.Get(a.w.conf)
	if limit <= 0 { // 0 turns it off, as in Flink
		<-done
		return
	}
	ticker := time.NewTicker(max(every, 10*time.Millisecond))
	defer ticker.Stop()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
			a.w.Log.Warn("tasks are still being cancelled", "tasks", a.running())
		case <-deadline.C:
			a.w.Fatal(fmt.Errorf("tasks %v did not end within %s of being cancelled (task.cancellation.timeout): user code does not heed its context", a.running(), limit))
			<-done
			return
		}
	}
}

// running names the tasks that have not ended.
func (a *attempt) running() []string {
	var names []string
	for _, t := range a.tasks {
		select {
		case <-t.ended:
		default:
			names = append(names, t.name)
		}
	}
	return names
}
