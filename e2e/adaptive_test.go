//go:build e2e

package e2e

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"goflink/internal/testbed"
)

// TestAdaptive gives a running job other bounds: containers come, and go again, and
// what it writes is what a job that nobody touched would have written.
func TestAdaptive(t *testing.T) {
	t.Parallel()
	b := onYarn(t)
	w := windows{records: 200_000, keys: 200, rate: 4000}
	args := append([]string{"run", "-t", "yarn-per-job", "-p", "2", "-Djobmanager.scheduler=Adaptive", "-Djobmanager.adaptive-scheduler.scaling-interval.min=1s"}, checkpointing(b)...)
	p := b.Start(testbed.Command{}, b.Bin("flink"), append(append(args, jobs["windowed"]), w.args(b.URI("out"))...)...)
	job := p.Await(testbed.JobID, time.Minute)
	id := b.Applications()[0].ID
	jm := b.Of(id)
	jm.AwaitRunning(job, time.Minute)
	for _, n := range []int{3, 1} {
		bound(b, b.BehindProxy(id), job, n)
		b.Eventually("the job has other containers", time.Minute, func() bool {
			j, err := jm.Job(job)
			return err == nil && j.AllRunning() && jm.Parallelism(job) == n && len(b.InRole(id, "taskmanager")) == n
		})
	}
	p.Wait(3 * time.Minute).OK(t)
	b.AwaitEnd(id, "SUCCEEDED", 30*time.Second)
	w.check(b, b.FS(), b.Dir+"/out")
}

// bound sets the highest parallelism of all vertices of a job.
func bound(b *testbed.Bed, jm *testbed.JobManager, job string, upper int) {
	b.T.Helper()
	type bounds struct {
		Lower int `json:"lowerBound"`
		Upper int `json:"upperBound"`
	}
	vertices := map[string]struct {
		Parallelism *bounds `json:"parallelism"`
	}{}
	path := "/jobs/" + job + "/resource-requirements"
	b.Must(jm.Get(path, &vertices))
	for _, v := range vertices {
		v.Parallelism.Upper = upper
	}
	body, err := json.Marshal(vertices)
	b.Must(err)
	b.Must(jm.Send(http.MethodPut, path, string(body), nil))
}
