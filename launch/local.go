package launch

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"goflink/conf"
	"goflink/control"
	"goflink/graph"
	"goflink/hdfsstore"
	"goflink/internal/logfile"
	"goflink/jobmanager"
	"goflink/jobmanager/host"
	"goflink/jobmanager/rest"
	"goflink/taskmanager"
)

// localHost is where an embedded cluster listens.
const localHost = "127.0.0.1"

// embeddedKey is set in the configuration of an embedded cluster: its processes
// show on the terminal what the user's code logs.
const embeddedKey = "$internal.embedded"

// embedded is a cluster inside this process: a JobManager, a TaskManager, and
// the job's worker and coordinator as children.
type embedded struct {
	conf    *conf.Config
	log     *slog.Logger
	files   *hdfsstore.Resolver
	scratch string
	host    *host.Host
	stop    context.CancelFunc // of the TaskManager
	ended   chan error         // the TaskManager's end
}

// runLocal runs the job in an embedded cluster: what the binary does by itself,
// and `flink run -t local`.
func runLocal(programs []Program, boot *control.Bootstrap) error {
	clearRole()
	c, entry, err := localConf(boot)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	p, err := pick(programs, entry)
	if err != nil {
		return err
	}
	g, err := planHere(p, c)
	if err != nil {
		return err
	}
	for _, w := range g.Warnings {
		fmt.Fprintf(os.Stderr, "WARNING: %s\n", w)
	}
	cluster, err := startEmbedded(ctx, c, g)
	if err != nil {
		return err
	}
	defer cluster.close()
	return cluster.run(ctx, g)
}

// localConf is what `flink run -t local` hands over, else the configuration
// folder that FLINK_CONF_DIR names.
func localConf(boot *control.Bootstrap) (*conf.Config, string, error) {
	if boot != nil {
		return conf.FromMap(boot.Config), boot.Entry, nil
	}
	dir := os.Getenv("FLINK_CONF_DIR")
	if dir == "" {
		return conf.New(), "", nil
	}
	c, err := conf.Load(dir)
	return c, "", err
}

// planHere builds the graph twice and compares: what is not reproducible would
// fail on the worker.
func planHere(p Program, c *conf.Config) (*graph.JobGraph, error) {
	first, err := build(p, Build{Conf: c, Planning: true, Log: slog.Default()})
	if err != nil {
		return nil, err
	}
	g := first.JobGraph()
	once := g.Once
	if once == nil {
		once = map[string][]byte{}
	}
	second, err := build(p, Build{Conf: c, Once: once, Log: slog.Default()})
	if err != nil {
		return nil, err
	}
	if again := second.JobGraph(); again.Fingerprint != g.Fingerprint {
		return nil, fmt.Errorf("the program builds another graph each time it is built, and the worker builds it again: put what depends on a clock, "+
			"a random number or the order of a map into stream.Once. The difference:\n%s", strings.TrimRight(graph.Diff(g, again), "\n"))
	}
	return g, completeGraph(g, p, c)
}

// completeGraph adds what a client adds to a plan.
func completeGraph(g *graph.JobGraph, p Program, c *conf.Config) error {
	digest, err := ownDigest()
	if err != nil {
		return err
	}
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	info, err := os.Stat(self)
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	g.Program = &graph.Program{Sha256: digest, Size: info.Size(), Uri: "file://" + exe, Args: os.Args[1:], Entry: p.Name, Name: filepath.Base(exe)}
	g.Config = conf.Merge(c, conf.FromMap(g.Config)).Map()
	if path := conf.StateRecoveryPath.Get(c); path != "" {
		g.Restore = &graph.SavepointRestore{Path: path, AllowNonRestoredState: conf.StateRecoveryIgnoreUnclaimed.Get(c),
			ClaimMode: string(conf.StateRecoveryClaimMode.Get(c))}
	}
	return nil
}

// slotsOf is how many slots the job needs: the highest parallelism of each
// slot-sharing group.
func slotsOf(g *graph.JobGraph) int {
	sizes := map[string]int{}
	for _, v := range g.Vertices {
		sizes[v.SlotSharingGroup] = max(sizes[v.SlotSharingGroup], int(v.Parallelism))
	}
	n := 0
	for _, size := range sizes {
		n += size
	}
	return max(1, n)
}

