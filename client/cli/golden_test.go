package cli

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"goflink/control"
	"goflink/graph"
	"goflink/jobmanager/rest"
)

// jobMarker makes this test binary a job binary.
var jobMarker = control.MarkerHead + control.MarkerTail

// TestMain plays a job binary in the plan role, and the ApplicationMaster that
// YARN starts.
func TestMain(m *testing.M) {
	if os.Getenv(control.EnvRole) == control.RolePlan {
		os.Exit(playJob())
	}
	if len(os.Args) > 1 && os.Args[1] == "yarn-appmaster" {
		if err := playMaster(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if len(jobMarker) == 0 {
		panic("no marker")
	}
	// Under the race detector each process would wait a second at its end.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// playJob prints what GREETING says and hands over a small graph.
func playJob() int {
	fd, _ := strconv.Atoi(os.Getenv(control.EnvResultFD))
	out := os.NewFile(uintptr(fd), "result")
	if len(os.Args) > 1 && os.Args[1] == "fail" {
		fmt.Fprintln(out, "job.go:12: Map has no function\ngoroutine 1\nmain.build()\n\tjob.go:12")
		return 1
	}
	fmt.Print(os.Getenv("GREETING"))
	id := strings.Repeat("ab", 16)
	data, _ := proto.Marshal(&graph.JobGraph{Version: graph.Version, Name: "WordCount", MaxParallelism: 128, Protocol: control.ProtocolVersion, Vertices: []*graph.Vertex{{
		Id: id, Name: "Source: words", Parallelism: 1, MaxParallelism: 128, SlotSharingGroup: "default", Source: true,
		Operators: []*graph.Operator{{Id: id, Kind: "source", Name: "Source: words"}},
	}}})
	if _, err := out.Write(data); err != nil {
		return 3
	}
	return 0
}

// oracle is a JobManager that answers what a recorded session wants to hear.
// The requests it does not expect are those of the embedded nil interface.
type oracle struct {
	rest.Cluster
	wanted string // the recorded output
	mu     struct {
		sync.Mutex
		calls  []string
		graphs []*graph.JobGraph
		result *rest.JobResult
		err    error
	}
}

func (o *oracle) called(format string, args ...any) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mu.calls = append(o.mu.calls, fmt.Sprintf(format, args...))
	return o.mu.err
}

// find returns the first group of pattern in the recorded output.
func (o *oracle) find(pattern string) string {
	if m := regexp.MustCompile(pattern).FindStringSubmatch(o.wanted); m != nil {
		return m[1]
	}
	return ""
}

var jobLinePattern = regexp.MustCompile(`(?m)^(\d\d\.\d\d\.\d{4} \d\d:\d\d:\d\d) : ([0-9a-f]{32}) : (.*) \((\w+)\)$`)

func (o *oracle) JobSummaries(context.Context) ([]rest.JobSummary, error) {
	err := o.called("jobs")
	var out []rest.JobSummary
	for _, m := range jobLinePattern.FindAllStringSubmatch(o.wanted, -1) {
		start, err := time.ParseInLocation("02.01.2006 15:04:05", m[1], time.Local)
		if err != nil {
			return nil, err
		}
		out = append([]rest.JobSummary{{ID: m[2], Name: m[3], State: m[4], Start: start}}, out...)
	}
	return out, err
}

func (o *oracle) Job(_ context.Context, id string) (*rest.Job, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return &rest.Job{JobSummary: rest.JobSummary{ID: id}}, o.mu.err
}

func (o *oracle) Submit(_ context.Context, g *graph.JobGraph) (string, error) {
	o.mu.Lock()
	o.mu.graphs = append(o.mu.graphs, g)
	o.mu.Unlock()
	return g.JobId, o.called("submit %s", g.Name)
}

func (o *oracle) JobResult(_ context.Context, id string) (*rest.JobResult, error) {
	o.mu.Lock()
	result := o.mu.result
	o.mu.Unlock()
	if result != nil {
		return result, nil
	}
	ms, _ := strconv.Atoi(o.find(`Job Runtime: (\d+) ms`))
	r := &rest.JobResult{State: "FINISHED", NetRuntime: time.Duration(ms) * time.Millisecond}
	for _, m := range regexp.MustCompile(`(?m)^- (\S+) \((\S+)\): (.*)$`).FindAllStringSubmatch(o.wanted, -1) {
		r.Accumulators = append(r.Accumulators, rest.Accumulator{Name: m[1], Type: m[2], Value: m[3]})
	}
	return r, nil
}

func (o *oracle) Cancel(_ context.Context, id string) error { return o.called("cancel %s", id) }

func (o *oracle) path() string {
	return o.find(`(?:Savepoint completed. Path: |Savepoint stored in )(\S+?)\.?\n`)
}

func (o *oracle) Savepoint(_ context.Context, id string, s rest.SavepointOptions) (string, error) {
	return o.path(), o.called("savepoint %s %+v", id, s)
}

func (o *oracle) Stop(_ context.Context, id string, s rest.StopOptions) (string, error) {
	return o.path(), o.called("stop %s %+v", id, s)
}

func (o *oracle) Checkpoint(_ context.Context, id string, kind rest.CheckpointKind) (int64, error) {
	n, _ := strconv.ParseInt(o.find(`Checkpoint\S* (\d+) for job`), 10, 64)
	return n, o.called("checkpoint %s %s", id, kind)
}

func (o *oracle) DisposeSavepoint(_ context.Context, path string) error {
	return o.called("dispose %s", path)
}

func (o *oracle) ClientHeartbeat(context.Context, string, time.Time) error {
	return o.called("heartbeat")
}

// serve starts the oracle's REST server and a terminal that speaks to it.
func (o *oracle) serve(t *testing.T) *bench {
	t.Helper()
	programs, err := rest.NewProgramDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := rest.New(rest.Options{Cluster: o, Programs: programs, Log: slog.New(slog.DiscardHandler)})
	server := httptest.NewServer(s)
	t.Cleanup(func() {
		server.Close()
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	host, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return newBench(t, fmt.Sprintf("rest.address: %s\nrest.port: %s\n", host, port))
}

var (
	anyID      = regexp.MustCompile(`(JobID |triggerId: )[0-9a-f]{32}`)
	greetingRE = regexp.MustCompile(`(?s)^(.*?)Job has been submitted`)
)

// TestGolden runs recorded command lines of a real Flink; what is printed has
// to be the same, up to ids that are chosen anew.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/golden/*.txt")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			line, rest, _ := strings.Cut(strings.TrimPrefix(string(data), "$ flink "), "\n")
			code, want, _ := strings.Cut(strings.TrimPrefix(rest, "# exit code "), "\n")
			o := &oracle{wanted: want}
			b := o.serve(t)
			if m := greetingRE.FindStringSubmatch(want); m != nil {
				t.Setenv("GREETING", m[1])
			}
			r, w, err := os.Pipe() // the program writes to it directly
			if err != nil {
				t.Fatal(err)
			}
			var got []byte
			var reader sync.WaitGroup
			reader.Go(func() { got, _ = io.ReadAll(r) })
			b.env.Stdout = w
			exit := b.main(strings.ReplaceAll(line, "JOB", exe))
			w.Close()
			reader.Wait()
			if strconv.Itoa(exit) != code {
				t.Errorf("exit code %d, want %s; stderr %s", exit, code, b.err)
			}
			if g, w := anyID.ReplaceAllString(string(got), "$1ID"), anyID.ReplaceAllString(want, "$1ID"); strings.TrimRight(g, "\n") != strings.TrimRight(w, "\n") {
				t.Errorf("printed\n%s\nwant\n%s\nstderr %s", g, w, b.err)
			}
		})
	}
}

