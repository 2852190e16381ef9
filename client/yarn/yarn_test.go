package yarn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"goflink/appmaster/spec"
	"goflink/client/clientlog"
	"goflink/client/program"
	"goflink/conf"
	"goflink/graph"
	"goflink/hadooprpc"
	"goflink/yarnrpc"
	"goflink/yarnrpc/yarntest"
)

// behaviour is a configuration key that tells the test's ApplicationMaster what
// to do.
const behaviour = "test.behaviour"

// TestMain plays the ApplicationMaster when YARN starts this binary as one.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "yarn-appmaster" {
		if err := playMaster(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	// Under the race detector each process would wait a second at its end.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

func playMaster() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
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
	if len(creds.Secret(spec.SecretAlias)) == 0 {
		return errors.New("no secret")
	}
	if app.Mode == spec.PerJobMode {
		data, err := os.ReadFile(spec.JobGraphFile)
		if err != nil {
			return err
		}
		if _, err := graph.Decode(data); err != nil {
			return err
		}
	}
	am, err := yarnrpc.NewAM(yarnrpc.AMOptions{Conf: h, Token: creds.TokensOfKind(hadooprpc.KindAMRM)[0]})
	if err != nil {
		return err
	}
	what, _ := c.Lookup(behaviour)
	if what == "fail" {
		return errors.New("as told")
	}
	if _, err := am.Register(ctx, yarnrpc.Registration{Host: "127.0.0.1", Port: 4711, TrackingURL: "http://127.0.0.1:4711"}); err != nil {
		return err
	}
	if what == "finish" {
		return am.Finish(ctx, yarnrpc.FinalSucceeded, "", "")
	}
	<-ctx.Done()
	return ctx.Err()
}

// fixture is a cluster with a staging folder and a Descriptor.
type fixture struct {
	d       *Descriptor
	out     *bytes.Buffer
	staging string
	conf    *conf.Config
}

