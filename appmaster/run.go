package appmaster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"goflink/appmaster/alloc"
	"goflink/appmaster/spec"
	"goflink/conf"
	"goflink/hdfsstore"
	"goflink/internal/logfile"
	"goflink/jobmanager"
	"goflink/jobmanager/ha"
	"goflink/jobmanager/host"
	"goflink/yarnrpc"
)

// Names of the log files in the container's log folder: Flink's.
const (
	logFile = "jobmanager.log"
	outFile = "jobmanager.out"
)

// Bounds of the end of an application.
const (
	// resultPatience is how long a client that waits for a job's result has to
	// fetch it before the cluster goes.
	resultPatience = 10 * time.Second
	// endPatience bounds stopping the JobManager and unregistering.
	endPatience = 2 * time.Minute
)

// Run is the ApplicationMaster in the container whose files lie in dir. It
// returns when the application has its verdict, or with an error: then YARN
// starts another attempt, if there may be one.
func Run(ctx context.Context, dir string) error {
	env, err := loadEnvironment(dir, os.Getenv)
	if err != nil {
		return err
	}
	// What is started here (plan, coordinator) finds the shipped configuration
	// where all look, not the NodeManager's.
	for _, name := range []string{"HADOOP_CONF_DIR", "YARN_CONF_DIR", "FLINK_CONF_DIR"} {
		if err := os.Setenv(name, dir); err != nil {
			return err
		}
	}
	file, err := logfile.Open(logfile.FromConf(filepath.Join(env.logDir, logFile), env.conf))
	if err != nil {
		return err
	}
	defer file.Close()
	log := file.Logger()
	slog.SetDefault(log)
	for _, line := range banner(env) {
		log.Info(line)
	}
	err = run(ctx, env, dir, log)
	if err != nil {
		log.Error("The ApplicationMaster ends without a verdict.", "error", err)
	}
	return err
}

func banner(env *environment) []string {
	lines := []string{
		fmt.Sprintf("Starting goflink %s as the ApplicationMaster of %s (%s mode), attempt %d.", conf.Version, env.app.ApplicationID, env.app.Mode, env.attempt()),
		fmt.Sprintf("Host %s, user %s, folder %s.", env.host, env.user, env.app.Dir),
	}
	if jm, err := conf.JobManagerMemory(env.conf); err == nil {
		lines = append(lines, jm.Lines()...)
	}
	if tm, err := conf.TaskManagerMemory(env.conf); err == nil {
		lines = append(lines, tm.Lines()...)
	}
	return lines
}

// run leads: it takes the epoch over, starts the JobManager, registers, and
// works until there is a verdict.
func run(ctx context.Context, env *environment, dir string, log *slog.Logger) error {
	files := env.resolver()
	defer files.Close()
	fsys, haDir, err := files.For(env.haDir())
	if err != nil {
		return err
	}
	store, recovered, err := ha.Open(ctx, fsys, haDir, env.attempt(), ha.Options{Logger: log})
	if err != nil {
		return fmt.Errorf("taking the cluster over: %w", err)
	}
	m, err := newMaster(ctx, env, log)
	if err != nil {
		return err
	}
	defer m.close()
	if err := m.serve(ctx, store, files, dir); err != nil {
		return err
	}
	defer func() {
		_ = m.host.Close(context.WithoutCancel(ctx)) // a second time after Shutdown: no harm
	}()
	if err := m.register(ctx); err != nil {
		return err
	}
	leader := ha.Leader{Address: m.jm.Address(), RESTAddress: m.host.RESTAddress}
	if err := store.PutLeader(ctx, leader); err != nil {
		return fmt.Errorf("announcing the JobManager: %w", err)
	}
	v, err := m.work(ctx, recovered, dir)
	if err != nil {
		return err
	}
	return m.finish(context.WithoutCancel(ctx), v, store, files)
}