// TestWhatIsAsked: the options of the job commands, as the JobManager hears
// them.
func TestWhatIsAsked(t *testing.T) {
	const id = "1b246b531512ea54ebf8faa430f0a3c2"
	for line, want := range map[string]string{
		"stop -d -p /sp " + id:                  "stop " + id + " {Directory:/sp Native:false Drain:true}",
		"stop -type native " + id:               "stop " + id + " {Directory: Native:true Drain:false}",
		"savepoint " + id + " /sp -type NATIVE": "savepoint " + id + " {Directory:/sp Cancel:false Native:true}",
		"cancel -s /sp " + id:                   "savepoint " + id + " {Directory:/sp Cancel:true Native:false}",
		"cancel " + strings.ToUpper(id):         "cancel " + id,
		"checkpoint -full " + id:                "checkpoint " + id + " FULL",
		"savepoint -d file:///sp":               "dispose file:///sp",
	} {
		o := &oracle{wanted: "Savepoint completed. Path: /sp/x\n"}
		b := o.serve(t)
		if code := b.main(line); code != 0 {
			t.Errorf("%s: exit code %d: %s", line, code, b.err)
		}
		o.mu.Lock()
		if len(o.mu.calls) != 1 || o.mu.calls[0] != want {
			t.Errorf("%s: asked %q, want %q", line, o.mu.calls, want)
		}
		o.mu.Unlock()
	}
}

