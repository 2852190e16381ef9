package testbed

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"goflink/yarnrpc"
)

// JobManager asks the REST API of a cluster. What cannot be asked right now
// (the JobManager is starting, or paused) is "not yet": the methods poll.
type JobManager struct {
	bed *Bed
	// address finds the API: it moves with the ApplicationMaster.
	address func() (string, error)
}

// Of is the JobManager of a YARN application, asked directly.
func (b *Bed) Of(id string) *JobManager {
	b.T.Helper()
	rm := b.Client()
	app, err := yarnrpc.ParseApplicationID(id)
	b.must(err)
	return &JobManager{bed: b, address: func() (string, error) {
		ctx, cancel := context.WithTimeout(context.Background(), httpLimit)
		defer cancel()
		r, err := rm.Report(ctx, app)
		if err != nil {
			return "", err
		}
		u, err := url.Parse(r.OriginalTrackingURL)
		if err != nil || u.Host == "" {
			return "", fmt.Errorf("%s has no address yet", id)
		}
		return "http://" + u.Host, nil
	}}
}

// BehindProxy is the JobManager of an application through the
// ResourceManager's proxy.
func (b *Bed) BehindProxy(id string) *JobManager {
	base := b.Cluster.Getenv("YARN_RM_WEBAPP") + "/proxy/" + id
	return &JobManager{bed: b, address: func() (string, error) { return base, nil }}
}

// At is the JobManager at an address.
func (b *Bed) At(address string) *JobManager {
	return &JobManager{bed: b, address: func() (string, error) { return address, nil }}
}

// Fixed is the JobManager at the address it has right now: after a failover it
// is still the old one's.
func (j *JobManager) Fixed() *JobManager {
	j.bed.T.Helper()
	var address string
	j.bed.Eventually("the JobManager's address", 30*time.Second, func() bool {
		var err error
		address, err = j.address()
		return err == nil
	})
	return j.bed.At(address)
}

// Get asks once.
func (j *JobManager) Get(path string, into any) error {
	base, err := j.address()
	if err != nil {
		return err
	}
	return get(base+path, into)
}

// Send sends a request with a body and reads the answer into into (nil: it does
// not count).
func (j *JobManager) Send(method, path, body string, into any) error {
	base, err := j.address()
	if err != nil {
		return err
	}
	return send(method, base+path, strings.NewReader(body), into)
}

// Job is what the API tells of a job.
type Job struct {
	ID       string           `json:"jid"`
	Name     string           `json:"name"`
	State    string           `json:"state"`
	Counts   map[string]int   `json:"status-counts"`
	Times    map[string]int64 `json:"timestamps"`
	Vertices []struct {
		ID          string         `json:"id"`
		Name        string         `json:"name"`
		Parallelism int            `json:"parallelism"`
		Status      string         `json:"status"`
		Tasks       map[string]int `json:"tasks"`
	} `json:"vertices"`
}

// AllRunning tells whether each task of the job runs.
func (j Job) AllRunning() bool {
	for _, v := range j.Vertices {
		if v.Tasks["RUNNING"] != v.Parallelism {
			return false
		}
	}
	return j.State == "RUNNING" && len(j.Vertices) > 0
}

// Job asks for a job.
func (j *JobManager) Job(id string) (Job, error) {
	var job Job
	return job, j.Get("/jobs/"+id, &job)
}

// Jobs lists the cluster's jobs.
func (j *JobManager) Jobs() ([]Job, error) {
	var answer struct {
		Jobs []Job `json:"jobs"`
	}
	return answer.Jobs, j.Get("/jobs/overview", &answer)
}

// OnlyJob waits for the cluster's one job and returns its id.
func (j *JobManager) OnlyJob(limit time.Duration) string {
	j.bed.T.Helper()
	var id string
	j.bed.Eventually("the cluster has a job", limit, func() bool {
		jobs, err := j.Jobs()
		if err == nil && len(jobs) == 1 {
			id = jobs[0].ID
		}
		return id != ""
	})
	return id
}

// AwaitRunning waits until all tasks of a job run.
func (j *JobManager) AwaitRunning(id string, limit time.Duration) {
	j.bed.T.Helper()
	j.await(id, limit, "all tasks run", Job.AllRunning)
}

// AwaitState waits for a state of the job.
func (j *JobManager) AwaitState(id, state string, limit time.Duration) {
	j.bed.T.Helper()
	j.await(id, limit, state, func(job Job) bool { return job.State == state })
}

