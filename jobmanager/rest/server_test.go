package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"goflink/conf"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newServer makes a server on a fake cluster whose clock stands still.
func newServer(t *testing.T, change func(*Options)) (*Server, *fakeCluster) {
	t.Helper()
	cluster := &fakeCluster{}
	dir := t.TempDir()
	for name, text := range map[string]string{"jobmanager.log": "first line\nsecond line\n", "jobmanager.out": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := Options{Cluster: cluster, LogDir: dir, LogFile: "jobmanager.log", StdoutFile: "jobmanager.out", Now: func() time.Time { return at(20000) },
		Config: conf.FromMap(map[string]string{"a.password": "hunter2", "rest.port": "8081"})}
	if change != nil {
		change(&o)
	}
	s := New(o)
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s, cluster
}

// call sends a request and returns the answer.
func call(t *testing.T, s *Server, method, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	return w
}

// answer sends a request and decodes its answer.
func answer[T any](t *testing.T, s *Server, method, path, body string, status int) T {
	t.Helper()
	w := call(t, s, method, path, body)
	if w.Code != status {
		t.Fatalf("%s %s: status %d, want %d: %s", method, path, w.Code, status, w.Body)
	}
	if ct := w.Header().Get("Content-Type"); ct != "application/json; charset=UTF-8" {
		t.Errorf("%s %s: content type %q", method, path, ct)
	}
	var v T
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, w.Body)
	}
	return v
}

// fieldsOf lists the fields of a JSON value with their types, ids replaced.
func fieldsOf(v any, path string, out map[string]string) {
	set := func(kind string) {
		if old := out[path]; path != "" && (old == "" || old == "null") {
			out[path] = kind
		}
	}
	switch x := v.(type) {
	case map[string]any:
		set("object")
		for k, sub := range x {
			if isHexID(k) {
				k = "<id>"
			}
			fieldsOf(sub, strings.TrimPrefix(path+"."+k, "."), out)
		}
	case []any:
		if path == "" {
			out["."] = "array"
		}
		set("array")
		for _, sub := range x {
			fieldsOf(sub, path+"[]", out)
		}
	case string:
		if x == "NaN" {
			set("number")
			return
		}
		set("string")
	case float64:
		set("number")
	case bool:
		set("bool")
	case nil:
		set("null")
	}
}