func newFixture(t *testing.T, set map[string]string) *fixture {
	t.Helper()
	cluster, err := yarntest.Start(yarntest.Options{Processes: true, Dir: t.TempDir(), Queues: []string{"default", "streaming"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Close(); err != nil {
			t.Error(err)
		}
	})
	f := &fixture{out: new(bytes.Buffer), staging: t.TempDir(), conf: conf.FromMap(set)}
	conf.YarnStagingDirectory.Set(f.conf, "file://"+f.staging)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	f.d, err = Open(Options{
		Conf: f.conf, Getenv: func(string) string { return "" }, Executable: exe, Version: "test", Hadoop: cluster.Conf(), Log: log,
		Console: &clientlog.Console{Out: f.out, Now: time.Now, Log: log},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.d.Close() })
	return f
}

// printed are the console's lines without time and logger.
func (f *fixture) printed() string {
	var b strings.Builder
	for line := range strings.Lines(f.out.String()) {
		if _, text, ok := strings.Cut(line, " [] - "); ok {
			line = text
		}
		b.WriteString(line)
	}
	return b.String()
}

func (f *fixture) deploy(t *testing.T, dep Deployment) (*Cluster, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	return f.d.Deploy(ctx, dep)
}

func job(t *testing.T) *program.File {
	t.Helper()
	p := filepath.Join(t.TempDir(), "WordCount")
	if err := os.WriteFile(p, []byte("a job"), 0o755); err != nil {
		t.Fatal(err)
	}
	digest, err := digestOf(p)
	if err != nil {
		t.Fatal(err)
	}
	return &program.File{Path: p, Name: "WordCount", SHA256: digest, Size: 5}
}

func jobGraph() *graph.JobGraph {
	id := strings.Repeat("ab", 16)
	return &graph.JobGraph{Version: graph.Version, JobId: id, Name: "j", MaxParallelism: 128, Program: &graph.Program{}, Vertices: []*graph.Vertex{{
		Id: id, Name: "Source", Parallelism: 1, MaxParallelism: 128, SlotSharingGroup: "default", Source: true,
		Operators: []*graph.Operator{{Id: id, Kind: "source", Name: "Source"}},
	}}}
}

func TestDeploySession(t *testing.T) {
	f := newFixture(t, map[string]string{"jobmanager.bind-host": "localhost", "yarn.initial-taskmanagers": "3", "taskmanager.numberOfTaskSlots": "2"})
	c, err := f.deploy(t, Deployment{Mode: spec.SessionMode})
	if err != nil {
		t.Fatalf("%v\n%s", err, f.out)
	}
	if c.URL != "http://127.0.0.1:4711" || len(c.Secret) == 0 {
		t.Errorf("cluster %+v", c)
	}
	id := c.ID.String()
	for _, want := range []string{
		"Cluster specification: ClusterSpecification{masterMemoryMB=1600, taskManagerMemoryMB=1728, slotsPerTaskManager=2}\n",
		"Removing 'localhost' Key: 'jobmanager.bind-host'", "Submitting application master " + id + "\n", "Submitted application " + id + "\n",
		"Waiting for the cluster to be allocated\n", "YARN application has been deployed successfully.\n",
		"Found Web Interface 127.0.0.1:4711 of application '" + id + "'.\n",
	} {
		if !strings.Contains(f.printed(), want) {
			t.Errorf("printed no %q in\n%s", want, f.printed())
		}
	}
	config, err := os.ReadFile(filepath.Join(f.staging, ".flink", id, spec.ConfigFile))
	if err != nil {
		t.Fatal(err)
	}
	shipped, err := conf.ParseYAML("config.yaml", config)
	if err != nil {
		t.Fatal(err)
	}
	if conf.JobManagerBindHost.IsSet(shipped) || conf.SlotManagerMinSlots.Get(shipped) != 6 {
		t.Errorf("shipped configuration %v", shipped.Map())
	}
	checkRetrieve(t, f, c)
}

// checkRetrieve finds the session again, kills it, and looks that all is gone.
func checkRetrieve(t *testing.T, f *fixture, c *Cluster) {
	t.Helper()
	again, err := f.d.Retrieve(t.Context(), c.ID.String())
	if err != nil || again.URL != c.URL || string(again.Secret) != string(c.Secret) {
		t.Errorf("retrieved %+v, %v", again, err)
	}
	uri, err := f.d.StageProgram(t.Context(), c, job(t))
	if err != nil || !strings.HasPrefix(uri, "file://") {
		t.Errorf("staged at %q, %v", uri, err)
	}
	if err := f.d.Kill(t.Context(), c.ID, "test"); err != nil {
		t.Error(err)
	}
	if _, err := f.d.Retrieve(t.Context(), c.ID.String()); err == nil || !strings.Contains(err.Error(), "doesn't run anymore") {
		t.Errorf("retrieved a killed session: %v", err)
	}
	left, err := f.d.area.Applications(t.Context())
	if err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestDeployPerJobThatEndsAtOnce(t *testing.T) {
	f := newFixture(t, map[string]string{behaviour: "finish"})
	c, err := f.deploy(t, Deployment{Mode: spec.PerJobMode, Program: job(t), Graph: jobGraph(), Args: []string{"--input", "x y"}, Attached: true})
	if err != nil {
		t.Fatalf("%v\n%s", err, f.out)
	}
	if !strings.Contains(f.printed(), "Job Clusters are deprecated since Flink 1.15.") {
		t.Errorf("printed %s", f.printed())
	}
	r, err := f.d.AwaitEnd(t.Context(), c.ID)
	if err != nil || r.FinalStatus != yarnrpc.FinalSucceeded || r.Name != "Flink per-job cluster" || r.Type != "Apache Flink" {
		t.Errorf("report %+v, %v", r, err)
	}
	f.d.Sweep(t.Context())
	if left, err := f.d.area.Applications(t.Context()); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

// TestFoundWhenOver: YARN gives N/A as the address of an ended application.
func TestFoundWhenOver(t *testing.T) {
	c, err := newFixture(t, nil).d.found(yarnrpc.Report{State: yarnrpc.AppFinished, OriginalTrackingURL: "N/A"}, nil)
	if err != nil || c.URL != "" {
		t.Errorf("got %+v, %v", c, err)
	}
}

func TestDeployThatFails(t *testing.T) {
	f := newFixture(t, map[string]string{behaviour: "fail", "yarn.application-attempts": "1"})
	_, err := f.deploy(t, Deployment{Mode: spec.SessionMode})
	if err == nil || !strings.Contains(err.Error(), "unexpectedly switched to state FAILED during deployment") || !strings.Contains(err.Error(), "yarn logs -applicationId application_") {
		t.Errorf("got %v", err)
	}
	if left, err := f.d.area.Applications(t.Context()); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestDeployIsRefused(t *testing.T) {
	for _, c := range []struct {
		set  map[string]string
		want string
	}{
		{map[string]string{"yarn.application.queue": "nope"}, "The specified queue 'nope' does not exist. Available queues: default, streaming"},
		{map[string]string{"taskmanager.memory.process.size": "9000m"}, "The cluster does not have the requested resources for the TaskManagers available!\nMaximum Memory: 8192 Requested: 9000MB."},
		{map[string]string{"jobmanager.memory.process.size": "9000m"}, "for the JobManager available!"},
		{map[string]string{"taskmanager.numberOfTaskSlots": "9"}, "The number of requested virtual cores per node 9 exceeds the maximum number of virtual cores 8"},
		{map[string]string{"yarn.appmaster.vcores": "9"}, "for application master 9 exceeds"},
		{map[string]string{"taskmanager.memory.process.size": "100m"}, "taskmanager.memory"},
	} {
		f := newFixture(t, c.set)
		_, err := f.deploy(t, Deployment{Mode: spec.SessionMode})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.set, err, c.want)
		}
		if _, err := os.Stat(filepath.Join(f.staging, ".flink")); !os.IsNotExist(err) {
			t.Errorf("%v: something was staged: %v", c.set, err)
		}
	}
}

func TestRetrieveRefuses(t *testing.T) {
	f := newFixture(t, nil)
	for id, want := range map[string]string{"application_1700000000000_0999": "knows no application", "nonsense": "nonsense"} {
		if _, err := f.d.Retrieve(t.Context(), id); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", id, err, want)
		}
	}
}

func TestUnreachableResourceManager(t *testing.T) {
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	c := conf.FromMap(map[string]string{"client.timeout": "300ms", "yarn.staging-directory": "file://" + t.TempDir()})
	d, err := Open(Options{
		Conf: c, Getenv: func(string) string { return "" }, Log: log, Console: &clientlog.Console{Out: io.Discard, Now: time.Now, Log: log},
		Hadoop: hadooprpc.NewConf(map[string]string{"yarn.resourcemanager.address": "127.0.0.1:1"}),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	_, err = d.Deploy(t.Context(), Deployment{Mode: spec.SessionMode})
	if err == nil || !strings.Contains(err.Error(), "the ResourceManager at 127.0.0.1:1 did not answer within 300ms") {
		t.Errorf("got %v", err)
	}
}

func TestQuery(t *testing.T) {
	f := newFixture(t, nil)
	text, err := f.d.Query(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"NodeManagers in the ClusterClient 2|Property         |Value          \n+---", "|Memory           |8.000gb (8589934592 bytes) \n", "Summary: totalMemory 16.000gb (17179869184 bytes) totalCores 16\n", "Queue: default, Current Capacity: "} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}
