package jobmanager

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"goflink/control"
	"goflink/graph"
)

// fakeTM is a TaskManager whose workers are goroutines.
type fakeTM struct {
	c      *cluster
	id     string
	cancel context.CancelFunc
	stream grpc.BidiStreamingClient[control.TaskManagerEvent, control.TaskManagerCommand]
	mu     sync.Mutex
}

func (c *cluster) taskManager(id string, slots int32) *fakeTM {
	c.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	conn := c.dial()
	tm := &fakeTM{c: c, id: id, cancel: cancel}
	var err error
	if tm.stream, err = control.NewJobManagerClient(conn).TaskManager(ctx, grpc.WaitForReady(true)); err != nil {
		c.t.Fatal(err)
	}
	tm.send(&control.TaskManagerEvent{Event: &control.TaskManagerEvent_Register{Register: &control.RegisterTaskManager{
		Protocol: control.ProtocolVersion, Id: id, Host: "host-" + id, DataPort: 1, Slots: slots,
		Memory: &control.MemoryPlan{TotalProcess: 1000, Managed: 400, Network: 100}, CpuCores: 1}}})
	c.mu.Lock()
	c.tms[id] = tm
	c.mu.Unlock()
	c.wg.Go(func() {
		defer conn.Close()
		tm.run()
	})
	await(c, "registration", func(r *control.Registered) bool { return true })
	return tm
}

func (tm *fakeTM) send(e *control.TaskManagerEvent) {
	tm.mu.Lock()
	defer tm.mu.Unlock()
	_ = tm.stream.Send(e)
}

func (tm *fakeTM) run() {
	for {
		cmd, err := tm.stream.Recv()
		if err != nil {
			return
		}
		switch x := cmd.Command.(type) {
		case *control.TaskManagerCommand_Registered:
			tm.c.see(x.Registered)
		case *control.TaskManagerCommand_StartWorker:
			tm.c.see(x.StartWorker)
			tm.c.worker(tm, x.StartWorker)
		case *control.TaskManagerCommand_StopWorker:
			tm.c.see(x.StopWorker)
			tm.exit(x.StopWorker.WorkerId, 0, "")
		case *control.TaskManagerCommand_Heartbeat:
			tm.send(&control.TaskManagerEvent{Event: &control.TaskManagerEvent_Heartbeat{Heartbeat: &control.Heartbeat{}}})
		case *control.TaskManagerCommand_LogRequest:
			tm.log(x.LogRequest)
		case *control.TaskManagerCommand_Shutdown:
			tm.c.see(x.Shutdown)
			tm.cancel()
			return
		}
	}
}

// log answers that there is one file with 600000 bytes.
func (tm *fakeTM) log(q *control.LogRequest) {
	r := &control.LogReply{RequestId: q.RequestId, Last: true}
	switch q.Name {
	case "":
		r.Files = []*control.LogFile{{Name: "taskmanager.log", Size: 600000}}
	case "taskmanager.log":
		r.Data = make([]byte, max(0, min(q.Limit, 600000-q.Offset)))
	default:
		r.Error = "no such file"
	}
	tm.send(&control.TaskManagerEvent{Event: &control.TaskManagerEvent_LogReply{LogReply: r}})
}

// exit ends a worker and tells the JobManager.
func (tm *fakeTM) exit(id string, code int32, reason string) {
	tm.c.mu.Lock()
	w := tm.c.workers[id]
	delete(tm.c.workers, id)
	tm.c.mu.Unlock()
	if w != nil {
		w.cancel()
	}
	tm.send(&control.TaskManagerEvent{Event: &control.TaskManagerEvent_WorkerExited{WorkerExited: &control.WorkerExited{WorkerId: id, Code: code, Reason: reason}}})
}

// lose kills a TaskManager with its workers, without a word.
func (tm *fakeTM) lose() {
	tm.c.mu.Lock()
	for id, w := range tm.c.workers {
		if w.tm == tm {
			w.cancel()
			delete(tm.c.workers, id)
		}
	}
	delete(tm.c.tms, tm.id)
	tm.c.mu.Unlock()
	tm.cancel()
}

// fakeWorker runs tasks that do nothing.
type fakeWorker struct {
	c      *cluster
	tm     *fakeTM
	id     string
	cancel context.CancelFunc
	stream grpc.BidiStreamingClient[control.WorkerEvent, control.WorkerCommand]
	mu     sync.Mutex
	tasks  map[int32][]*control.Task // by region
}