// TestFieldsAreFlinks compares the fields of answers and their types with those of a real cluster.
func TestFieldsAreFlinks(t *testing.T) {
	s, cluster := newServer(t, nil)
	const job, v1, v2 = "/jobs/" + jobID, "/jobs/" + jobID + "/vertices/" + vertex1, "/jobs/" + jobID + "/vertices/" + vertex2
	const trigger = "fdc9555a618b12307a5b0da4c0bed65d"
	for _, c := range []struct{ file, method, path, body string }{
		{"get-config", "GET", "/config", ""}, {"get-overview", "GET", "/overview", ""}, {"get-jobs", "GET", "/jobs", ""},
		{"get-jobs_overview", "GET", "/jobs/overview", ""}, {"get-jobs_jobid", "GET", job, ""}, {"get-jobs_jobid_plan", "GET", job + "/plan", ""},
		{"get-jobs_jobid_config", "GET", job + "/config", ""}, {"get-jobs_jobid_exceptions", "GET", job + "/exceptions", ""},
		{"get-jobs_jobid_accumulators", "GET", job + "/accumulators", ""}, {"get-checkpoints-after-restore", "GET", job + "/checkpoints", ""},
		{"get-jobs_jobid_checkpoints_config", "GET", job + "/checkpoints/config", ""}, {"get-jobs_jobid_status", "GET", job + "/status", ""},
		{"get-jobs_jobid_metrics", "GET", job + "/metrics", ""}, {"get-checkpoint-detail", "GET", job + "/checkpoints/details/11", ""},
		{"get-checkpoint-detail-vertex1", "GET", job + "/checkpoints/details/11/subtasks/" + vertex1, ""}, {"post-savepoints", "POST", job + "/savepoints", `{"target-directory":"/s","triggerId":"` + trigger + `"}`},
		{"get-savepoint-completed", "GET", job + "/savepoints/" + trigger, ""}, {"patch-cancel", "PATCH", job + "?mode=cancel", ""}, {"get-unknown-path", "GET", "/nonsense", ""},
		{"get-vertex1", "GET", v1, ""}, {"get-vertex1-backpressure", "GET", v1 + "/backpressure", ""}, {"get-vertex1-subtasktimes", "GET", v1 + "/subtasktimes", ""},
		{"get-vertex2-watermarks", "GET", v2 + "/watermarks", ""}, {"get-vertex1-accumulators", "GET", v1 + "/accumulators", ""},
		{"get-vertex1-subtasks_0", "GET", v1 + "/subtasks/0", ""}, {"get-vertex1-subtasks_0_attempts_0", "GET", v1 + "/subtasks/0/attempts/0", ""},
		{"get-vertex1-metrics-values", "GET", v1 + "/metrics?get=0.numRecordsIn,0.numRecordsOut", ""}, {"get-vertex1-flamegraph", "GET", v1 + "/flamegraph", ""},
		{"get-vertex1-subtasks_accumulators", "GET", v1 + "/subtasks/accumulators", ""}, {"get-vertex1-taskmanagers", "GET", v1 + "/taskmanagers", ""},
		{"get-taskmanagers", "GET", "/taskmanagers", ""}, {"get-taskmanager", "GET", "/taskmanagers/localhost:39091-f55ee6", ""},
		{"get-taskmanager_logs", "GET", "/taskmanagers/localhost:39091-f55ee6/logs", ""}, {"get-jobmanager_logs", "GET", "/jobmanager/logs", ""},
		{"get-jobmanager_environment", "GET", "/jobmanager/environment", ""}, {"get-jobmanager_config", "GET", "/jobmanager/config", ""},
		{"get-jobmanager_thread-dump", "GET", "/jobmanager/thread-dump", ""}, {"get-datasets", "GET", "/datasets", ""},
	} {
		t.Run(c.file, func(t *testing.T) {
			want, err := os.ReadFile(filepath.Join("testdata", "fields", c.file+".txt"))
			if err != nil {
				t.Fatal(err)
			}
			if c.file == "get-savepoint-completed" {
				s.ops.wg.Wait()
			}
			for _, prefix := range []string{"", "/v1"} {
				got := map[string]string{}
				w := call(t, s, c.method, prefix+c.path, c.body)
				var v any
				if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
					t.Fatalf("%v in %s", err, w.Body)
				}
				fieldsOf(v, "", got)
				compareFields(t, string(want), got)
			}
		})
	}
	if len(cluster.cancelled) != 2 {
		t.Errorf("cancelled %v", cluster.cancelled)
	}
}

// compareFields reports fields that are missing or too many; a null on either side goes with any type, and collections that
// are empty here (the program's, the JVM's) need no elements.
func compareFields(t *testing.T, want string, got map[string]string) {
	t.Helper()
	wanted := map[string]string{}
	for line := range strings.Lines(want) {
		path, kind, _ := strings.Cut(strings.TrimSpace(line), " ")
		wanted[path] = kind
	}
	for path, kind := range wanted {
		g, ok := got[path]
		if !ok && !strings.HasPrefix(path, "classpath[]") {
			t.Errorf("no field %s", path)
		} else if ok && g != kind && g != "null" && kind != "null" {
			t.Errorf("field %s is a %s, want %s", path, g, kind)
		}
	}
	for path := range got {
		if _, ok := wanted[path]; !ok {
			t.Errorf("field %s is not Flink's", path)
		}
	}
}

