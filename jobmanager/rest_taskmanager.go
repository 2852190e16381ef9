package jobmanager

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"strconv"

	"goflink/conf"
	"goflink/control"
	"goflink/jobmanager/rest"
	"goflink/jobmanager/slots"
)

// TaskManagers are the registered ones.
func (r *restCluster) TaskManagers(ctx context.Context) ([]rest.TaskManager, error) {
	return ask(ctx, r.jm.loop, func() []rest.TaskManager {
		var out []rest.TaskManager
		for _, p := range r.jm.pool.TaskManagers() {
			if t := r.jm.tms[p.ID]; t != nil {
				out = append(out, r.jm.show(t, p))
			}
		}
		return out
	})
}

// planOf is the memory plan that a TaskManager told.
func planOf(reg *control.RegisterTaskManager) conf.TaskManagerPlan {
	m := reg.GetMemory()
	return conf.TaskManagerPlan{Process: conf.Size(m.GetTotalProcess()), Flink: conf.Size(m.GetTotalFlink()),
		FrameworkHeap: conf.Size(m.GetFrameworkHeap()), TaskHeap: conf.Size(m.GetTaskHeap()), FrameworkOffHeap: conf.Size(m.GetFrameworkOffHeap()),
		TaskOffHeap: conf.Size(m.GetTaskOffHeap()), Network: conf.Size(m.GetNetwork()), Managed: conf.Size(m.GetManaged()),
		Metaspace: conf.Size(m.GetMetaspace()), Overhead: conf.Size(m.GetOverhead()), Slots: int(reg.GetSlots())}
}

func (jm *JobManager) show(t *taskManager, p *slots.TaskManager) rest.TaskManager {
	plan, cores := planOf(t.reg), float64(t.reg.CpuCores)
	out := rest.TaskManager{ID: t.id, Path: fmt.Sprintf("%s:%d", t.reg.Host, t.reg.DataPort), DataPort: int(t.reg.DataPort), LastHeartbeat: t.since,
		Slots: len(p.Slots), FreeSlots: p.Free(), Total: rest.ResourceOf(plan, plan.Slots, cores), Free: rest.ResourceOf(plan, p.Free(), cores),
		Hardware: rest.Hardware{CPUCores: int(t.reg.CpuCores), Physical: t.reg.PhysicalMemory, Free: int64(plan.FrameworkHeap + plan.TaskHeap), Managed: int64(plan.Managed)},
		Memory:   rest.MemoryOf(plan)}
	if t.conn != nil {
		out.LastHeartbeat = t.conn.heard()
	}
	for _, h := range p.Slots {
		if h.Job != "" {
			out.Allocated = append(out.Allocated, rest.AllocatedSlot{JobID: h.Job, Resource: rest.ResourceOf(plan, 1, cores)})
		}
	}
	f := func(name string) int64 { return number(t.metrics, name) }
	out.Metrics = rest.TaskManagerMetrics{HeapUsed: f("Status.JVM.Memory.Heap.Used"), HeapCommitted: f("Status.JVM.Memory.Heap.Committed"),
		HeapMax:    f("Status.JVM.Memory.Heap.Max"),
		Collectors: []rest.GarbageCollector{{Name: "All", Count: f("Status.JVM.GarbageCollector.All.Count"), Time: f("Status.JVM.GarbageCollector.All.Time")}}}
	total := f("Status.Shuffle.Netty.TotalMemorySegments")
	out.Metrics.SetBuffers(total, f("Status.Shuffle.Netty.UsedMemorySegments"), int64(conf.TaskManagerSegmentSize.Get(jm.o.Conf)))
	return out
}

// TaskManagerMetrics are the figures of a TaskManager.
func (r *restCluster) TaskManagerMetrics(ctx context.Context, id string) (map[string]string, error) {
	out, err := ask(ctx, r.jm.loop, func() map[string]string {
		t := r.jm.tms[id]
		if t == nil {
			return nil
		}
		m := map[string]string{"rssBytes": strconv.FormatInt(t.rss, 10)}
		maps.Copy(m, t.metrics)
		return m
	})
	if err == nil && out == nil {
		return nil, noTaskManager(id)
	}
	return out, err
}

func noTaskManager(id string) error { return rest.NotFound("TaskExecutor %s not found", id) }

// JobManagerMetrics are the figures of this process and its cluster.
func (r *restCluster) JobManagerMetrics(ctx context.Context) (map[string]string, error) {
	cluster, err := ask(ctx, r.jm.loop, func() map[string]int {
		total, free := r.jm.pool.Total()
		return map[string]int{"numRunningJobs": len(r.jm.jobs), "numRegisteredTaskManagers": len(r.jm.tms), "taskSlotsTotal": total, "taskSlotsAvailable": free}
	})
	if err != nil {
		return nil, err
	}
	out := r.jm.metrics.Process().Snapshot()
	for k, v := range cluster {
		out[k] = strconv.Itoa(v)
	}
	return out, nil
}

