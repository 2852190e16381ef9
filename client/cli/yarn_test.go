package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"goflink/appmaster/spec"
	"goflink/conf"
	"goflink/graph"
	"goflink/hadooprpc"
	"goflink/jobmanager/rest"
	"goflink/yarnrpc"
	"goflink/yarnrpc/yarntest"
)

// endless is a configuration key: jobs of the test's ApplicationMaster go on
// until they are cancelled.
const endless = "test.endless"

// playMaster is an ApplicationMaster with a real REST server over a JobManager
// that only knows the ends of jobs.
func playMaster() error {
	f, err := os.Open(spec.ApplicationFile)
	if err != nil {
		return err
	}
	app, err := spec.Read(f)
	if err != nil {
		return err
	}
	c, err := conf.Load(".")
	if err != nil {
		return err
	}
	h, err := hadooprpc.LoadConfFile(spec.HadoopConfFile)
	if err != nil {
		return err
	}
	creds, err := hadooprpc.LoadCredentials(os.Getenv)
	if err != nil {
		return err
	}
	am, err := yarnrpc.NewAM(yarnrpc.AMOptions{Conf: h, Token: creds.TokensOfKind(hadooprpc.KindAMRM)[0]})
	if err != nil {
		return err
	}
	_, forever := c.Lookup(endless)
	m := &scriptedMaster{session: app.Mode == spec.SessionMode, endless: forever, over: make(chan yarnrpc.FinalStatus, 16)}
	s := rest.New(rest.Options{Cluster: m, Authenticate: rest.SecretAuthenticator(creds.Secret(spec.SecretAlias), nil, time.Now), OnResult: func(string) {
		if app.Mode == spec.PerJobMode {
			m.over <- m.verdict()
		}
	}})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.Serve(l)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := am.Register(ctx, yarnrpc.Registration{Host: "127.0.0.1", TrackingURL: "http://" + l.Addr().String()}); err != nil {
		return err
	}
	select {
	case status := <-m.over:
		return errors.Join(am.Finish(ctx, status, "", ""), s.Close(ctx))
	case <-ctx.Done():
		return ctx.Err()
	}
}

type scriptedMaster struct {
	rest.Cluster
	session bool
	endless bool
	over    chan yarnrpc.FinalStatus
	mu      struct {
		sync.Mutex
		cancelled bool
		asked     int
		listed    int
	}
}

func (m *scriptedMaster) verdict() yarnrpc.FinalStatus {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mu.cancelled {
		return yarnrpc.FinalKilled
	}
	return yarnrpc.FinalSucceeded
}

// JobSummaries names the planned job of a per-job cluster, from the third
// question on.
func (m *scriptedMaster) JobSummaries(context.Context) ([]rest.JobSummary, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	data, err := os.ReadFile(spec.JobGraphFile)
	if m.mu.listed++; err != nil || m.mu.listed < 3 {
		return nil, nil
	}
	g, err := graph.Decode(data)
	if err != nil {
		return nil, err
	}
	return []rest.JobSummary{{ID: g.JobId, State: "RUNNING"}}, nil
}

func (m *scriptedMaster) Submit(_ context.Context, g *graph.JobGraph) (string, error) {
	if g.GetProgram().GetUri() == "" {
		return "", rest.BadRequest("the program is not in the staging folder")
	}
	return g.JobId, nil
}

func (m *scriptedMaster) JobResult(_ context.Context, id string) (*rest.JobResult, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.mu.cancelled:
		return &rest.JobResult{State: "CANCELED"}, nil
	case m.endless:
		return nil, nil
	}
	if m.mu.asked++; !m.session && m.mu.asked < 3 {
		return nil, rest.JobNotFound(id) // the job is not there yet
	}
	return &rest.JobResult{State: "FINISHED", NetRuntime: 42 * time.Millisecond}, nil
}

func (m *scriptedMaster) Cancel(context.Context, string) error {
	m.mu.Lock()
	m.mu.cancelled = true
	m.mu.Unlock()
	m.over <- yarnrpc.FinalKilled
	return nil
}

func (m *scriptedMaster) ClientHeartbeat(context.Context, string, time.Time) error { return nil }

func (m *scriptedMaster) Shutdown(context.Context) error {
	m.over <- yarnrpc.FinalSucceeded
	return nil
}

// yarnBench is a terminal beside a small YARN cluster.
type yarnBench struct {
	*bench
	cluster *yarntest.Cluster
	exe     string
	staging string
}