func TestValues(t *testing.T) {
	s, _ := newServer(t, nil)
	o := answer[OverviewAnswer](t, s, "GET", "/overview", "", 200)
	if o.TaskManagers != 1 || o.SlotsTotal != 2 || o.SlotsAvailable != 1 || o.JobsRunning != 1 || o.JobsFinished != 1 {
		t.Errorf("overview %+v", o)
	}
	j := answer[JobAnswer](t, s, "GET", "/jobs/"+jobID, "", 200)
	if j.Duration != 20000 || j.EndTime != -1 || j.StatusCounts.Running != 2 || j.Vertices[0].Metrics.WriteRecords != 165 || j.Vertices[0].Status != "RUNNING" || j.Vertices[0].Duration != 20000-285 {
		t.Errorf("job %+v", j)
	}
	v := answer[VertexAnswer](t, s, "GET", "/jobs/"+jobID+"/vertices/"+vertex1, "", 200)
	if d := v.Subtasks[0].StatusDuration; d["CREATED"] != 7 || d["SCHEDULED"] != 258 || d["DEPLOYING"] != 66 || d["INITIALIZING"] != 196 {
		t.Errorf("durations %v", d)
	}
	if v.Subtasks[0].Endpoint != "host1:33537" || v.Aggregated.Metrics["write-records"].Sum != 165 {
		t.Errorf("vertex %+v", v)
	}
	c := answer[CheckpointsAnswer](t, s, "GET", "/jobs/"+jobID+"/checkpoints", "", 200)
	if c.Counts.Total != 11 || c.Latest.Completed.State != 530 || c.Summary.State.P999 != 530 || c.Summary.Duration.Max != 48 || c.Latest.Restored.ID != 3 {
		t.Errorf("checkpoints %+v", c)
	}
	tm := answer[TaskManagersAnswer](t, s, "GET", "/taskmanagers", "", 200).TaskManagers[0]
	if tm.Total.TaskHeap != 383 || tm.Free.TaskHeap != 191 || tm.Total.Managed != 512 || tm.Free.Network != 64 || tm.Memory.Managed != 536870920 {
		t.Errorf("task manager %+v", tm)
	}
	env := answer[[]KeyValue](t, s, "GET", "/jobmanager/config", "", 200)
	if !slices.Equal(env, []KeyValue{{"a.password", "******"}, {"rest.port", "8081"}}) {
		t.Errorf("configuration %v", env)
	}
}

func TestVertexStates(t *testing.T) {
	for want, states := range map[string][]string{
		"FAILED": {"RUNNING", "FAILED"}, "CANCELING": {"RUNNING", "CANCELING", "CANCELED"}, "CANCELED": {"CANCELED", "FINISHED"}, "INITIALIZING": {"RUNNING", "INITIALIZING"},
		"RUNNING": {"FINISHED", "CREATED"}, "FINISHED": {"FINISHED", "FINISHED"}, "CREATED": {"CREATED", "SCHEDULED", "DEPLOYING"},
	} {
		var v Vertex
		for _, s := range states {
			v.Subtasks = append(v.Subtasks, Subtask{State: s})
		}
		if got := v.status(); got != want {
			t.Errorf("%v: %s, want %s", states, got, want)
		}
	}
}

