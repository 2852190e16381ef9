package appmaster

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"goflink/appmaster/alloc"
	"goflink/appmaster/spec"
	"goflink/conf"
	"goflink/control"
	"goflink/yarnrpc"
)

// workerPriority is the priority of TaskManager containers: Flink's, and the
// only profile there is.
const workerPriority = 1

// workerResource is the container of a TaskManager.
func workerResource(c *conf.Config) (yarnrpc.Resource, error) {
	plan, err := conf.TaskManagerMemory(c)
	if err != nil {
		return yarnrpc.Resource{}, err
	}
	cores := conf.YarnContainersVcores.Get(c)
	if cores <= 0 {
		cores = conf.TaskManagerNumberOfTaskSlots.Get(c)
	}
	return yarnrpc.Resource{MemoryMB: (int64(plan.Process) + 1<<20 - 1) >> 20, VCores: int32(cores)}, nil
}

// launcher makes the launch contexts of TaskManager containers.
type launcher struct {
	env        *environment
	jobManager string // host:port of the control plane
	resource   yarnrpc.Resource
}

// dedicated tells whether the containers run the job binary itself.
func (l *launcher) dedicated() bool { return l.env.app.Mode != spec.SessionMode }

// context is the launch context of one TaskManager.
func (l *launcher) context() yarnrpc.LaunchContext {
	return yarnrpc.LaunchContext{
		Resources:   l.resources(),
		Env:         l.variables(),
		EnvExpanded: map[string]string{"TMPDIR": "{{PWD}}/tmp", "HADOOP_CONF_DIR": "{{PWD}}", "YARN_CONF_DIR": "{{PWD}}", "FLINK_CONF_DIR": "{{PWD}}"},
		Command:     yarnrpc.ShellCommand(l.argv(), "taskmanager.out", "taskmanager.err"),
		Credentials: l.env.workerCredentials(),
	}
}

func (l *launcher) argv() []string {
	if l.dedicated() {
		return append([]string{"./" + spec.ProgramBinary}, l.env.app.Program.Args...)
	}
	return []string{"./" + spec.FlinkBinary, "yarn-taskmanager"}
}

func (l *launcher) variables() map[string]string {
	env := maps.Clone(conf.TaskManagerEnv.Get(l.env.conf))
	if env == nil {
		env = map[string]string{}
	}
	if l.dedicated() {
		for _, kv := range l.env.app.Program.Env {
			k, v, _ := strings.Cut(kv, "=")
			env[k] = v
		}
		env[control.EnvRole] = control.RoleTaskManager
	}
	env[spec.EnvJobManager] = l.jobManager
	env[spec.EnvLeaderDir] = l.env.haDir()
	env[spec.EnvVCores] = strconv.Itoa(int(l.resource.VCores))
	// Two at least: with one, a garbage collection would stop the heartbeats.
	env["GOMAXPROCS"] = strconv.Itoa(max(2, int(l.resource.VCores)))
	if !l.env.hadoop.Secure() {
		env["HADOOP_USER_NAME"] = l.env.user
	}
	return env
}

func (l *launcher) resources() map[string]yarnrpc.LocalResource {
	files := map[string]yarnrpc.LocalResource{}
	for _, r := range l.env.app.Resources {
		if r.MasterOnly || l.dedicated() && r.Name == spec.FlinkBinary || !l.dedicated() && r.Name == spec.ProgramBinary {
			continue
		}
		files[r.Name] = r.Local()
	}
	return files
}

// execute carries out the allocator's actions, in order.
func (m *master) execute(actions []alloc.Action) {
	for _, a := range actions {
		switch a := a.(type) {
		case alloc.Ask:
			m.log.Info("Requesting containers.", "priority", a.Priority, "resource", a.Resource, "outstanding", a.Count)
			m.am.SetAsk(a.Priority, a.Resource, a.Count)
			m.hurry()
		case alloc.Release:
			m.log.Info("Returning container.", "container", a.ID, "reason", a.Reason)
			m.am.Release(a.ID)
		case alloc.Start:
			m.start(a.Container)
		case alloc.Stop:
			m.stop(a)
		case alloc.Lost:
			m.lost(a)
		case alloc.Pause:
			m.log.Warn("Too many TaskManagers failed within a minute; no containers are asked for until then.", "failures", a.Failures, "until", a.Until)
		case alloc.WakeAt:
			m.wakeAt(a.Time)
		}
	}
}

// start starts a TaskManager in a container, away from the loop.
func (m *master) start(c alloc.Container) {
	container, known := m.allocated[c.ID]
	if !known { // only containers that a heartbeat brought are started
		m.step(alloc.StartFailed{ID: c.ID})
		return
	}
	launch := m.launch.context()
	m.log.Info(fmt.Sprintf("TaskExecutor %s will be started on %s with %s.", c.ID, c.Node.Host, c.Resource))
	m.background(func(ctx context.Context) {
		err := m.nm.Start(ctx, container, launch)
		m.post(func() {
			if err != nil {
				m.log.Error("Could not start TaskManager in container.", "container", c.ID, "node", c.Node, "error", err)
				m.step(alloc.StartFailed{ID: c.ID})
				return
			}
			m.step(alloc.Started{ID: c.ID})
		})
	})
}

// stop ends a container and gives it back.
func (m *master) stop(a alloc.Stop) {
	m.log.Info("Stopping container.", "container", a.ID, "reason", a.Reason)
	m.am.Release(a.ID)
	m.background(func(ctx context.Context) {
		if err := m.nm.Stop(ctx, a.Node, a.ID); err != nil && ctx.Err() == nil {
			m.log.Warn("Could not stop container; the ResourceManager was told to take it back.", "container", a.ID, "error", err)
		}
	})
}

// lost tells the JobManager that a TaskManager is no more.
func (m *master) lost(a alloc.Lost) {
	delete(m.allocated, a.ID)
	reason := fmt.Sprintf("container %s has ended (%s)", a.ID, describeExit(a.Exit, a.Text))
	m.log.Info("Worker is terminated.", "container", a.ID, "exit", a.Exit, "diagnostics", a.Text)
	m.jm.TaskManagerGone(a.ID.String(), reason)
}

// describeExit says in words why a container ended.
func describeExit(code int32, diagnostics string) string {
	words := map[int32]string{
		yarnrpc.ExitInvalid: "YARN could not start it", yarnrpc.ExitAborted: "its node was lost or it was released",
		yarnrpc.ExitDisksFailed: "the node's disks failed", yarnrpc.ExitPreempted: "it was preempted",
		yarnrpc.ExitPhysicalMemory: "it used more memory than its container has", yarnrpc.ExitVirtualMemory: "it used more virtual memory than allowed",
		yarnrpc.ExitKilledByAM: "we stopped it", yarnrpc.ExitKilledByRM: "the ResourceManager stopped it",
		128 + 9: "it was killed (SIGKILL)", 128 + 15: "it was ended (SIGTERM)",
	}
	text, ok := words[code]
	if !ok {
		text = fmt.Sprintf("exit code %d", code)
	}
	if line := firstLine(diagnostics); line != "" {
		text += ": " + line
	}
	return text
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	const limit = 300
	if len(line) > limit {
		line = line[:limit] + "…"
	}
	return line
}

// wakeAt sets the allocator's alarm clock.
func (m *master) wakeAt(t time.Time) {
	if t.IsZero() {
		m.wake.Stop()
		return
	}
	m.wake.Reset(max(0, time.Until(t)))
}
