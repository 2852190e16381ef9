package adaptive

import (
	"fmt"
	"maps"
	"time"
)

// Config is how patient a job is.
type Config struct {
	// WaitTimeout is how long it waits for sufficient slots before it fails
	// (jobmanager.adaptive-scheduler.resource-wait-timeout); negative: for ever.
	WaitTimeout time.Duration
	// StabilizationTimeout is how long it waits for the desired slots once there
	// are sufficient ones
	// (jobmanager.adaptive-scheduler.resource-stabilization-timeout).
	StabilizationTimeout time.Duration
	// MinInterval is how long it runs before it is rescaled
	// (jobmanager.adaptive-scheduler.scaling-interval.min).
	MinInterval time.Duration
	// MaxInterval is after which it is rescaled even by less than MinIncrease
	// (jobmanager.adaptive-scheduler.scaling-interval.max); 0: never.
	MaxInterval time.Duration
	// MinIncrease is the least increase in a vertex's parallelism that is worth a
	// rescale, unless it brings the desired parallelism
	// (jobmanager.adaptive-scheduler.min-parallelism-increase); at least 1.
	MinIncrease int
}

// phase is what the job does.
type phase int

const (
	stopped phase = iota // or about to be
	waiting
	executing
)

// Decider decides for one job.
type Decider struct {
	cfg    Config
	job    *Job
	need   Requirements
	demand *demand

	phase phase
	slots int         // that the job has or could have
	since time.Time   // of the phase
	ample time.Time   // since when the slots are sufficient, while waiting
	now   Parallelism // while executing, what it runs with
	want  Parallelism // while executing, what slots allowed last
	asked time.Time   // since when want differs from now
	// hurry: it was stopped for a rescale, and starts with what there is as soon as
	// that takes so many slots; 0: it waits as after a failure.
	hurry int
}

// New makes the Decider of a job that has not started.
func New(cfg Config, job *Job, r Requirements) *Decider {
	cfg.MinIncrease = max(1, cfg.MinIncrease)
	return &Decider{cfg: cfg, job: job, need: maps.Clone(r), demand: newDemand(job, r)}
}

// Requirements are the bounds of all vertices.
func (d *Decider) Requirements() Requirements { return d.job.Resolve(d.need) }

// Job is what bounds are compared with.
func (d *Decider) Job() *Job { return d.job }

// Desired is how many slots the job needs for its upper bounds.
func (d *Decider) Desired() int { return d.demand.desired }

// Event is something that happened to the job or its slots.
type Event interface{ event() }

// Wait tells that nothing of the job runs, and that it may start.
type Wait struct{}

// Slots tells how many slots the job holds or could take.
type Slots struct{ Slots int }

// Require gives the job other bounds, which are valid.
type Require struct{ Requirements Requirements }

// Stop tells that the job is being stopped, by a failure or for good.
type Stop struct{}

// Tick tells the time, at Deadline or later.
type Tick struct{}

func (Wait) event()    {}
func (Slots) event()   {}
func (Require) event() {}
func (Stop) event()    {}
func (Tick) event()    {}

// Action is something that the caller has to do, in the order given.
type Action interface{ action() }

// Declare tells how many slots the job desires, for whoever can get some.
type Declare struct{ Slots int }

// Start runs the job, on so many slots.
type Start struct {
	Parallelism Parallelism
	Slots       int
}

// Rescale stops the job so that it starts again with another parallelism; answer
// with Wait.
type Rescale struct{ Reason string }

// Fail fails the job for good.
type Fail struct{ Reason string }

func (Declare) action() {}
func (Start) action()   {}
func (Rescale) action() {}
func (Fail) action()    {}

