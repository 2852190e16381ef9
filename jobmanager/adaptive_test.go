package jobmanager

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"goflink/control"
	"goflink/graph"
	"goflink/jobmanager/rest"
)

// adaptiveConfig makes a job's scheduler the adaptive one.
func adaptiveConfig(more map[string]string) map[string]string {
	c := map[string]string{"jobmanager.scheduler": "adaptive", "jobmanager.adaptive-scheduler.scaling-interval.min": "5s",
		"jobmanager.adaptive-scheduler.resource-stabilization-timeout": "2s", "restart-strategy.type": "none"}
	maps.Copy(c, more)
	return c
}

// adaptiveJobOf is testJob with a program that can be rescaled.
func adaptiveJobOf(p int32, more map[string]string) *graph.JobGraph {
	g := testJob(p, adaptiveConfig(more))
	g.Rescales = true
	return g
}

// sizes are the subtasks of each vertex that run.
func sizes(j *rest.Job) string {
	var out []string
	for _, v := range j.Vertices {
		n := 0
		for _, s := range v.Subtasks {
			if s.State == "RUNNING" {
				n++
			}
		}
		if n != v.Parallelism {
			return ""
		}
		out = append(out, fmt.Sprint(n))
	}
	return strings.Join(out, " ")
}

// size waits until a job runs with this parallelism.
func (c *cluster) size(id, want string) {
	c.t.Helper()
	c.turn("parallelism "+want, func() bool { j := c.job(id); return j.State == "RUNNING" && sizes(j) == want })
}

func (c *cluster) bounds(id string, lower, upper int) error {
	r := map[string]rest.ParallelismBounds{}
	for _, v := range []string{"a", "b"} {
		r[strings.Repeat(v, 32)] = rest.ParallelismBounds{Lower: lower, Upper: upper}
	}
	return c.jm.REST().UpdateResourceRequirements(context.Background(), id, r)
}

// deployment is what a worker was told to run in an attempt.
func (c *cluster) deployment(attempt int32) *control.DeployTasks {
	c.t.Helper()
	return await(c, fmt.Sprintf("a deployment of attempt %d", attempt), func(d *control.DeployTasks) bool { return d.Attempt == attempt })
}

// TestAdaptiveScaling: a job starts with fewer slots, grows with a TaskManager at a
// checkpoint taken for it, shrinks with its loss, and follows its bounds.
func TestAdaptiveScaling(t *testing.T) {
	c := newCluster(t, t.TempDir())
	c.taskManager("tm1", 1)
	id := c.submit(adaptiveJobOf(3, map[string]string{"execution.checkpointing.interval": "1h", "restart-strategy.type": "fixed-delay",
		"restart-strategy.fixed-delay.attempts": "1", "restart-strategy.fixed-delay.delay": "1s"}))
	if j := c.job(id); j.State != "CREATED" {
		t.Fatalf("it is %s before it has slots for long enough", j.State)
	}
	c.size(id, "1 1")
	if d := c.deployment(0); len(d.Tasks) != 2 || d.Parallelism[strings.Repeat("a", 32)] != 1 || d.RestoredCheckpoint != 0 {
		t.Fatalf("%+v", d)
	}

	// Two more slots: the job is at its upper bound, with the state of a checkpoint
	// that nobody's interval was due for.
	tm2 := c.taskManager("tm2", 2)
	c.size(id, "3 3")
	d := c.deployment(1)
	if d.RestoredCheckpoint == 0 || len(d.Parallelism) != 0 {
		t.Fatalf("%+v", d)
	}
	if h := c.checkpoints(id); h.Completed != 1 || h.Restored != 1 || h.LatestRestored.ID != h.LatestCompleted.ID {
		t.Fatalf("%+v", h)
	}
	j := c.job(id)
	if len(j.Failures) != 0 || j.Vertices[0].Parallelism != 3 || len(j.Vertices[0].Subtasks[0].Earlier) != 1 {
		t.Fatalf("%+v", j)
	}
	if m, err := c.jm.REST().JobMetrics(context.Background(), id); err != nil || m["numRescales"] != "1" || m["numRestarts"] != "1" {
		t.Fatalf("%v %v", m, err)
	}

	// A TaskManager is lost: one failure, which uses the only restart; then it grows
	// again without one.
	tm2.lose()
	c.size(id, "1 1")
	if j := c.job(id); len(j.Failures) != 1 {
		t.Fatalf("%+v", j.Failures)
	}
	c.taskManager("tm3", 4)
	c.size(id, "3 3")

	// Bounds: down, and above what was configured.
	if err := c.bounds(id, 1, 2); err != nil {
		t.Fatal(err)
	}
	c.size(id, "2 2")
	if err := c.bounds(id, 1, 5); err != nil {
		t.Fatal(err)
	}
	c.size(id, "5 5")
	got, err := c.jm.REST().ResourceRequirements(context.Background(), id)
	if err != nil || got[strings.Repeat("b", 32)] != (rest.ParallelismBounds{Lower: 1, Upper: 5}) {
		t.Fatalf("%v %v", got, err)
	}
	if j := c.job(id); len(j.Failures) != 1 {
		t.Fatalf("a rescale is a failure: %+v", j.Failures)
	}
	c.drain()
	if res := c.result(id); res.State != "FINISHED" {
		t.Fatalf("%+v", res)
	}
}

