package slots

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Config says how slots are given out and when TaskManagers come and go.
type Config struct {
	// Spread takes slots evenly from all TaskManagers
	// (cluster.evenly-spread-out-slots, taskmanager.load-balance.mode: SLOTS);
	// otherwise one TaskManager is filled before the next, so that others
	// become idle.
	Spread bool
	// Whole gives a job all slots of a TaskManager at once, so that it has one
	// worker there: for TaskManagers that run the job in their own process.
	Whole bool
	// Elastic is true when TaskManagers can be asked for and released.
	Elastic bool
	// SlotsPerTaskManager is how many slots a new TaskManager brings
	// (taskmanager.numberOfTaskSlots).
	SlotsPerTaskManager int
	// Min is how many TaskManagers are kept even when idle.
	Min int
	// MaxSlots bounds what is asked for (slotmanager.number-of-slots.max);
	// 0: no bound.
	MaxSlots int
	// Redundant TaskManagers are kept beyond what is needed
	// (slotmanager.redundant-taskmanager-num).
	Redundant int
	// IdleTimeout is after which an idle TaskManager is released
	// (resourcemanager.taskmanager-timeout).
	IdleTimeout time.Duration
	// RequestTimeout is how long a job waits for its slots
	// (slot.request.timeout).
	RequestTimeout time.Duration
	// WorkerPrefix begins the ids of workers: they must not repeat those of an
	// earlier JobManager of the cluster.
	WorkerPrefix string
}

// Slot is one slot that a job holds.
type Slot struct {
	TaskManager string
	Host        string
	Worker      string
	// Index is the slot's number within its worker, Number within its
	// TaskManager.
	Index, Number int
}

// TaskManager is what the pool knows of one.
type TaskManager struct {
	ID, Host string
	Slots    []Holder
	// Idle is since when no slot is held; zero while one is.
	Idle time.Time
	// Releasing is true once it was told to go: nothing is placed there.
	Releasing bool

	free int // slots without a holder
}

// Holder is who has a slot; the zero value is nobody.
type Holder struct {
	Job, Worker string
	// Index is the slot's number within the worker.
	Index int
	// Stopping is true when the worker was told to end.
	Stopping bool
}

// Free tells how many slots nobody holds.
func (t *TaskManager) Free() int { return t.free }

func (t *TaskManager) used() int { return len(t.Slots) - t.free }

// request is what a job wants; it stays from Request to Release.
type request struct {
	job, name string
	slots     int
	pending   bool // not answered yet
	since     time.Time

	// Of an adaptive job:
	adaptive bool
	desired  int
	told     int // Available; -1: not yet
}

// Pool is the slot pool of a cluster.
type Pool struct {
	cfg      Config
	tms      map[string]*TaskManager
	order    []*TaskManager          // by id
	places   map[string]*TaskManager // by worker
	requests []*request              // in order of arrival
	sum      sums
	workers  int
	declared int
}

// New makes an empty pool.
func New(cfg Config) *Pool {
	cfg.SlotsPerTaskManager = max(1, cfg.SlotsPerTaskManager)
	return &Pool{cfg: cfg, tms: map[string]*TaskManager{}, places: map[string]*TaskManager{}, sum: sums{held: map[string]int{}}}
}

// TaskManagers are those registered, sorted by id. The slice is a copy, what it
// points to is the pool's.
func (p *Pool) TaskManagers() []*TaskManager { return slices.Clone(p.order) }

func byID(t *TaskManager, id string) int { return cmp.Compare(t.ID, id) }

func (p *Pool) insert(t *TaskManager) {
	i, _ := slices.BinarySearchFunc(p.order, t.ID, byID)
	p.order = slices.Insert(p.order, i, t)
	p.tms[t.ID] = t
	p.count(t, 1)
}

func (p *Pool) remove(id string) {
	p.count(p.tms[id], -1)
	delete(p.tms, id)
	if i, ok := slices.BinarySearchFunc(p.order, id, byID); ok {
		p.order = slices.Delete(p.order, i, i+1)
	}
}

// Total and Free count slots, without those of TaskManagers being released.
func (p *Pool) Total() (total, free int) { return p.sum.slots, p.sum.free }

// Held are the slots of a job whose workers were not told to stop, in the
// order in which its subtasks use them.
func (p *Pool) Held(job string) []Slot {
	var out []Slot
	for _, t := range p.order {
		for i, h := range t.Slots {
			if h.Job == job && !h.Stopping && !t.Releasing {
				out = append(out, Slot{TaskManager: t.ID, Host: t.Host, Worker: h.Worker, Index: h.Index, Number: i})
			}
		}
	}
	if p.cfg.Spread {
		interleave(out)
	}
	return out
}

// interleave puts the first slots of all TaskManagers before the second ones,
// so that a vertex with few subtasks is spread too.
func interleave(list []Slot) {
	seen := map[string]int{}
	rank := make(map[Slot]int, len(list))
	for _, s := range list {
		rank[s] = seen[s.TaskManager]
		seen[s.TaskManager]++
	}
	slices.SortStableFunc(list, func(a, b Slot) int { return cmp.Compare(rank[a], rank[b]) })
}

// Deadline is when Tick has to be given next; the zero time when nothing is
// awaited.
func (p *Pool) Deadline() time.Time {
	var next time.Time
	earlier := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	for _, r := range p.requests {
		if r.pending {
			earlier(r.since.Add(p.cfg.RequestTimeout))
		}
	}
	if p.cfg.Elastic && p.surplus() > 0 {
		earlier(p.longestIdle().Add(p.cfg.IdleTimeout))
	}
	return next
}

// surplus is how many TaskManagers may be released.
func (p *Pool) surplus() int {
	wanted := p.wanted()
	if wanted > p.sum.open {
		return 0
	}
	idle := p.sum.taskManagers - p.sum.busy
	per := p.cfg.SlotsPerTaskManager
	// What a job desires stays, though the job may not take it yet.
	reserved := (max(0, wanted-(p.sum.free-idle*per)) + per - 1) / per
	keep := max(p.cfg.Min-p.sum.busy, 0)
	if p.sum.busy > 0 {
		keep = max(keep, p.cfg.Redundant)
	}
	return idle - max(keep, reserved)
}

// missing is how many slots jobs want beyond those that are free or about to
// be.
func (p *Pool) missing() int { return max(0, p.wanted()-p.sum.open) }

// wanted is how many slots jobs want beyond those that they hold.
func (p *Pool) wanted() int {
	n := 0
	for _, r := range p.requests {
		n += max(0, r.slots-p.sum.held[r.job], r.desired-p.sum.held[r.job])
	}
	return n
}

func (p *Pool) find(job string) *request {
	for _, r := range p.requests {
		if r.job == job {
			return r
		}
	}
	return nil
}

func (p *Pool) newWorker() string {
	p.workers++
	return fmt.Sprintf("%s%d", p.cfg.WorkerPrefix, p.workers)
}