func startEmbedded(ctx context.Context, c *conf.Config, g *graph.JobGraph) (_ *embedded, err error) {
	e := &embedded{conf: c.Clone(), ended: make(chan error, 1)}
	e.conf.Set(embeddedKey, "true")
	if e.scratch, err = os.MkdirTemp(conf.IOTmpDirs.Get(c), "goflink-local-"); err != nil {
		return nil, fmt.Errorf("the embedded cluster's folder: %w", err)
	}
	defer func() {
		if err != nil {
			e.close()
		}
	}()
	logDir := os.Getenv("FLINK_LOG_DIR")
	if logDir == "" {
		logDir = filepath.Join(e.scratch, "log")
	}
	file, err := logfile.Open(logfile.FromConf(filepath.Join(logDir, "local.log"), c))
	if err != nil {
		return nil, err
	}
	e.log = file.Logger()
	slog.SetDefault(e.log)
	if e.files, err = OpenFiles(c); err != nil {
		return nil, err
	}
	secret, err := control.NewSecret()
	if err != nil {
		return nil, err
	}
	conf.TaskManagerNumberOfTaskSlots.Set(e.conf, slotsOf(g))
	if err := e.serve(ctx, secret, logDir); err != nil {
		return nil, err
	}
	return e, e.taskManager(secret, logDir, slotsOf(g))
}

// serve starts the JobManager; a REST port that is taken is replaced by a free
// one, since several jobs may run side by side.
func (e *embedded) serve(ctx context.Context, secret control.Secret, logDir string) error {
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	c := e.conf.Clone()
	c.Delete(conf.JobManagerBindHost.Key)
	if !conf.RestBindPort.IsSet(c) && !portFree(conf.RestPort.Get(c)) {
		conf.RestBindPort.Set(c, conf.Port(0))
	}
	e.host, err = host.Start(ctx, host.Options{
		Conf: c, Secret: secret, ClusterID: "local", Epoch: 1, Mode: jobmanager.Session, Files: e.files, Host: localHost,
		Scratch: e.scratch, Binary: exe, LogDir: logDir, LogFile: "local.log", Log: e.log, AnyControlPort: true,
	})
	return err
}

func portFree(port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort(localHost, fmt.Sprint(port)))
	if err != nil {
		return false
	}
	return l.Close() == nil
}

// taskManager starts the one TaskManager.
func (e *embedded) taskManager(secret control.Secret, logDir string, slots int) error {
	plan, err := conf.TaskManagerMemory(e.conf)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	e.stop = stop
	o := taskmanager.Options{
		JobManager: e.host.JobManager.Address(), Secret: secret, ResourceID: "local", Host: localHost, Slots: slots,
		Memory: taskmanager.PlanOf(plan), LogDir: logDir, ScratchDir: filepath.Join(e.scratch, "taskmanager"), Conf: e.conf, Files: e.files,
		Version: conf.Version, Stdout: os.Stdout, Stderr: os.Stderr, Log: e.log,
	}
	go func() {
		defer close(e.ended)
		e.ended <- taskmanager.Run(ctx, o)
	}()
	return nil
}

// close ends the cluster and removes its folder.
func (e *embedded) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if e.host != nil {
		if err := e.host.Close(ctx); err != nil {
			e.log.Warn("The embedded cluster did not end well.", "error", err)
		}
	}
	if e.stop != nil {
		e.stop()
		<-e.ended
	}
	if e.files != nil {
		_ = e.files.Close()
	}
	_ = os.RemoveAll(e.scratch)
}

// run submits the job, says so in Flink's words, and waits for its end.
func (e *embedded) run(ctx context.Context, g *graph.JobGraph) error {
	fmt.Fprintf(os.Stderr, "JobManager Web Interface: http://%s\n", e.host.RESTAddress)
	jm := e.host.JobManager
	if err := jm.Submit(ctx, g); err != nil {
		return err
	}
	fmt.Printf("Job has been submitted with JobID %s\n", g.JobId)
	r, err := jm.Wait(ctx, g.JobId)
	if ctx.Err() != nil {
		return e.cancelled(g.JobId)
	}
	if err != nil {
		return err
	}
	return report(g.JobId, r)
}

// cancelled ends the job after Ctrl-C.
func (e *embedded) cancelled(id string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := e.host.JobManager.REST().Cancel(ctx, id); err != nil {
		return err
	}
	if _, err := e.host.JobManager.Wait(ctx, id); err != nil {
		return err
	}
	return outcome("Job was cancelled.")
}

// outcome is how a job ended, in the words that scripts know from Flink.
type outcome string

// Error implements error.
func (o outcome) Error() string { return string(o) }

// report prints a job's result as the flink command does.
func report(id string, r *rest.JobResult) error {
	switch r.State {
	case "FINISHED":
	case "CANCELED":
		return outcome("Job was cancelled.")
	default:
		reason := "no reason is known"
		if r.Failure != nil {
			reason, _ = rest.CutStack(r.Failure.Message)
		}
		return outcome(fmt.Sprintf("Job failed (JobID: %s): %s", id, reason))
	}
	fmt.Printf("Program execution finished\nJob with JobID %s has finished.\nJob Runtime: %d ms\n", id, r.NetRuntime.Milliseconds())
	if len(r.Accumulators) > 0 {
		fmt.Println("Accumulator Results: ")
		for _, a := range r.Accumulators {
			fmt.Printf("- %s (%s): %s\n", a.Name, a.Type, a.Value)
		}
	}
	return nil
}