func TestRefusals(t *testing.T) {
	s, _ := newServer(t, func(o *Options) { o.FromProxy = func(*http.Request) bool { return false } })
	const unknown = "00000000000000000000000000000000"
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/nonsense", "", 404, "Unable to load requested file /nonsense."},
		{"GET", "/jobs/" + unknown, "", 404, "Job " + unknown + " not found"},
		{"GET", "/jobs/nonsense", "", 400, `Cannot resolve path parameter (jobid) from value "nonsense".`},
		{"GET", "/jobs/" + jobID + "/vertices/" + unknown, "", 404, "JobVertex " + unknown + " not found"},
		{"GET", "/jobs/" + jobID + "/vertices/" + vertex1 + "/subtasks/7", "", 404, "Invalid subtask index"},
		{"GET", "/jobs/" + jobID + "/vertices/" + vertex1 + "/subtasks/0/attempts/3", "", 404, "Attempt 3"},
		{"GET", "/jobs/" + jobID + "/savepoints/" + unknown, "", 404, "There is no savepoint operation with triggerId=" + unknown + " for job " + jobID},
		{"GET", "/jobs/" + jobID + "/checkpoints/details/99", "", 404, "checkpoint 99"},
		{"POST", "/jobs/" + jobID + "/savepoints", "{", 400, "not the JSON"},
		{"POST", "/jobs/" + jobID + "/savepoints", `{"formatType":"X"}`, 400, "neither CANONICAL nor NATIVE"},
		{"POST", "/jobs/" + jobID + "/stop", `{"triggerId":"abc"}`, 400, "32 hexadecimal digits"},
		{"POST", "/jobs/" + unknown + "/stop", "", 404, "not found"},
		{"POST", "/jobs/" + jobID + "/checkpoints", `{"checkpointType":"INCREMENTAL"}`, 400, "incremental"},
		{"POST", "/savepoint-disposal", "{}", 400, "savepoint-path"},
		{"PATCH", "/jobs/" + jobID + "?mode=stop", "", 400, "POST /jobs/:jobid/stop"},
		{"PATCH", "/jobs/" + otherJob, "", 409, "cannot be cancelled"},
		{"PATCH", "/jobs/" + jobID + "/clientHeartbeat", "{}", 400, "expiredTimestamp"},
		{"PUT", "/jobs/" + jobID + "/stop", "{}", 403, "YARN's proxy"},
		{"PUT", "/jobs", "", 403, "YARN's proxy"},
		{"GET", "/jobs/" + jobID + "/yarn-cancel", "", 403, "YARN's proxy"},
		{"POST", "/jobs", "junk", 400, "not a JobGraph"},
		{"GET", "/taskmanagers/x", "", 404, "Could not find TaskExecutor with id x."},
		{"GET", "/taskmanagers/x/logs/..%2Fsecret", "", 404, "Unable to load"},
		{"GET", "/jobmanager/logs/..%2F..%2Fetc%2Fpasswd", "", 404, "Unable to load"},
		{"GET", "/jobmanager/logs/..", "", 404, ""},
		{"GET", "/jobmanager/logs/.hidden", "", 404, "no log file"},
		{"GET", "/jobmanager/logs/absent.log", "", 404, "no log file"},
		{"GET", "/programs/abc", "", 404, "takes no uploaded programs"},
		{"GET", "/jobs/" + jobID + "/vertices/" + vertex1 + "/subtasks/metrics?agg=median&get=x", "", 400, "Invalid aggregation"},
		{"GET", "/jobs/" + jobID + "/exceptions?maxExceptions=x", "", 400, "maxExceptions"},
	} {
		a := answer[ErrorAnswer](t, s, c.method, c.path, c.body, c.status)
		if all := strings.Join(a.Errors, "\n"); !strings.Contains(all, c.want) || strings.Contains(all, "org.apache") {
			t.Errorf("%s %s: %q, want %q", c.method, c.path, all, c.want)
		}
	}
}

func TestProxyTwins(t *testing.T) {
	s, cluster := newServer(t, nil)
	answer[Empty](t, s, "GET", "/jobs/"+jobID+"/yarn-cancel", "", 202)
	answer[Empty](t, s, "GET", "/jobs/"+jobID+"/yarn-stop", "", 202)
	answer[Empty](t, s, "PUT", "/jobs/"+jobID, "", 202)
	answer[TriggerAnswer](t, s, "PUT", "/jobs/"+jobID+"/stop", `{"targetDirectory":"/s","drain":true}`, 202)
	answer[Empty](t, s, "PUT", "/cluster", "", 200)
	answer[JobsAnswer](t, s, "GET", "//jobs", "", 200)
	s.ops.wg.Wait()
	if len(cluster.cancelled) != 3 || !cluster.shutdown || len(cluster.stops) != 1 || !cluster.stops[0].Drain || cluster.stops[0].Directory != "/s" {
		t.Errorf("cluster %+v", cluster)
	}
}