// logRequest waits for the answers of a TaskManager.
type logRequest struct {
	replies chan *control.LogReply
	err     chan error
}

func (l *logRequest) fail(err error) {
	select {
	case l.err <- err:
	default:
	}
}

func (t *taskManager) logReply(r *control.LogReply) {
	l := t.logs[r.GetRequestId()]
	if l == nil {
		return
	}
	select {
	case l.replies <- r:
	default: // more than was asked for
	}
	if r.GetLast() || r.GetError() != "" {
		delete(t.logs, r.GetRequestId())
	}
}

// logChunk is how much of a log file is asked for at once.
const logChunk = 256 << 10

// askLog sends one request and gathers the answer.
func (r *restCluster) askLog(ctx context.Context, id string, q *control.LogRequest) (*control.LogReply, error) {
	l := &logRequest{replies: make(chan *control.LogReply, 64), err: make(chan error, 1)}
	sent, err := ask(ctx, r.jm.loop, func() error {
		t := r.jm.tms[id]
		if t == nil {
			return noTaskManager(id)
		}
		if t.conn == nil {
			return rest.Unavailable("TaskManager %s is not connected", id)
		}
		t.nextLog++
		q.RequestId = strconv.Itoa(t.nextLog)
		t.logs[q.RequestId] = l
		t.conn.send(&control.TaskManagerCommand{Command: &control.TaskManagerCommand_LogRequest{LogRequest: q}})
		return nil
	})
	if err != nil || sent != nil {
		if err == nil {
			err = sent
		}
		return nil, err
	}
	defer r.jm.loop.post(func() {
		if t := r.jm.tms[id]; t != nil {
			delete(t.logs, q.RequestId)
		}
	})
	return gather(ctx, l)
}

func gather(ctx context.Context, l *logRequest) (*control.LogReply, error) {
	all := &control.LogReply{}
	for {
		select {
		case p := <-l.replies:
			if p.GetError() != "" {
				return nil, rest.NotFound("%s", p.GetError())
			}
			all.Files = append(all.Files, p.Files...)
			all.Data = append(all.Data, p.Data...)
			if p.GetLast() || len(all.Data) >= logChunk {
				return all, nil
			}
		case err := <-l.err:
			return nil, rest.Unavailable("%v", err)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// TaskManagerLogs lists the log files of a TaskManager.
func (r *restCluster) TaskManagerLogs(ctx context.Context, id string) ([]rest.LogFile, error) {
	a, err := r.askLog(ctx, id, &control.LogRequest{})
	if err != nil {
		return nil, err
	}
	var out []rest.LogFile
	for _, f := range a.Files {
		out = append(out, rest.LogFile{Name: f.Name, Size: f.Size, Modified: f.MtimeMs})
	}
	return out, nil
}

// TaskManagerLog opens a log file.
func (r *restCluster) TaskManagerLog(ctx context.Context, id, name string) (io.ReadCloser, error) {
	a, err := r.askLog(ctx, id, &control.LogRequest{Name: name, Limit: logChunk})
	if err != nil {
		return nil, err
	}
	return &logReader{ctx: ctx, r: r, id: id, name: name, offset: int64(len(a.Data)), buf: bytes.NewReader(a.Data), full: len(a.Data) >= logChunk}, nil
}

// logReader reads a log file piece by piece.
type logReader struct {
	ctx      context.Context
	r        *restCluster
	id, name string
	offset   int64
	buf      *bytes.Reader
	full     bool // the last piece was as large as asked for: there may be more
}

// Read implements io.Reader.
func (l *logReader) Read(p []byte) (int, error) {
	for l.buf.Len() == 0 {
		if !l.full {
			return 0, io.EOF
		}
		a, err := l.r.askLog(l.ctx, l.id, &control.LogRequest{Name: l.name, Offset: l.offset, Limit: logChunk})
		if err != nil {
			return 0, err
		}
		l.offset += int64(len(a.Data))
		l.full = len(a.Data) >= logChunk
		l.buf.Reset(a.Data)
	}
	return l.buf.Read(p)
}

// Close implements io.Closer.
func (l *logReader) Close() error { return nil }

// GoroutinesName is the name under which a TaskManager answers a LogRequest
// with the stacks of its goroutines. No file can have it.
const GoroutinesName = "/goroutines"

// maxGoroutines bounds what is shown of a TaskManager's stacks.
const maxGoroutines = 16 << 20

// TaskManagerThreads are the goroutines of a TaskManager.
func (r *restCluster) TaskManagerThreads(ctx context.Context, id string) (string, error) {
	f, err := r.TaskManagerLog(ctx, id, GoroutinesName)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxGoroutines))
	return string(text), err
}

// hostname is the value of <host> in metric scopes.
func hostname() string {
	h, err := os.Hostname()
	if err != nil {
		return "localhost"
	}
	return h
}