// TestJobFailures: what is printed when the JobManager refuses, or the job
// fails.
func TestJobFailures(t *testing.T) {
	const id = "00000000000000000000000000000000"
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	missing := rest.NotFound("Could not find Flink job (%s)", id)
	for _, c := range []struct {
		line   string
		err    error
		result *rest.JobResult
		want   []string
	}{
		{"cancel " + id, missing, nil, []string{"Could not cancel job " + id, "Could not find Flink job (" + id + ")"}},
		{"stop " + id, missing, nil, []string{`Could not stop with a savepoint job "` + id + `"`, "Could not find Flink job"}},
		{"savepoint " + id, missing, nil, []string{"Failed to trigger a savepoint for the job " + id}},
		{"checkpoint " + id, missing, nil, []string{"Triggering a checkpoint for the job " + id}},
		{"run " + exe, rest.Conflict("no slots"), nil, []string{"Failed to execute job 'WordCount'", "no slots"}},
		{"run " + exe, nil, &rest.JobResult{State: "FAILED", Failure: &rest.Failure{Message: "source.go:3: no such file\n\tat somewhere"}}, []string{"Job failed (JobID: ", "source.go:3: no such file"}},
		{"run " + exe, nil, &rest.JobResult{State: "CANCELED"}, []string{"Job failed (JobID: ", "Job was cancelled."}},
		{"run " + exe + " fail", nil, nil, []string{"could not be planned", "job.go:12: Map has no function"}},
	} {
		o := &oracle{}
		o.mu.err, o.mu.result = c.err, c.result
		b := o.serve(t)
		if code := b.main(c.line); code != 1 || !strings.Contains(b.err.String(), "\n The program finished with the following exception:\n") {
			t.Errorf("%s: exit code %d, stderr %q", c.line, code, b.err)
		}
		for _, w := range c.want {
			if !strings.Contains(b.err.String(), w) {
				t.Errorf("%s: stderr %q lacks %q", c.line, b.err, w)
			}
		}
		if strings.Contains(b.err.String(), "\tat ") || strings.Contains(b.err.String(), "\tjob.go") {
			t.Errorf("%s: a stack without -v: %q", c.line, b.err)
		}
	}
}

// TestSubmittedGraph: what goes to a cluster with the job.
func TestSubmittedGraph(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o := &oracle{}
	b := o.serve(t)
	if code := b.main("run -d -s /sp -n -Dpipeline.name=x -Drestart-strategy.type=none -Dtaskmanager.numberOfTaskSlots=7 " + exe + " a b"); code != 0 {
		t.Fatalf("exit code %d: %s", code, b.err)
	}
	if !strings.Contains(b.err.String(), "WARNING: taskmanager.numberOfTaskSlots has no effect on a cluster that runs already") {
		t.Errorf("stderr %q", b.err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	g := o.mu.graphs[0]
	if g.Restore.GetPath() != "/sp" || !g.Restore.GetAllowNonRestoredState() || g.Config["restart-strategy.type"] != "none" || g.Config["taskmanager.numberOfTaskSlots"] != "" ||
		strings.Join(g.Program.GetArgs(), " ") != "a b" || g.Program.GetName() != filepath.Base(exe) || len(g.Program.GetSha256()) != 64 {
		t.Errorf("graph %v", g)
	}
	if _, err := hex.DecodeString(g.JobId); err != nil {
		t.Error(err)
	}
}
