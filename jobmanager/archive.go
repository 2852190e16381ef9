package jobmanager

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"goflink/conf"
	"goflink/jobmanager/execution"
	"goflink/jobmanager/rest"
)

// ended is what is kept of a job that has ended, here and in the recovery store.
type ended struct {
	Version     int
	Job         rest.Job
	Result      rest.JobResult
	Checkpoints rest.CheckpointHistory
	Settings    rest.CheckpointSettings
	Metrics     map[string]string
}

const endedVersion = 1

// endedLimit bounds what goes into the recovery store; a larger job is stored
// without what only the web page shows.
const endedLimit = 512 << 10

func encodeEnded(o *ended) ([]byte, error) {
	o.Version = endedVersion
	b, err := json.Marshal(o)
	if err != nil || len(b) <= endedLimit {
		return b, err
	}
	small := &ended{Version: endedVersion, Job: rest.Job{JobSummary: o.Job.JobSummary, Entered: o.Job.Entered, MaxParallelism: o.Job.MaxParallelism}, Result: o.Result}
	if f := small.Result.Failure; f != nil {
		g := *f
		g.Message, g.Concurrent = g.Message[:min(len(g.Message), maxFailureText)], nil
		small.Result.Failure = &g
	}
	return json.Marshal(small)
}

func decodeEnded(b []byte) (*ended, error) {
	o := &ended{}
	if err := json.Unmarshal(b, o); err != nil {
		return nil, fmt.Errorf("the record of an ended job is damaged: %w", err)
	}
	if o.Version != endedVersion || o.Job.ID == "" || !execution.JobState(o.Result.State).Terminal() {
		return nil, fmt.Errorf("the record of an ended job has version %d and state %q", o.Version, o.Result.State)
	}
	return o, nil
}

// unreadable stands for a job of which only is known that it ended.
func unreadable(id string) *ended {
	s := rest.JobSummary{ID: id, Name: "(unknown)", State: string(execution.JobFinished)}
	return &ended{Version: endedVersion, Job: rest.Job{JobSummary: s, MaxParallelism: -1}, Result: rest.JobResult{State: s.State}}
}

// archive are the jobs that have ended, as many and as long as configured. It
// belongs to the cluster's loop.
type archive struct {
	keep  int
	ttl   time.Duration
	jobs  map[string]*ended
	order []string // oldest first
	since map[string]time.Time
}

func newArchive(c *conf.Config) archive {
	return archive{keep: conf.JobStoreMaxCapacity.Get(c), ttl: time.Duration(conf.JobStoreExpirationTime.Get(c)) * time.Second,
		jobs: map[string]*ended{}, since: map[string]time.Time{}}
}

func (a *archive) get(id string) *ended { return a.jobs[id] }

func (a *archive) add(o *ended, now time.Time) {
	if a.jobs[o.Job.ID] == nil {
		a.order = append(a.order, o.Job.ID)
	}
	a.jobs[o.Job.ID], a.since[o.Job.ID] = o, now
	for len(a.order) > max(1, a.keep) {
		a.drop(a.order[0])
	}
}

func (a *archive) drop(id string) {
	delete(a.jobs, id)
	delete(a.since, id)
	a.order = slices.DeleteFunc(a.order, func(x string) bool { return x == id })
}

// expire forgets what is too old.
func (a *archive) expire(now time.Time) {
	for _, id := range slices.Clone(a.order) {
		if now.Sub(a.since[id]) > a.ttl {
			a.drop(id)
		}
	}
}
