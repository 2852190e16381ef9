package jobmanager

import (
	"context"
	"testing"

	"goflink/control"
)

// TestLatenciesAreTheJobs: latencies that tasks tell of are shown with the job, as
// Flink does, and not with the vertex; other figures stay with the vertex.
func TestLatenciesAreTheJobs(t *testing.T) {
	c := newCluster(t, t.TempDir())
	c.taskManager("tm1", 1)
	id := c.submit(testJob(1, everySecond))
	c.running(id)
	const latency = "latency.source_id.a.operator_id.b.operator_subtask_index.0.latency_p99"
	for _, w := range c.all() {
		r := &control.MetricsReport{}
		for _, task := range w.all() {
			r.Tasks = append(r.Tasks, &control.TaskMetrics{Task: task, Metrics: map[string]string{latency: "7.0", "numRecordsIn": "3"}})
		}
		w.send(&control.WorkerEvent{Event: &control.WorkerEvent_Metrics{Metrics: r}})
	}
	shown := func() map[string]string {
		m, err := c.jm.REST().JobMetrics(context.Background(), id)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	c.turn("the latencies", func() bool { return shown()[latency] == "7.0" })
	if v, ok := shown()["numRecordsIn"]; ok {
		t.Errorf("the job has numRecordsIn %s", v)
	}
	for _, v := range c.job(id).Vertices {
		m, err := c.jm.REST().TaskMetrics(context.Background(), id, v.ID)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := m[0][latency]; ok || m[0]["numRecordsIn"] != "3" {
			t.Errorf("vertex %s has %v", v.ID, m[0])
		}
	}
}