func newMaster(ctx context.Context, env *environment, log *slog.Logger) (*master, error) {
	resource, err := workerResource(env.conf)
	if err != nil {
		return nil, err
	}
	m := &master{env: env, log: log, posted: make(chan struct{}, 1), beatSoon: make(chan struct{}, 1),
		alloc: alloc.New(allocConfig(env.conf)), wake: time.NewTimer(time.Hour), allocated: map[yarnrpc.ContainerID]yarnrpc.Container{},
		desire:  alloc.Desire{Priority: workerPriority, Resource: resource},
		fetched: make(chan string, 64)}
	m.wake.Stop()
	m.ctx, m.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	if m.am, err = yarnrpc.NewAM(yarnrpc.AMOptions{Conf: env.hadoop, Token: env.amToken, Logger: log}); err != nil {
		return nil, err
	}
	if m.nm, err = yarnrpc.NewNM(yarnrpc.NMOptions{Conf: env.hadoop, Token: m.am.NMToken, Logger: log}); err != nil {
		return nil, errors.Join(err, m.am.Close())
	}
	return m, nil
}

// close ends the goroutines and connections.
func (m *master) close() {
	m.cancel(errors.New("the ApplicationMaster ends"))
	m.tasks.Wait()
	_ = m.am.Close()
}

// serve starts the JobManager and its REST API.
func (m *master) serve(ctx context.Context, store *ha.Store, files *hdfsstore.Resolver, dir string) error {
	address := m.env.host
	if address == "" {
		var err error
		if address, err = m.am.LocalHost(ctx); err != nil {
			return err
		}
	}
	mode, binary := jobmanager.Session, ""
	if m.env.app.Mode != spec.SessionMode {
		mode, binary = jobmanager.Dedicated, filepath.Join(dir, spec.ProgramBinary)
	}
	h, err := host.Start(ctx, host.Options{
		Conf: m.env.conf, Secret: m.env.secret, ClusterID: m.env.app.ApplicationID, Epoch: m.env.attempt(), Mode: mode, HA: store, Files: files,
		Provider: m, MinTaskManagers: minTaskManagers(m.env.conf), Host: address, AnyPort: true, Secure: m.env.hadoop.Secure(),
		OnResult: m.resultFetched, Scratch: filepath.Join(dir, "scratch"), Binary: binary,
		LogDir: m.env.logDir, LogFile: logFile, StdoutFile: outFile, Log: m.log,
	})
	if err != nil {
		return err
	}
	m.host, m.jm = h, h.JobManager
	m.launch = &launcher{env: m.env, jobManager: m.jm.Address(), resource: m.desire.Resource}
	return nil
}

// minTaskManagers is how many are started at once: slotmanager.number-of-slots.min.
func minTaskManagers(c *conf.Config) int {
	slots := conf.TaskManagerNumberOfTaskSlots.Get(c)
	return (conf.SlotManagerMinSlots.Get(c) + slots - 1) / slots
}

// resultFetched notes that a client has a job's result.
func (m *master) resultFetched(jobID string) {
	select {
	case m.fetched <- jobID:
	default:
	}
}

// register makes the application RUNNING, with the address of its REST API.
func (m *master) register(ctx context.Context) error {
	hostName, portText, err := net.SplitHostPort(m.host.RESTAddress)
	if err != nil {
		return err
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return err
	}
	r, err := m.am.Register(ctx, yarnrpc.Registration{Host: hostName, Port: int32(port), TrackingURL: "http://" + m.host.RESTAddress})
	if err != nil {
		return fmt.Errorf("registering with the ResourceManager: %w", err)
	}
	m.log.Info("Registered with the ResourceManager.", "queue", r.Queue, "largest container", r.Maximum, "containers of earlier attempts", len(r.Previous))
	if !m.desire.Resource.Fits(r.Maximum) {
		return fmt.Errorf("a TaskManager needs %s, the largest container of the cluster has %s: lower taskmanager.memory.process.size", m.desire.Resource, r.Maximum)
	}
	m.step(alloc.Previous{Containers: m.know(r.Previous)})
	m.tasks.Go(m.loop)
	m.tasks.Go(func() { m.beat(m.ctx) })
	return nil
}
