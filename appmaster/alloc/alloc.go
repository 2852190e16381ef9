// Package alloc decides which containers an ApplicationMaster asks for, starts, and gives back. It is a pure
// core: Step takes an event and gives the actions to carry out; it has no clock (events carry the time), no I/O,
// no goroutine and no lock. Package appmaster is its shell: it feeds it heartbeats, start results, the
// JobManager's wishes and timers, from one goroutine.
//
// A profile of workers is known by the priority of its asks. Of each profile the allocator holds workers that
// count (allocated, starting, running) and knows how many asks are outstanding.
//
// Invariants, by name (Check verifies the first three):
//
//   - never-more: workers that count and outstanding asks of a profile are together never more than wanted,
//     except for workers taken over from an earlier attempt while nothing is known to be wanted of their profile.
//   - every-container-once: a container that was allocated is a worker, or on its way back, or has ended; nothing
//     else keeps it, and one that was given back never counts again.
//   - asks-are-absolute: an Ask action carries the total of outstanding asks of its profile, and is given only
//     when that total differs from what the ResourceManager counts.
//   - bounded-failures: after too many failures within a minute no ask is raised for a while (Flink's
//     resourcemanager.start-worker.max-failure-rate and retry-interval).
//   - deterministic: the same events give the same actions in the same order.
package alloc

import (
	"fmt"
	"time"

	"goflink/yarnrpc"
)

// Config sets the limits.
type Config struct {
	// MaxFailureRate is how many failures within a minute are borne before new asks pause: Flink's
	// resourcemanager.start-worker.max-failure-rate, default 10. Negative: never pause.
	MaxFailureRate int

	// RetryInterval is the length of such a pause: resourcemanager.start-worker.retry-interval, default 3 s.
	RetryInterval time.Duration

	// RegistrationTimeout is how long a worker may take from its allocation to its registration before it is
	// replaced: resourcemanager.taskmanager-registration.timeout, default 5 min. It also bounds how long workers
	// of an earlier attempt are waited for.
	RegistrationTimeout time.Duration

	// ReleasePrevious gives containers of earlier attempts back instead of waiting for their workers.
	ReleasePrevious bool
}

func (c *Config) setDefaults() {
	if c.MaxFailureRate == 0 {
		c.MaxFailureRate = 10
	}
	if c.RetryInterval <= 0 {
		c.RetryInterval = 3 * time.Second
	}
	if c.RegistrationTimeout <= 0 {
		c.RegistrationTimeout = 5 * time.Minute
	}
}

// failureWindow is the time over which failures are counted.
const failureWindow = time.Minute

// Phase is how far a worker has come.
type Phase int

// Phases of a worker.
const (
	Starting   Phase = iota // its container is allocated, its start ordered
	Running                 // the NodeManager has accepted the start
	Registered              // it has reported to the JobManager
)

// String names the phase.
func (p Phase) String() string { return [...]string{"starting", "running", "registered"}[p] }

// Container is what the allocator needs to know of a container.
type Container struct {
	ID       yarnrpc.ContainerID
	Node     yarnrpc.NodeID
	Resource yarnrpc.Resource
	Priority int32
}

// worker is a container that counts.
type worker struct {
	Container
	phase Phase
	order int64 // of their coming
}

// profile is one kind of worker.
type profile struct {
	resource    yarnrpc.Resource
	wanted      int
	declared    bool // a Desire has come
	workers     map[yarnrpc.ContainerID]*worker
	outstanding int // asks that the ResourceManager counts
	unwanted    map[yarnrpc.ContainerID]bool
}

// deadline is the registration deadline of a worker. All have the same time-out, so that a queue is in order.
type deadline struct {
	id yarnrpc.ContainerID
	at time.Time
}

// State is the allocator's memory. The zero value is not of use; New makes it.
type State struct {
	cfg       Config
	now       time.Time // of the latest event
	profiles  map[int32]*profile
	where     map[yarnrpc.ContainerID]int32 // profile of each worker
	returning map[yarnrpc.ContainerID]bool  // given back, the end not reported yet
	early     map[yarnrpc.ContainerID]bool  // workers that registered before their container was known
	deadlines []deadline
	failures  []time.Time // within the window, oldest first
	paused    time.Time   // no ask is raised before; zero: not paused
	wake      time.Time   // the WakeAt given last
	order     int64       // counts workers
	closing   bool
	out       []Action
}

// New makes an allocator that wants nothing.
func New(cfg Config) *State {
	cfg.setDefaults()
	return &State{
		cfg: cfg, profiles: map[int32]*profile{}, where: map[yarnrpc.ContainerID]int32{}, returning: map[yarnrpc.ContainerID]bool{},
		early: map[yarnrpc.ContainerID]bool{},
	}
}

// Counts describes a profile's state, for metrics and tests.
type Counts struct {
	Wanted, Outstanding, Starting, Running, Registered int
}

// Counts gives the counts of a profile.
func (s *State) Counts(priority int32) Counts {
	p := s.profiles[priority]
	if p == nil {
		return Counts{}
	}
	c := Counts{Wanted: p.wanted, Outstanding: p.outstanding}
	for _, w := range p.workers {
		switch w.phase {
		case Starting:
			c.Starting++
		case Running:
			c.Running++
		case Registered:
			c.Registered++
		}
	}
	return c
}

// Settled tells whether no container is held or on its way back: after Close, whether the end has come.
func (s *State) Settled() bool { return len(s.where) == 0 && len(s.returning) == 0 }

// Check verifies the invariants; tests call it after each step.
func (s *State) Check() error {
	n := 0
	for priority, p := range s.profiles {
		n += len(p.workers)
		if p.outstanding < 0 || p.declared && len(p.workers)+p.outstanding > p.wanted {
			return fmt.Errorf("profile %d: %d workers and %d asks, wanted are %d", priority, len(p.workers), p.outstanding, p.wanted)
		}
		for id := range p.workers {
			if s.where[id] != priority || s.returning[id] {
				return fmt.Errorf("container %s of profile %d is booked elsewhere too", id, priority)
			}
		}
	}
	if n != len(s.where) {
		return fmt.Errorf("%d workers, %d are known", n, len(s.where))
	}
	return nil
}

// profile gives the profile of a priority, made if need be.
func (s *State) profile(priority int32) *profile {
	p := s.profiles[priority]
	if p == nil {
		p = &profile{workers: map[yarnrpc.ContainerID]*worker{}, unwanted: map[yarnrpc.ContainerID]bool{}}
		s.profiles[priority] = p
	}
	return p
}