func newYarnBench(t *testing.T) *yarnBench {
	t.Helper()
	cluster, err := yarntest.Start(yarntest.Options{Processes: true, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Close(); err != nil {
			t.Error(err)
		}
	})
	b := &yarnBench{cluster: cluster, staging: t.TempDir()}
	b.bench = newBench(t, "yarn.staging-directory: file://"+b.staging+"\n")
	var site bytes.Buffer
	if err := cluster.Conf().WriteXML(&site); err != nil {
		t.Fatal(err)
	}
	hadoop := t.TempDir()
	if err := os.WriteFile(filepath.Join(hadoop, "yarn-site.xml"), site.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	if b.exe, err = os.Executable(); err != nil {
		t.Fatal(err)
	}
	vars := map[string]string{"FLINK_CONF_DIR": filepath.Join(b.home, "conf"), "FLINK_LOG_DIR": filepath.Join(b.home, "log"), "HADOOP_CONF_DIR": hadoop, "HADOOP_USER_NAME": "alice"}
	b.env.Getenv = func(k string) string { return vars[k] }
	b.env.Executable = b.exe
	t.Setenv("GREETING", "")
	return b
}

// ok runs a command line that has to succeed and returns what it printed,
// without time and logger of the lines.
func (b *yarnBench) ok(t *testing.T, line string) string {
	t.Helper()
	if code := b.main(strings.ReplaceAll(line, "JOB", b.exe)); code != 0 {
		t.Fatalf("%s: exit code %d\n%s\n%s", line, code, b.out, b.err)
	}
	return plainLines(b.out.String())
}

var linePrefix = regexp.MustCompile(`(?m)^\d{4}-\d\d-\d\d \S+ [A-Z]+ +\S+ +\[\] - `)

func plainLines(text string) string { return linePrefix.ReplaceAllString(text, "") }

// inOrder checks that text holds all parts, one after the other.
func inOrder(t *testing.T, text string, parts ...string) {
	t.Helper()
	rest := text
	for _, p := range parts {
		_, after, ok := strings.Cut(rest, p)
		if !ok {
			t.Errorf("%q is not there, or not behind what comes before it, in\n%s", p, text)
			return
		}
		rest = after
	}
}

// left lists the application folders in the staging folder.
func (b *yarnBench) left(t *testing.T) []string {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(b.staging, ".flink", "application_*"))
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

func TestYarnPerJob(t *testing.T) {
	b := newYarnBench(t)
	text := b.ok(t, "run -t yarn-per-job -ynm legacy JOB --input x")
	inOrder(t, text, "Connecting to ResourceManager at ", "Job Clusters are deprecated since Flink 1.15.", "Cluster specification: ", "Submitting application master application_",
		"Submitted application application_", "Waiting for the cluster to be allocated\n", "YARN application has been deployed successfully.\n", "Found Web Interface 127.0.0.1:",
		"Job has been submitted with JobID ", "Program execution finished\nJob with JobID ", " has finished.\nJob Runtime: 42 ms\n\n")
	if left := b.left(t); len(left) != 0 {
		t.Errorf("the command left %v", left)
	}
	if code := b.main("list -t yarn-session -Dyarn.application.id=" + applicationID.FindString(text)); code != 1 || !strings.Contains(b.err.String(), "doesn't run anymore") {
		t.Errorf("list of a finished application: %d %s", code, b.err)
	}
	uploads := func() int {
		log, err := os.ReadFile(filepath.Join(b.home, "log", "flink-alice-client-node1.log"))
		if err != nil {
			t.Fatal(err)
		}
		return len(regexp.MustCompile(`bytes uploaded=[1-9]`).FindAll(log, -1))
	}
	before := uploads()
	text = b.ok(t, "run -m yarn-cluster -d JOB")
	inOrder(t, text, "The Flink YARN session cluster has been started in detached mode.", "Found Web Interface", "Job has been submitted with JobID ")
	if before < 1 || uploads() != before {
		t.Errorf("%d uploads by the first submission, %d by the second", before, uploads()-before)
	}
}

var applicationID = regexp.MustCompile(`application_\d+_\d+`)

func TestYarnSession(t *testing.T) {
	b := newYarnBench(t)
	text := b.ok(t, "yarn-session -d -nm peer -s 2 -n 3 -Dparallelism.default=2")
	id := applicationID.FindString(text)
	inOrder(t, text, "Found Web Interface", "JobManager Web Interface: http://127.0.0.1:", "The Flink YARN session cluster has been started in detached mode. In order to stop Flink gracefully, use the following command:\n$ echo \"stop\" | ./bin/yarn-session.sh -id "+id)
	inOrder(t, b.ok(t, "run JOB"), "Found Yarn properties file under ", "Job has been submitted with JobID ", "Job Runtime: 42 ms")
	inOrder(t, b.ok(t, "list -yid "+id), "Found Web Interface", "Waiting for response...\nNo running jobs.\nNo scheduled jobs.\n")
	programs, err := filepath.Glob(filepath.Join(b.staging, ".flink", id, "programs", "*"))
	if err != nil || len(programs) != 1 {
		t.Errorf("the session refers to the programs %v, %v", programs, err)
	}
	b.env.Stdin = strings.NewReader("help\nstop\n")
	text = b.ok(t, "yarn-session -id "+id)
	inOrder(t, text, "Deleted Yarn properties file at ", "Application "+id+" finished with state FINISHED and final state SUCCEEDED at ")
	if b.err.String() != sessionHelp+"\n" {
		t.Errorf("stderr %q", b.err)
	}
	if left := b.left(t); len(left) != 0 {
		t.Errorf("stopped, and left %v", left)
	}
	if _, err := os.Stat(filepath.Join(b.notes, ".yarn-properties-alice")); !os.IsNotExist(err) {
		t.Errorf("the note of the session: %v", err)
	}
}

// TestYarnInterrupted: Ctrl-C with -sae ends the job, its cluster and the
// folder; without, all go on.
func TestYarnInterrupted(t *testing.T) {
	b := newYarnBench(t)
	interrupt := func(line string) (code int, state yarnrpc.AppState) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		b.env.Interrupted = ctx
		watch := &watchWriter{found: cancel, want: "Job has been submitted with JobID "}
		b.env.Stdout = watch
		b.env.Args = strings.Fields(strings.ReplaceAll(line, "JOB", b.exe))
		b.err.Reset()
		code = Main(b.env)
		rm, app := b.rm(t, applicationID.FindString(watch.text.String()))
		report, err := rm.Report(t.Context(), app)
		if err != nil {
			t.Fatal(err)
		}
		return code, report.State
	}
	if code, state := interrupt("run -t yarn-per-job -sae -D" + endless + "=true JOB"); code != exitInterrupt || !state.Ended() {
		t.Errorf("exit code %d, state %s: %s", code, state, b.err)
	}
	if left := b.left(t); len(left) != 0 {
		t.Errorf("left %v", left)
	}
	if code, state := interrupt("run -t yarn-per-job -D" + endless + "=true JOB"); code != exitInterrupt || state != yarnrpc.AppRunning || !strings.Contains(b.err.String(), "goes on") {
		t.Errorf("exit code %d, state %s: %s", code, state, b.err)
	}
}