func (j *JobManager) await(id string, limit time.Duration, what string, ok func(Job) bool) {
	j.bed.T.Helper()
	var last Job
	var err error
	if !Poll(limit, func() bool { last, err = j.Job(id); return err == nil && ok(last) }) {
		j.bed.T.Fatalf("job %s: %s: not within %v (last: %s, %v, %v)", id, what, limit, last.State, last.Counts, err)
	}
}

// Checkpoints counts a job's checkpoints.
type Checkpoints struct {
	Counts struct {
		Restored  int64 `json:"restored"`
		Completed int64 `json:"completed"`
		Failed    int64 `json:"failed"`
		Total     int64 `json:"total"`
	} `json:"counts"`
	Latest struct {
		Completed *struct {
			ID   int64  `json:"id"`
			Path string `json:"external_path"`
			Size int64  `json:"state_size"`
		} `json:"completed"`
	} `json:"latest"`
}

// Checkpoints asks for the statistics of a job's checkpoints.
func (j *JobManager) Checkpoints(id string) (Checkpoints, error) {
	var c Checkpoints
	return c, j.Get("/jobs/"+id+"/checkpoints", &c)
}

// AwaitCheckpoints waits until n more checkpoints are complete.
func (j *JobManager) AwaitCheckpoints(id string, n int64, limit time.Duration) Checkpoints {
	j.bed.T.Helper()
	base := int64(-1)
	var last Checkpoints
	var err error
	if !Poll(limit, func() bool {
		if last, err = j.Checkpoints(id); err != nil {
			return false
		}
		if base < 0 || last.Counts.Completed < base { // a new JobManager counts anew
			base = last.Counts.Completed
		}
		return last.Counts.Completed >= base+n
	}) {
		job, _ := j.Job(id) // for the message only
		j.bed.T.Fatalf("job %s: %d checkpoints: not within %v (last: %+v, job %s %v, %v)", id, n, limit, last.Counts, job.State, job.Counts, err)
	}
	return last
}

// Restarts is how often a job has restarted.
func (j *JobManager) Restarts(id string) string {
	j.bed.T.Helper()
	var metrics []struct{ ID, Value string }
	j.bed.Eventually("numRestarts of "+id, 10*time.Second, func() bool {
		return j.Get("/jobs/"+id+"/metrics?get=numRestarts", &metrics) == nil && len(metrics) == 1
	})
	return metrics[0].Value
}

// Exceptions are the failures of a job, newest first, as text.
func (j *JobManager) Exceptions(id string) []string {
	j.bed.T.Helper()
	var answer struct {
		History struct {
			Entries []struct {
				Name  string `json:"exceptionName"`
				Stack string `json:"stacktrace"`
			} `json:"entries"`
		} `json:"exceptionHistory"`
	}
	j.bed.Eventually("exceptions of "+id, 10*time.Second, func() bool { return j.Get("/jobs/"+id+"/exceptions", &answer) == nil })
	var out []string
	for _, e := range answer.History.Entries {
		out = append(out, e.Name+": "+e.Stack)
	}
	return out
}

// Parallelism is the largest one of the job's vertices.
func (j *JobManager) Parallelism(id string) int {
	j.bed.T.Helper()
	most := 0
	j.await(id, 10*time.Second, "its vertices", func(job Job) bool {
		for _, v := range job.Vertices {
			most = max(most, v.Parallelism)
		}
		return most > 0
	})
	return most
}

// For is the same JobManager, asked for another test.
func (j *JobManager) For(b *Bed) *JobManager { return &JobManager{bed: b, address: j.address} }

// Attempt is the lowest number of the attempts of a job's tasks; -1 when it
// cannot be asked right now.
func (j *JobManager) Attempt(id string) int {
	job, err := j.Job(id)
	if err != nil {
		return -1
	}
	lowest := -1
	for _, v := range job.Vertices {
		var vertex struct {
			Subtasks []struct {
				Attempt int `json:"attempt"`
			} `json:"subtasks"`
		}
		if j.Get("/jobs/"+id+"/vertices/"+v.ID, &vertex) != nil {
			return -1
		}
		for _, s := range vertex.Subtasks {
			if lowest < 0 || s.Attempt < lowest {
				lowest = s.Attempt
			}
		}
	}
	return lowest
}
