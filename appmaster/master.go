package appmaster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"goflink/appmaster/alloc"
	"goflink/conf"
	"goflink/jobmanager"
	"goflink/jobmanager/ha"
	"goflink/jobmanager/host"
	"goflink/jobmanager/rest"
	"goflink/yarnrpc"
)

// master is a running ApplicationMaster. Its fields belong to the loop, except
// those that are safe for everyone (events, log, am, nm, jm, ctx).
type master struct {
	env       *environment
	log       *slog.Logger
	am        *yarnrpc.AM
	nm        *yarnrpc.NM
	jm        *jobmanager.JobManager
	host      *host.Host
	launch    *launcher
	fetched   chan string // ids of jobs whose result a client has
	posted    chan struct{}
	released  []yarnrpc.ContainerID // given up by the JobManager, not settled yet
	alloc     *alloc.State
	wake      *time.Timer
	beatSoon  chan struct{}
	allocated map[yarnrpc.ContainerID]yarnrpc.Container
	desire    alloc.Desire
	tasks     sync.WaitGroup
	ctx       context.Context // ends with the master, or with what makes it end
	cancel    context.CancelCauseFunc
	events    struct {
		sync.Mutex
		queue []func()
	}
}

var _ jobmanager.ResourceProvider = (*master)(nil)

// Heartbeat intervals: Flink's yarn.heartbeat.interval (5 s) is for large
// clusters at rest; one second keeps the reaction to lost containers short.
const (
	restingBeat = time.Second
	// hurriedBeat is for outstanding asks: a NodeManager reports each second
	// or less often, so that more would only load the scheduler.
	hurriedBeat = 100 * time.Millisecond
)

// post runs f on the loop, after what was posted before. It never blocks: the
// JobManager calls it on its own loop.
func (m *master) post(f func()) {
	m.events.Lock()
	m.events.queue = append(m.events.queue, f)
	m.events.Unlock()
	select {
	case m.posted <- struct{}{}:
	default:
	}
}

// take empties the queue of posted functions.
func (m *master) take() []func() {
	m.events.Lock()
	defer m.events.Unlock()
	queue := m.events.queue
	m.events.queue = nil
	return queue
}

// background runs f beside the loop; Run waits for it.
func (m *master) background(f func(ctx context.Context)) {
	m.tasks.Go(func() { f(m.ctx) })
}

// step lets the allocator decide and does what it says.
func (m *master) step(e alloc.Event) { m.execute(m.alloc.Step(time.Now(), e)) }

// hurry makes the next heartbeat come at once.
func (m *master) hurry() {
	select {
	case m.beatSoon <- struct{}{}:
	default:
	}
}

// loop handles events until the master's context ends.
func (m *master) loop() {
	for {
		select {
		case <-m.posted:
			for _, f := range m.take() {
				f()
			}
		case <-m.wake.C:
			m.step(alloc.Tick{})
		case <-m.ctx.Done():
			return
		}
	}
}

// beat makes heartbeats until the context ends. They may take long, when the
// ResourceManager is away: so they have a goroutine of their own.
func (m *master) beat(ctx context.Context) {
	interval := restingBeat
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-m.beatSoon:
		}
		update, err := m.am.Allocate(ctx, m.progress(ctx))
		switch {
		case err == nil:
			m.post(func() { m.update(update) })
		case errors.Is(err, yarnrpc.ErrAttemptEnded):
			m.cancel(fmt.Errorf("the ResourceManager has ended this attempt: %w", err))
			return
		case ctx.Err() == nil:
			m.log.Warn("Heartbeat to the ResourceManager failed; trying again.", "error", err)
		}
		interval = restingBeat
		if m.am.Outstanding(workerPriority) > 0 {
			interval = hurriedBeat
		}
		timer.Reset(interval)
	}
}

// progress is what YARN's pages show: the part of the subtasks that are done.
// Of a job without an end none ever is.
func (m *master) progress(ctx context.Context) float32 {
	ctx, cancel := context.WithTimeout(ctx, restingBeat)
	defer cancel()
	jobs, err := m.jm.REST().JobSummaries(ctx)
	if err != nil {
		return 0 // the JobManager is ending
	}
	return progressOf(jobs)
}

func progressOf(jobs []rest.JobSummary) float32 {
	done, all := 0, 0
	for _, j := range jobs {
		for state, n := range j.Tasks {
			all += n
			if strings.EqualFold(state, "finished") {
				done += n
			}
		}
	}
	return float32(done) / float32(max(1, all))
}

// update hands a heartbeat's answer to the allocator.
func (m *master) update(u yarnrpc.Update) {
	if len(u.Previous) > 0 {
		m.step(alloc.Previous{Containers: m.know(u.Previous)})
	}
	if len(u.Allocated) > 0 {
		m.step(alloc.Allocated{Containers: m.know(u.Allocated)})
	}
	for _, c := range u.Completed {
		m.step(alloc.Completed{ID: c.ID, Exit: c.ExitStatus, Text: c.Diagnostics})
	}
}

// know remembers containers, whose tokens are needed to start them.
func (m *master) know(list []yarnrpc.Container) []alloc.Container {
	out := make([]alloc.Container, 0, len(list))
	for _, c := range list {
		m.allocated[c.ID] = c
		out = append(out, alloc.Container{ID: c.ID, Node: c.Node, Resource: c.Resource, Priority: c.Priority})
	}
	return out
}

// Declare implements jobmanager.ResourceProvider.
func (m *master) Declare(taskManagers int) {
	m.post(func() {
		m.desire.Count = taskManagers
		m.settle()
	})
}

// releaseGrace is how long a released TaskManager waits for the declaration
// that it is no longer wanted, which follows at once when it idled. Without
// one it was lost and is replaced.
const releaseGrace = 100 * time.Millisecond

// Release implements jobmanager.ResourceProvider.
func (m *master) Release(id, reason string) {
	m.post(func() {
		c, err := yarnrpc.ParseContainerID(id)
		if err != nil {
			m.log.Error("A TaskManager with an id that is no container's was released.", "id", id, "error", err)
			return
		}
		m.log.Info("The JobManager gives up a TaskManager.", "container", id, "reason", reason)
		m.released = append(m.released, c)
		time.AfterFunc(releaseGrace, func() { m.post(m.settle) })
	})
}

// settle applies what was declared and released so far, together: a released
// TaskManager that is still wanted is replaced, another one is not.
func (m *master) settle() {
	released := m.released
	m.released = nil
	m.desire.Unwanted = released
	m.step(m.desire)
	for _, id := range released {
		m.step(alloc.Discard{ID: id})
	}
}

// Registered implements jobmanager.ResourceProvider.
func (m *master) Registered(id string) {
	m.post(func() {
		if c, err := yarnrpc.ParseContainerID(id); err == nil {
			m.step(alloc.WorkerRegistered{ID: c})
		}
	})
}

// allocConfig reads the allocator's limits.
func allocConfig(c *conf.Config) alloc.Config {
	return alloc.Config{
		MaxFailureRate:      int(conf.ResourceManagerStartWorkerMaxFailureRate.Get(c)),
		RetryInterval:       conf.ResourceManagerStartWorkerRetryInterval.Get(c),
		RegistrationTimeout: conf.ResourceManagerRegistrationTimeout.Get(c),
	}
}

// fenced tells whether an error means that another attempt is at work.
func fenced(err error) bool {
	return errors.Is(err, ha.ErrFenced) || errors.Is(err, yarnrpc.ErrAttemptEnded)
}