// Step takes one event and returns what is to be done.
func (d *Decider) Step(now time.Time, ev Event) []Action {
	var out []Action
	switch ev := ev.(type) {
	case Wait:
		d.phase, d.since, d.ample = waiting, now, time.Time{}
		out = append(out, Declare{d.demand.desired})
	case Slots:
		d.slots = ev.Slots
	case Require:
		d.need, d.demand = maps.Clone(ev.Requirements), newDemand(d.job, ev.Requirements)
		out = append(out, Declare{d.demand.desired})
	case Stop:
		d.phase, d.hurry = stopped, 0
	}
	switch d.phase {
	case waiting:
		return append(out, d.wait(now)...)
	case executing:
		return append(out, d.compare(now)...)
	}
	return out
}

// Deadline is when Tick has to be given; the zero time when nothing is awaited.
func (d *Decider) Deadline() time.Time {
	switch {
	case d.phase == waiting && !d.ample.IsZero():
		return d.ample.Add(d.cfg.StabilizationTimeout)
	case d.phase == waiting && d.cfg.WaitTimeout >= 0:
		return d.since.Add(d.cfg.WaitTimeout)
	case d.phase == executing && !d.asked.IsZero():
		return d.due()
	}
	return time.Time{}
}

// wait starts the job when it is time.
func (d *Decider) wait(now time.Time) []Action {
	p, enough := d.demand.with(d.slots)
	switch {
	case !enough:
		d.ample = time.Time{}
		if d.cfg.WaitTimeout >= 0 && !now.Before(d.since.Add(d.cfg.WaitTimeout)) {
			d.phase = stopped
			return []Action{Fail{d.shortage()}}
		}
		return nil
	case d.ample.IsZero():
		d.ample = now
	}
	slots, ready := d.job.slots(p), d.slots >= d.demand.desired
	if d.hurry > 0 {
		ready = ready || slots >= d.hurry
	}
	if !ready && now.Before(d.ample.Add(d.cfg.StabilizationTimeout)) {
		return nil
	}
	d.phase, d.since, d.now, d.want, d.asked, d.hurry = executing, now, p, p, time.Time{}, 0
	return []Action{Start{Parallelism: p, Slots: slots}}
}

func (d *Decider) shortage() string {
	return fmt.Sprintf("the job needs at least %d slots and could have %d after %s (jobmanager.adaptive-scheduler.resource-wait-timeout): "+
		"start more TaskManagers, or lower the lower bounds of its parallelism", d.demand.sufficient, d.slots, d.cfg.WaitTimeout)
}

// compare rescales the job when its slots allow, or its bounds demand, something
// else than what it runs with. It keeps the slots that it runs on.
func (d *Decider) compare(now time.Time) []Action {
	p, enough := d.demand.with(max(d.slots, d.job.slots(d.now)))
	if !enough || maps.Equal(p, d.now) { // too few for new lower bounds: it goes on as it is
		d.want, d.asked = d.now, time.Time{}
		return nil
	}
	d.want = p
	if d.asked.IsZero() {
		d.asked = now
	}
	if due := d.due(); due.IsZero() || now.Before(due) {
		return nil
	}
	d.phase, d.hurry = stopped, d.job.slots(d.want)
	return []Action{Rescale{d.reason()}}
}

// due is when the job is to be rescaled to what it wants; zero: not at all.
func (d *Decider) due() time.Time {
	at := d.since.Add(d.cfg.MinInterval)
	if d.worthwhile() {
		return at
	}
	if d.cfg.MaxInterval <= 0 {
		return time.Time{}
	}
	if late := d.asked.Add(d.cfg.MaxInterval); late.After(at) {
		at = late
	}
	return at
}

// worthwhile tells that the change is large enough, or the last one.
func (d *Decider) worthwhile() bool {
	desired, _ := d.demand.with(d.demand.desired)
	for id, n := range d.want {
		switch grown := n - d.now[id]; {
		case grown < 0, grown >= d.cfg.MinIncrease, grown > 0 && n == desired[id]:
			return true
		}
	}
	return false
}

func (d *Decider) reason() string {
	before, after := d.job.slots(d.now), d.job.slots(d.want)
	if before == after {
		return fmt.Sprintf("the job's parallelism changes, on %d slots", after)
	}
	return fmt.Sprintf("the job goes from %d to %d slots", before, after)
}