func TestOperations(t *testing.T) {
	s, cluster := newServer(t, nil)
	release := make(chan struct{})
	cluster.savepoint = func(ctx context.Context) (string, error) {
		select {
		case <-release:
			return "", errors.New("the folder hdfs:///s is full")
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	trigger := answer[TriggerAnswer](t, s, "POST", "/jobs/"+jobID+"/savepoints", "", 202).RequestID
	again := answer[TriggerAnswer](t, s, "POST", "/jobs/"+jobID+"/savepoints", `{"triggerId":"`+trigger+`"}`, 202).RequestID
	if !isHexID(trigger) || again != trigger {
		t.Errorf("triggers %q and %q", trigger, again)
	}
	path := "/jobs/" + jobID + "/savepoints/" + trigger
	if got := call(t, s, "GET", path, "").Body.String(); got != `{"status":{"id":"IN_PROGRESS"},"operation":null}`+"\n" {
		t.Errorf("under way: %s", got)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.AwaitResults(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("awaiting results: %v", err)
	}
	close(release)
	s.ops.wg.Wait()
	if a := answer[OperationAnswer](t, s, "GET", path, "", 200); a.Status.ID != "COMPLETED" || a.Operation.Failure.StackTrace != "the folder hdfs:///s is full" {
		t.Errorf("answer %+v", a)
	}
	if err := s.AwaitResults(context.Background()); err != nil {
		t.Errorf("all is fetched: %v", err)
	}
	cluster.savepoint = func(context.Context) (string, error) { panic("boom") }
	trigger = answer[TriggerAnswer](t, s, "POST", "/jobs/"+jobID+"/savepoints", "", 202).RequestID
	s.ops.wg.Wait()
	if a := answer[OperationAnswer](t, s, "GET", "/jobs/"+jobID+"/savepoints/"+trigger, "", 200); !strings.Contains(a.Operation.Failure.StackTrace, "boom") {
		t.Errorf("answer %+v", a)
	}
}

func TestCheckpointAndDisposal(t *testing.T) {
	s, cluster := newServer(t, nil)
	trigger := answer[TriggerAnswer](t, s, "POST", "/jobs/"+jobID+"/checkpoints", `{"checkpointType":"FULL"}`, 202).RequestID
	disposal := answer[TriggerAnswer](t, s, "POST", "/savepoint-disposal", `{"savepoint-path":"hdfs:///s/savepoint-1"}`, 200).RequestID
	s.ops.wg.Wait()
	if got := call(t, s, "GET", "/jobs/"+jobID+"/checkpoints/"+trigger, "").Body.String(); got != `{"status":{"id":"COMPLETED"},"operation":{"checkpointId":17}}`+"\n" {
		t.Errorf("checkpoint: %s", got)
	}
	if got := call(t, s, "GET", "/savepoint-disposal/"+disposal, "").Body.String(); got != `{"status":{"id":"COMPLETED"},"operation":{}}`+"\n" {
		t.Errorf("disposal: %s", got)
	}
	if cluster.disposed != "hdfs:///s/savepoint-1" {
		t.Errorf("disposed %q", cluster.disposed)
	}
}

func TestOutcomesExpire(t *testing.T) {
	now := at(0)
	o := newOperations(time.Minute, func() time.Time { return now }, Options{}.Log)
	key := opKey{"j", "savepoint", "t"}
	if err := o.start(key, func(context.Context) (OperationResult, error) { return OperationResult{Location: "x"}, nil }); err != nil {
		t.Fatal(err)
	}
	o.wg.Wait()
	if _, ok := o.answer(key); !ok {
		t.Error("the outcome is gone at once")
	}
	now = now.Add(2 * time.Minute)
	if _, ok := o.answer(key); ok {
		t.Error("the outcome is kept for ever")
	}
	o.close()
	if err := o.start(key, nil); statusOf(err) != 503 {
		t.Errorf("start after close: %v", err)
	}
}

func TestExceptionsAndResult(t *testing.T) {
	s, cluster := newServer(t, nil)
	cluster.failures = []Failure{{Name: "user panic", Message: "boom\nstack", At: at(5), Task: "Map (2/3)", Attempt: 4, TaskManager: "tm-1", Endpoint: "host1:1", Concurrent: []Failure{{Name: "cancelled", At: at(6)}}},
		{Name: "TaskManager lost", Message: "gone", At: at(1)}}
	e := answer[ExceptionsAnswer](t, s, "GET", "/jobs/"+jobID+"/exceptions?maxExceptions=1", "", 200)
	if *e.RootException != "boom\nstack" || len(e.History.Entries) != 1 || !e.History.Truncated || len(e.All) != 1 || e.All[0].Task != "Map (2/3)" || *e.History.Entries[0].Task != "Map (2/3) - execution #4" || len(e.History.Entries[0].Concurrent) != 1 {
		t.Errorf("exceptions %+v", e)
	}
	if r := answer[ResultAnswer](t, s, "GET", "/jobs/"+jobID+"/execution-result", "", 200); r.Status.ID != OperationInProgress || r.Result != nil {
		t.Errorf("result %+v", r)
	}
	cluster.result = &JobResult{State: "FAILED", NetRuntime: 3311 * time.Millisecond, Accumulators: []Accumulator{{"num", "int64", "3000"}}, Failure: &cluster.failures[0]}
	r := answer[ResultAnswer](t, s, "GET", "/jobs/"+jobID+"/execution-result", "", 200).Result
	if r.Status != ApplicationFailed || r.NetRuntime != 3311 || r.Accumulators["num"].Value != "3000" || r.Failure.StackTrace != "boom\nstack" {
		t.Errorf("result %+v", r)
	}
}

func TestMetricRequests(t *testing.T) {
	s, _ := newServer(t, nil)
	const v = "/jobs/" + jobID + "/vertices/" + vertex1
	for path, want := range map[string]string{
		v + "/metrics?get=0.numRecordsOut,1.numRecordsOut,x": `[{"id":"0.numRecordsOut","value":"165"},{"id":"1.numRecordsOut","value":"35"}]`,
		v + "/watermarks": `[{"id":"0.currentInputWatermark","value":"1795164335087"}]`,
		v + "/subtasks/1/metrics?get=numRecordsOut":                             `[{"id":"numRecordsOut","value":"35"}]`,
		v + "/subtasks/metrics?get=numRecordsOut":                               `[{"id":"numRecordsOut","min":35,"max":165,"avg":100,"sum":200,"skew":65}]`,
		v + "/subtasks/metrics?get=numRecordsOut&agg=sum&subtasks=1":            `[{"id":"numRecordsOut","sum":35}]`,
		v + "/jm-operator-metrics?get=pendingRecords":                           `[{"id":"pendingRecords","value":"9"}]`,
		"/jobs/metrics?get=uptime&agg=max&jobs=" + jobID:                        `[{"id":"uptime","max":5}]`,
		"/taskmanagers/metrics?get=Status.JVM.CPU.Load&agg=avg":                 `[{"id":"Status.JVM.CPU.Load","avg":0.03}]`,
		"/taskmanagers/localhost:39091-f55ee6/metrics":                          `[{"id":"Status.JVM.CPU.Load"}]`,
		"/jobmanager/metrics?get=taskSlotsTotal":                                `[{"id":"taskSlotsTotal","value":"2"}]`,
		"/jobs/" + jobID + "/metrics?get=numRestarts":                           `[{"id":"numRestarts","value":"0"}]`,
		"/taskmanagers/metrics":                                                 `[{"id":"Status.JVM.CPU.Load"}]`,
		"/jobs/" + jobID + "/vertices/" + vertex1 + "/subtasks/metrics?agg=min": `[{"id":"backPressuredTimeMsPerSecond"},{"id":"busyTimeMsPerSecond"},{"id":"currentInputWatermark"},{"id":"numRecordsIn"},{"id":"numRecordsOut"}]`,
	} {
		if got := strings.TrimSpace(call(t, s, "GET", path, "").Body.String()); got != want {
			t.Errorf("%s:\n got %s\nwant %s", path, got, want)
		}
	}
}

func TestLogsAndPage(t *testing.T) {
	s, _ := newServer(t, nil)
	for path, want := range map[string]string{
		"/jobmanager/log": "first line\nsecond line\n", "/jobmanager/logs/jobmanager.log": "first line\nsecond line\n", "/jobmanager/stdout": "",
		"/taskmanagers/tm-1/log": "lines of tm-1",
	} {
		w := call(t, s, "GET", path, "")
		if w.Code != 200 || w.Body.String() != want || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
			t.Errorf("%s: %d %q", path, w.Code, w.Body)
		}
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/jobmanager/log", nil)
	r.Header.Set("Range", "bytes=-12")
	if s.ServeHTTP(w, r); w.Code != 206 || w.Body.String() != "second line\n" {
		t.Errorf("tail: %d %q", w.Code, w.Body)
	}
	w = call(t, s, "GET", "/", "")
	if w.Code != 200 || !strings.Contains(w.Header().Get("Content-Type"), "text/html") || w.Header().Get("Content-Security-Policy") == "" {
		t.Errorf("page: %d %v", w.Code, w.Header())
	}
	if page := w.Body.String(); strings.Contains(page, `="/`) || strings.Contains(page, "//") && strings.Contains(page, "https://") {
		t.Error("the page has links that a proxy breaks")
	}
	if d := answer[ThreadDumpAnswer](t, s, "GET", "/taskmanagers/tm-1/thread-dump", "", 200); len(d.Threads) == 0 || !strings.HasPrefix(d.Threads[0].Name, "goroutine ") {
		t.Errorf("threads %+v", d)
	}
}

func TestAuthenticator(t *testing.T) {
	s, _ := newServer(t, func(o *Options) {
		o.Authenticate = func(r *http.Request) error {
			if r.Header.Get("Authorization") != "secret" {
				return errors.New("the token is missing")
			}
			return nil
		}
	})
	if a := answer[ErrorAnswer](t, s, "GET", "/overview", "", 401); a.Errors[0] != "not authenticated: the token is missing" {
		t.Errorf("answer %v", a)
	}
	r := httptest.NewRequest("GET", "/overview", nil)
	r.Header.Set("Authorization", "secret")
	w := httptest.NewRecorder()
	if s.ServeHTTP(w, r); w.Code != 200 {
		t.Errorf("status %d", w.Code)
	}
}

func TestBodiesAreBounded(t *testing.T) {
	s, _ := newServer(t, func(o *Options) { o.Config = conf.FromMap(map[string]string{"rest.server.max-content-length": "100"}) })
	big := `{"target-directory":"` + strings.Repeat("x", 200) + `"}`
	answer[ErrorAnswer](t, s, "POST", "/jobs/"+jobID+"/savepoints", big, 413)
	answer[ErrorAnswer](t, s, "POST", "/jobs", big, 413)
}

func TestServeAndListen(t *testing.T) {
	s, cluster := newServer(t, nil)
	cluster.savepoint = func(ctx context.Context) (string, error) { <-ctx.Done(); return "", ctx.Err() }
	c := conf.FromMap(map[string]string{"rest.bind-address": "127.0.0.1"})
	l, err := Listen(context.Background(), c, true)
	if err != nil {
		t.Fatal(err)
	}
	s.Serve(l)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Post("http://"+l.Addr().String()+"/v1/jobs/"+jobID+"/savepoints", "application/json", bytes.NewReader(nil))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 202 {
		t.Errorf("status %d, %v", resp.StatusCode, err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	taken := conf.FromMap(map[string]string{"rest.bind-address": "127.0.0.1", "rest.bind-port": fmt.Sprint(port)})
	if _, err := Listen(context.Background(), taken, true); err == nil || !strings.Contains(err.Error(), "rest.bind-port") {
		t.Errorf("listening on a port in use: %v", err)
	}
	// Close must end the savepoint that waits for ever; Cleanup calls it, and goleak looks.
}