func (c *cluster) worker(tm *fakeTM, s *control.StartWorker) {
	ctx, cancel := context.WithCancel(context.Background())
	conn := c.dial()
	w := &fakeWorker{c: c, tm: tm, id: s.WorkerId, cancel: cancel, tasks: map[int32][]*control.Task{}}
	// A JobManager that is closed meanwhile is waited for as long as the TaskManager lives.
	connected := context.AfterFunc(tm.stream.Context(), cancel)
	var err error
	w.stream, err = control.NewJobManagerClient(conn).Worker(ctx, grpc.WaitForReady(true))
	connected()
	if err != nil {
		cancel()
		conn.Close()
		return
	}
	c.mu.Lock()
	c.workers[w.id] = w
	c.mu.Unlock()
	var p graph.Program
	_ = proto.Unmarshal(s.Program, &p)
	fp := s.Fingerprint
	if c.behave.fingerprint != "" {
		fp = c.behave.fingerprint
	}
	w.send(&control.WorkerEvent{Event: &control.WorkerEvent_Register{Register: &control.RegisterWorker{Protocol: control.ProtocolVersion,
		WorkerId: w.id, TaskManagerId: tm.id, JobId: s.JobId, Host: "host-" + tm.id, DataPort: 7, ProgramSha256: p.Sha256, Fingerprint: fp,
		FingerprintDiffBase: "vertex other\n", Slots: s.Slots}}})
	c.wg.Go(func() {
		defer conn.Close()
		w.run()
	})
}

func (w *fakeWorker) send(e *control.WorkerEvent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.stream.Send(e)
}

func (w *fakeWorker) report(t *control.Task, state string) {
	w.send(&control.WorkerEvent{Event: &control.WorkerEvent_TaskState{TaskState: &control.TaskState{Task: t, State: state, Io: &control.TaskIO{RecordsOut: 5, BusyMs: 1}}}})
}

func (w *fakeWorker) reportAll(state string) {
	for _, t := range w.all() {
		w.report(t, state)
	}
}

func (w *fakeWorker) reportRegion(region int32, state string) {
	w.mu.Lock()
	tasks := w.tasks[region]
	w.mu.Unlock()
	for _, t := range tasks {
		w.report(t, state)
	}
}

// all are the tasks that were deployed.
func (w *fakeWorker) all() []*control.Task {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []*control.Task
	for _, r := range slices.Sorted(maps.Keys(w.tasks)) {
		list = append(list, w.tasks[r]...)
	}
	return list
}

func (w *fakeWorker) run() {
	for {
		cmd, err := w.stream.Recv()
		if err != nil {
			return
		}
		switch x := cmd.Command.(type) {
		case *control.WorkerCommand_Registered:
			w.c.see(x.Registered)
		case *control.WorkerCommand_Deploy:
			w.mu.Lock()
			var tasks []*control.Task
			for _, t := range x.Deploy.Tasks {
				tasks = append(tasks, t.Task)
			}
			w.tasks[x.Deploy.Region] = tasks
			w.mu.Unlock()
			w.reportRegion(x.Deploy.Region, "INITIALIZING")
			w.c.see(x.Deploy)
		case *control.WorkerCommand_Start:
			w.reportRegion(x.Start.Region, "RUNNING")
			w.c.see(x.Start)
		case *control.WorkerCommand_Cancel:
			w.reportRegion(x.Cancel.Region, "CANCELED")
			w.c.see(x.Cancel)
		case *control.WorkerCommand_Trigger:
			w.c.see(x.Trigger)
			w.c.barrier(x.Trigger)
		case *control.WorkerCommand_Complete:
			w.c.see(x.Complete)
			if x.Complete.Final || x.Complete.Stop {
				w.reportAll("FINISHED")
			}
		case *control.WorkerCommand_Aborted:
			w.c.see(x.Aborted)
		case *control.WorkerCommand_Assign:
			w.c.see(x.Assign)
		case *control.WorkerCommand_FinalCommit:
			w.c.see(x.FinalCommit)
			if !w.c.behave.hanging {
				w.reportAll("FINISHED")
			}
		case *control.WorkerCommand_Release:
			w.c.see(x.Release)
		case *control.WorkerCommand_Heartbeat:
			w.send(&control.WorkerEvent{Event: &control.WorkerEvent_Heartbeat{Heartbeat: &control.Heartbeat{}}})
		}
	}
}

// all are the workers that run.
func (c *cluster) all() []*fakeWorker {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []*fakeWorker
	for _, w := range c.workers {
		out = append(out, w)
	}
	return out
}

// barrier makes every task acknowledge, as if barriers had flowed.
func (c *cluster) barrier(tr *control.TriggerCheckpoint) {
	if !c.behave.silentAcks {
		c.acknowledge(tr)
	}
}

// acknowledge makes every task acknowledge a checkpoint.
func (c *cluster) acknowledge(tr *control.TriggerCheckpoint) {
	for _, w := range c.all() {
		for _, t := range w.all() {
			ack := &control.CheckpointAck{CheckpointId: tr.CheckpointId, Task: t, StateBytes: 10,
				States: []*control.OperatorState{{OperatorId: t.VertexId, Lists: []*control.ListState{{Name: "l", Mode: "split",
					Items: [][]byte{fmt.Appendf(nil, "%s/%d@%d", t.VertexId[:1], t.Subtask, tr.CheckpointId)}}}}}}
			w.send(&control.WorkerEvent{Event: &control.WorkerEvent_Ack{Ack: ack}})
		}
	}
}

// drain makes every task tell that its data is processed.
func (c *cluster) drain() {
	for _, w := range c.all() {
		for _, t := range w.all() {
			w.send(&control.WorkerEvent{Event: &control.WorkerEvent_Drained{Drained: &control.TaskDrained{Task: t}}})
		}
	}
}
