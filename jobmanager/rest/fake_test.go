package rest

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"strings"
	"sync"
	"time"

	"goflink/conf"
	"goflink/graph"
)

const (
	jobID    = "7d3f76bd584e0584db4c89ec072bbdd7"
	otherJob = "cb51659da4f4fd573fa08a5f1e0806ba"
	vertex1  = "cbc357ccb763df2852fee8c4fc7d55f2"
	vertex2  = "90bea66de1c231edf33913ecd54406c1"
)

// at is a time of the fake job's life, in milliseconds after its start.
func at(ms int64) time.Time { return time.UnixMilli(1795164318291 + ms) }

// fakeCluster is a cluster with one running job and one that has ended.
type fakeCluster struct {
	mu        sync.Mutex
	cancelled []string
	stops     []StopOptions
	expires   time.Time
	submitted []*graph.JobGraph
	shutdown  bool
	disposed  string
	// savepoint is called by Savepoint and Stop; nil answers with a path at once.
	savepoint func(ctx context.Context) (string, error)
	failures  []Failure
	result    *JobResult
	bounds    map[string]ParallelismBounds
}

func (f *fakeCluster) Slots(context.Context) (SlotOverview, error) {
	return SlotOverview{TaskManagers: 1, Slots: 2, FreeSlots: 1}, nil
}

func (f *fakeCluster) Shutdown(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.shutdown = true
	return nil
}

func (f *fakeCluster) JobSummaries(context.Context) ([]JobSummary, error) {
	return []JobSummary{
		{ID: jobID, Name: "CarTopSpeedWindowingExample", State: "RUNNING", Start: at(0), LastModified: at(765), Tasks: map[string]int{"RUNNING": 2}},
		{ID: otherJob, Name: "WordCount", State: "FINISHED", Start: at(-9000), End: at(-6000), LastModified: at(-6000), Tasks: map[string]int{"FINISHED": 2}},
	}, nil
}

func fakeSubtask(state string) Subtask {
	return Subtask{State: state, TaskManager: "tm-1", Host: "host1", DataPort: 33537,
		Entered: map[string]time.Time{"CREATED": at(20), "SCHEDULED": at(27), "DEPLOYING": at(285), "INITIALIZING": at(351), "RUNNING": at(547)},
		IO:      SubtaskIO{Complete: true, WriteBytes: 6412, WriteRecords: 165, IdleMs: 16111, BusyMs: 313, Idle: 0.98, Busy: 0.02}}
}

const fakePlan = `{"jid":"` + jobID + `","name":"CarTopSpeedWindowingExample","type":"STREAMING","nodes":[
	{"id":"` + vertex2 + `","parallelism":1,"operator":"","operator_strategy":"","description":"Window<br/>+- Sink<br/>",
	"inputs":[{"num":0,"id":"` + vertex1 + `","ship_strategy":"HASH","exchange":"pipelined_bounded"}],"optimizer_properties":{}}]}`

func (f *fakeCluster) Job(_ context.Context, id string) (*Job, error) {
	if id != jobID {
		return nil, JobNotFound(id)
	}
	all, err := f.JobSummaries(context.Background())
	return &Job{
		JobSummary: all[0], MaxParallelism: -1, Plan: json.RawMessage(fakePlan), Failures: f.failures,
		Entered: map[string]time.Time{"INITIALIZING": at(0), "CREATED": at(6), "RUNNING": at(26)},
		Vertices: []Vertex{
			{ID: vertex1, Name: "Source: cars -> Timestamps/Watermarks", SlotSharingGroup: "default", Parallelism: 1, MaxParallelism: 128, Subtasks: []Subtask{fakeSubtask("RUNNING")}},
			{ID: vertex2, Name: "GlobalWindows -> Sink: Print", SlotSharingGroup: "default", Parallelism: 1, MaxParallelism: 128, Subtasks: []Subtask{fakeSubtask("RUNNING")}},
		},
		Settings: JobSettings{RestartStrategy: "exponential delay", Parallelism: 1},
	}, err
}