// rm is a client of the ResourceManager, and an application's id.
func (b *yarnBench) rm(t *testing.T, id string) (*yarnrpc.Client, yarnrpc.ApplicationID) {
	t.Helper()
	rm, err := yarnrpc.NewClient(yarnrpc.ClientOptions{Conf: b.cluster.Conf(), User: "alice", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rm.Close() })
	app, err := yarnrpc.ParseApplicationID(id)
	if err != nil {
		t.Fatal(err)
	}
	return rm, app
}

// watchWriter calls found when want was written.
type watchWriter struct {
	found func()
	want  string
	text  strings.Builder
}

func (w *watchWriter) Write(p []byte) (int, error) {
	w.text.Write(p)
	if strings.Contains(w.text.String(), w.want) {
		w.found()
	}
	return len(p), nil
}

// TestYarnKilled: what yarn application -kill leaves is swept by the next
// command.
func TestYarnKilled(t *testing.T) {
	b := newYarnBench(t)
	id := applicationID.FindString(b.ok(t, "yarn-session -d"))
	rm, app := b.rm(t, id)
	if err := rm.Kill(t.Context(), app, ""); err != nil {
		t.Fatal(err)
	}
	if left := b.left(t); len(left) != 1 {
		t.Fatalf("before: %v", left)
	}
	if code := b.main("run " + b.exe); code != 1 || !strings.Contains(b.err.String(), fmt.Sprintf("The Yarn application %s doesn't run anymore.", id)) {
		t.Errorf("exit code %d: %s", code, b.err)
	}
	if left := b.left(t); len(left) != 0 {
		t.Errorf("after: %v", left)
	}
}