// TestAdaptiveGivesBack: slots that a job does not need any more are free for
// another one, also those of a worker that it needs in part.
func TestAdaptiveGivesBack(t *testing.T) {
	c := newCluster(t, t.TempDir())
	c.taskManager("tm1", 4)
	id := c.submit(adaptiveJobOf(4, nil))
	c.size(id, "4 4")
	other := c.submit(testJob(2, nil))
	if err := c.bounds(id, 1, 2); err != nil {
		t.Fatal(err)
	}
	c.size(id, "2 2")
	c.running(other)
	if j := c.job(id); len(j.Failures) != 0 {
		t.Fatalf("%+v", j.Failures)
	}
}

// TestAdaptiveWithoutEnough: a job whose lower bounds cannot be met fails with one
// line, whatever the restart strategy, and one that waits can be cancelled.
func TestAdaptiveWithoutEnough(t *testing.T) {
	c := newCluster(t, t.TempDir())
	c.taskManager("tm1", 1)
	g := adaptiveJobOf(3, map[string]string{"jobmanager.adaptive-scheduler.resource-wait-timeout": "3s", "restart-strategy.type": "exponential-delay"})
	for _, v := range g.Vertices {
		g.Requirements = append(g.Requirements, &graph.ResourceRequirement{Vertex: v.Id, LowerBound: 2, UpperBound: -1})
	}
	id := c.submit(g)
	res := c.result(id)
	if res.State != "FAILED" || strings.Contains(res.Failure.Message, "\n") || !strings.Contains(res.Failure.Message, "needs at least 2 slots and could have 1 after 3s (jobmanager.adaptive-scheduler.resource-wait-timeout)") {
		t.Fatalf("%+v", res)
	}
	g = adaptiveJobOf(3, nil)
	for _, v := range g.Vertices {
		g.Requirements = append(g.Requirements, &graph.ResourceRequirement{Vertex: v.Id, LowerBound: 2, UpperBound: 3})
	}
	id = c.submit(g)
	c.sync()
	if err := c.jm.REST().Cancel(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	if res := c.result(id); res.State != "CANCELED" {
		t.Fatalf("%+v", res)
	}
}

// TestAdaptiveRefusals: bounds that do not fit, and jobs that have no bounds.
func TestAdaptiveRefusals(t *testing.T) {
	c := newCluster(t, t.TempDir())
	c.taskManager("tm1", 4)
	refused := func(err error, status int, text string) {
		t.Helper()
		var e *rest.Error
		if !errors.As(err, &e) || e.Status != status || !strings.Contains(e.Message, text) {
			t.Fatalf("%v, want %d %s", err, status, text)
		}
	}
	id := c.submit(adaptiveJobOf(2, nil))
	c.size(id, "2 2")
	refused(c.bounds(id, 0, 2), http.StatusBadRequest, "must be greater than zero")
	refused(c.bounds(id, 3, 2), http.StatusBadRequest, "is higher than the upper bound [2]")
	refused(c.bounds(id, 1, 129), http.StatusBadRequest, "exceeds its maximum parallelism 128")
	one := map[string]rest.ParallelismBounds{strings.Repeat("a", 32): {Lower: 1, Upper: 1}}
	refused(c.jm.REST().UpdateResourceRequirements(context.Background(), id, one), http.StatusBadRequest, "missing job vertex [bbbb")
	one[strings.Repeat("c", 32)] = rest.ParallelismBounds{Lower: 1, Upper: 1}
	refused(c.jm.REST().UpdateResourceRequirements(context.Background(), id, one), http.StatusBadRequest, "was not found in the JobGraph")
	refused(c.bounds(strings.Repeat("0", 32), 1, 1), http.StatusNotFound, "not found")
	if got := sizes(c.job(id)); got != "2 2" {
		t.Fatalf("%s", got)
	}
	if err := c.jm.REST().Cancel(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	c.result(id)
	refused(c.bounds(id, 1, 1), http.StatusNotFound, "CANCELED")

	plain := c.submit(testJob(1, nil))
	refused(c.bounds(plain, 1, 1), http.StatusBadRequest, "jobmanager.scheduler to Adaptive")
	_, err := c.jm.REST().ResourceRequirements(context.Background(), plain)
	refused(err, http.StatusBadRequest, "default scheduler")

	batch := c.submit(testJob(1, adaptiveConfig(map[string]string{"execution.runtime-mode": "BATCH"})))
	c.running(batch)
	refused(c.bounds(batch, 1, 1), http.StatusBadRequest, "BATCH")

	// A program of a release before knows one parallelism only.
	old := testJob(2, adaptiveConfig(nil))
	fixed := c.submit(old)
	c.size(fixed, "2 2")
	refused(c.bounds(fixed, 1, 1), http.StatusBadRequest, "can run with parallelism 2 only")
}

// TestAdaptiveFailover: the next JobManager knows the bounds, and divides the state
// of another parallelism.
func TestAdaptiveFailover(t *testing.T) {
	dir := t.TempDir()
	store, _ := openHA(t, dir+"/ha", 1)
	one := newCluster(t, dir+"/cp", func(o *Options) { o.HA = store })
	one.taskManager("tm1", 4)
	id := one.submit(adaptiveJobOf(4, everySecond))
	one.size(id, "4 4")
	one.turn("a checkpoint", func() bool { return one.checkpoints(id).Completed >= 1 })
	if err := one.bounds(id, 2, 3); err != nil {
		t.Fatal(err)
	}
	_ = one.jm.Close()

	store2, rec := openHA(t, dir+"/ha", 2)
	two := newCluster(t, dir+"/cp", func(o *Options) { o.HA, o.Epoch = store2, 2 })
	if ids, err := two.jm.Recover(context.Background(), rec); err != nil || len(ids) != 1 {
		t.Fatalf("%v %v", ids, err)
	}
	got, err := two.jm.REST().ResourceRequirements(context.Background(), id)
	if err != nil || got[strings.Repeat("a", 32)] != (rest.ParallelismBounds{Lower: 2, Upper: 3}) {
		t.Fatalf("%v %v", got, err)
	}
	two.taskManager("tm2", 2)
	two.size(id, "2 2")
	d := two.deployment(0)
	if d.RestoredCheckpoint != rec.Jobs[0].Checkpoint.ID {
		t.Fatalf("%+v", d)
	}
	if n := len(d.Tasks[0].Restore[0].Lists[0].Items); n < 1 {
		t.Fatalf("%d elements of the state", n)
	}
}

// TestAdaptiveSavepoint: a rescale waits for a savepoint that is under way.
func TestAdaptiveSavepoint(t *testing.T) {
	c := newCluster(t, t.TempDir())
	c.behave.silentAcks = true
	c.taskManager("tm1", 1)
	id := c.submit(adaptiveJobOf(2, map[string]string{"execution.checkpointing.interval": "1h", "execution.checkpointing.timeout": "1h"}))
	c.size(id, "1 1")
	done := make(chan error, 1)
	c.wg.Go(func() {
		_, err := c.jm.REST().Savepoint(context.Background(), id, rest.SavepointOptions{})
		done <- err
	})
	triggered := func(*control.TriggerCheckpoint) bool { return true }
	savepoint := await(c, "its trigger", triggered)
	c.taskManager("tm2", 1)
	late := c.clock.Now().Add(10 * time.Second) // beyond scaling-interval.min
	c.turn("time to pass", func() bool { return c.clock.Now().After(late) })
	if got := sizes(c.job(id)); got != "1 1" {
		t.Fatalf("%s", got)
	}
	c.acknowledge(savepoint)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	c.acknowledge(await(c, "the trigger of the rescale's checkpoint", triggered))
	c.size(id, "2 2")
	if d := c.deployment(1); d.RestoredCheckpoint == 0 {
		t.Fatalf("%+v", d)
	}
}

// TestAdaptiveWithoutFreshCheckpoint: when the checkpoint for a rescale fails, the
// job goes on from the last one.
func TestAdaptiveWithoutFreshCheckpoint(t *testing.T) {
	c := newCluster(t, t.TempDir())
	c.behave.silentAcks = true
	c.taskManager("tm1", 1)
	id := c.submit(adaptiveJobOf(2, map[string]string{"execution.checkpointing.interval": "1h", "execution.checkpointing.timeout": "3s",
		"execution.checkpointing.tolerable-failed-checkpoints": "10"}))
	c.size(id, "1 1")
	first := make(chan error, 1)
	c.wg.Go(func() {
		_, err := c.jm.REST().Checkpoint(context.Background(), id, rest.CheckpointConfigured)
		first <- err
	})
	tr := await(c, "a trigger", func(*control.TriggerCheckpoint) bool { return true })
	c.acknowledge(tr)
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	c.taskManager("tm2", 1)
	c.size(id, "2 2")
	if d := c.deployment(1); d.RestoredCheckpoint != tr.CheckpointId || c.checkpoints(id).Failed != 1 {
		t.Fatalf("%+v, %d failed", d, c.checkpoints(id).Failed)
	}
}

// TestAdaptiveContainers: as many containers are asked for as the upper bounds
// want, in both modes of a cluster; those that are not needed any more are given
// back, and one that is lost is asked for again.
func TestAdaptiveContainers(t *testing.T) {
	for name, mode := range map[string]Mode{"session": Session, "dedicated": Dedicated} {
		t.Run(name, func(t *testing.T) {
			p := &provider{}
			c := newCluster(t, t.TempDir(), func(o *Options) { o.Provider, o.Mode = p, mode })
			declared := func(want int) {
				t.Helper()
				c.turn(fmt.Sprintf("%d TaskManagers wanted", want), func() bool { n, _ := p.state(); return n == want })
			}
			id := c.submit(adaptiveJobOf(4, map[string]string{"restart-strategy.type": "fixed-delay", "restart-strategy.fixed-delay.attempts": "1"}))
			declared(2)
			c.taskManager("tm1", 2)
			c.size(id, "2 2")
			declared(2)
			c.taskManager("tm2", 2)
			c.size(id, "4 4")
			if err := c.bounds(id, 1, 2); err != nil {
				t.Fatal(err)
			}
			c.size(id, "2 2")
			declared(1)
			c.turn("the release of one", func() bool { _, r := p.state(); return r != "" })
			if err := c.bounds(id, 1, 6); err != nil {
				t.Fatal(err)
			}
			declared(3)
			tm3 := c.taskManager("tm3", 2)
			c.size(id, "4 4")
			tm3.lose()
			c.size(id, "2 2")
			declared(3)
			if j := c.job(id); len(j.Failures) != 1 {
				t.Fatalf("%+v", j.Failures)
			}
		})
	}
}

// TestAdaptiveTogether: two jobs share what there is; the slots that one gives back
// are the other's.
func TestAdaptiveTogether(t *testing.T) {
	c := newCluster(t, t.TempDir())
	c.taskManager("tm1", 2)
	c.taskManager("tm2", 2)
	one := c.submit(adaptiveJobOf(3, nil))
	c.size(one, "3 3")
	two := c.submit(adaptiveJobOf(3, nil))
	c.size(two, "1 1")
	if err := c.bounds(one, 1, 1); err != nil {
		t.Fatal(err)
	}
	c.size(one, "1 1")
	c.size(two, "3 3")
	for _, id := range []string{one, two} {
		if j := c.job(id); len(j.Failures) != 0 {
			t.Fatalf("%+v", j.Failures)
		}
	}
}