func (f *fakeCluster) JobResult(_ context.Context, id string) (*JobResult, error) {
	if id != jobID {
		return nil, JobNotFound(id)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.result, nil
}

func (f *fakeCluster) ResourceRequirements(_ context.Context, id string) (map[string]ParallelismBounds, error) {
	if id != jobID {
		return nil, JobNotFound(id)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.bounds == nil {
		return map[string]ParallelismBounds{vertex1: {1, 4}, vertex2: {1, 1}}, nil
	}
	return f.bounds, nil
}

func (f *fakeCluster) UpdateResourceRequirements(_ context.Context, id string, bounds map[string]ParallelismBounds) error {
	if id != jobID {
		return JobNotFound(id)
	}
	if len(bounds) != 2 {
		return BadRequest("The request is incomplete, missing job vertex [%s] resource requirements.", vertex2)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bounds = bounds
	return nil
}

func (f *fakeCluster) Cancel(_ context.Context, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if id == otherJob {
		return Conflict("Job %s cannot be cancelled: it is FINISHED.", id)
	}
	f.cancelled = append(f.cancelled, id)
	return nil
}

func (f *fakeCluster) Savepoint(ctx context.Context, id string, o SavepointOptions) (string, error) {
	if f.savepoint != nil {
		return f.savepoint(ctx)
	}
	return o.Directory + "/savepoint-" + id[:6] + "-503d03b5b484", nil
}

func (f *fakeCluster) Stop(ctx context.Context, id string, o StopOptions) (string, error) {
	f.mu.Lock()
	f.stops = append(f.stops, o)
	f.mu.Unlock()
	return f.Savepoint(ctx, id, SavepointOptions{Directory: o.Directory})
}

func (f *fakeCluster) Checkpoint(context.Context, string, CheckpointKind) (int64, error) {
	return 17, nil
}

func (f *fakeCluster) DisposeSavepoint(_ context.Context, path string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.disposed = path
	return nil
}

func (f *fakeCluster) ClientHeartbeat(_ context.Context, _ string, expires time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expires = expires
	return nil
}

func (f *fakeCluster) Submit(_ context.Context, g *graph.JobGraph) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.submitted = append(f.submitted, g)
	return g.GetJobId(), nil
}

func fakeCheckpoint(id int64) CheckpointRecord {
	r := CheckpointRecord{ID: id, Status: CheckpointCompleted, Type: "CHECKPOINT", Triggered: at(10000), Acknowledged: at(10048), Path: "hdfs:///c/chk-11", Subtasks: 2, Acks: 2}
	for _, v := range []string{vertex1, vertex2} {
		s := SubtaskCheckpoint{Acknowledged: at(10022), Figures: CheckpointFigures{Written: 265, State: 265}, Async: time.Millisecond, StartDelay: 7 * time.Millisecond}
		r.Figures.add(s.Figures)
		r.Vertices = append(r.Vertices, VertexCheckpoint{ID: v, Parallelism: 1, Subtasks: []SubtaskCheckpoint{s}})
	}
	return r
}

func (f *fakeCluster) Checkpoints(_ context.Context, id string) (*CheckpointHistory, error) {
	if id != jobID {
		return nil, JobNotFound(id)
	}
	r := fakeCheckpoint(11)
	return &CheckpointHistory{Completed: 11, Restored: 1, Records: []CheckpointRecord{r}, LatestCompleted: &r,
		LatestRestored: &CheckpointRestore{ID: 3, At: at(1), Savepoint: true, Path: "hdfs:///s"}}, nil
}

func (f *fakeCluster) CheckpointSettings(context.Context, string) (CheckpointSettings, error) {
	return CheckpointSettings{Enabled: true, ExactlyOnce: true, Interval: 2 * time.Second, Timeout: 10 * time.Minute, MaxConcurrent: 1, DeleteOnCancel: true,
		Pebble: true, FileSystem: true, AfterTasksFinish: true}, nil
}

func (f *fakeCluster) TaskManagers(context.Context) ([]TaskManager, error) {
	p, err := conf.TaskManagerMemory(conf.FromMap(map[string]string{"taskmanager.memory.process.size": "1728m", "taskmanager.numberOfTaskSlots": "2"}))
	t := TaskManager{ID: "localhost:39091-f55ee6", Path: "grpc://localhost:39091", DataPort: 33537, LastHeartbeat: at(17000), Slots: 2, FreeSlots: 1,
		Total: ResourceOf(p, 2, 2), Free: ResourceOf(p, 1, 2), Hardware: Hardware{CPUCores: 2, Physical: 1 << 34, Free: 1 << 29, Managed: int64(p.Managed)},
		Memory: MemoryOf(p), Allocated: []AllocatedSlot{{JobID: jobID, Resource: ResourceOf(p, 1, 2)}},
		Metrics: TaskManagerMetrics{Collectors: []GarbageCollector{{Name: "All", Count: 6, Time: 1}}}}
	t.Metrics.SetBuffers(4096, 3, 32<<10)
	return []TaskManager{t}, err
}

func (f *fakeCluster) TaskManagerLogs(_ context.Context, id string) ([]LogFile, error) {
	return []LogFile{{Name: TaskManagerLogName, Size: 5, Modified: 1}}, nil
}

func (f *fakeCluster) TaskManagerLog(_ context.Context, id, name string) (io.ReadCloser, error) {
	if name != TaskManagerLogName {
		return nil, NotFound("no log file %s", name)
	}
	return io.NopCloser(strings.NewReader("lines of " + id)), nil
}

func (f *fakeCluster) TaskManagerThreads(context.Context, string) (string, error) {
	return Goroutines(), nil
}

func (f *fakeCluster) JobManagerMetrics(context.Context) (map[string]string, error) {
	return map[string]string{"taskSlotsTotal": "2"}, nil
}

func (f *fakeCluster) JobMetrics(_ context.Context, id string) (map[string]string, error) {
	return map[string]string{"numRestarts": "0", "uptime": "5", vertex1 + ".pendingRecords": "9"}, nil
}

func (f *fakeCluster) TaskMetrics(_ context.Context, _, vertex string) (map[int]map[string]string, error) {
	m := map[string]string{"numRecordsIn": "0", "numRecordsOut": "165", "busyTimeMsPerSecond": "0.0", "backPressuredTimeMsPerSecond": "0.0", "currentInputWatermark": "1795164335087"}
	second := maps.Clone(m)
	second["numRecordsOut"] = "35"
	second["currentInputWatermark"] = "-9223372036854775808"
	return map[int]map[string]string{0: m, 1: second}, nil
}

func (f *fakeCluster) TaskManagerMetrics(context.Context, string) (map[string]string, error) {
	return map[string]string{"Status.JVM.CPU.Load": "0.03"}, nil
}
