package jobmanager

import (
	"context"
	"strconv"
	"testing"

	"goflink/control"
	"goflink/jobmanager/rest"
	"goflink/metrics/accumulator"
)

// encoded are the accumulators of a subtask that counted n records.
func encoded(t *testing.T, n int64) map[string][]byte {
	t.Helper()
	s := accumulator.NewSet()
	c, err1 := s.LongCounter("records")
	l, err2 := s.List("names")
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	c.Add(n)
	l.Add("x")
	b, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	b["damaged"] = []byte{1, 99}
	return b
}

// count reports accumulators for every task of the job's current attempt.
func (c *cluster) count(n int64) {
	for _, w := range c.all() {
		r := &control.MetricsReport{}
		for _, task := range w.all() {
			r.Tasks = append(r.Tasks, &control.TaskMetrics{Task: task, Accumulators: encoded(c.t, n)})
		}
		w.send(&control.WorkerEvent{Event: &control.WorkerEvent_Metrics{Metrics: r}})
	}
}

// TestAccumulators: they are merged over subtasks, of the current attempts only,
// shown as Flink shows them, and part of the result.
func TestAccumulators(t *testing.T) {
	c := newCluster(t, t.TempDir())
	c.taskManager("tm1", 2)
	c.taskManager("tm2", 2)
	id := c.submit(testJob(2, everySecond))
	c.running(id)
	tasks := int64(0)
	for _, v := range c.job(id).Vertices {
		tasks += int64(v.Parallelism)
	}
	c.count(100)
	records := func(list []rest.Accumulator) rest.Accumulator {
		for _, a := range list {
			if a.Name == "records" {
				return a
			}
		}
		return rest.Accumulator{}
	}
	c.turn("the first attempt's", func() bool {
		return records(c.job(id).Accumulators) == rest.Accumulator{Name: "records", Type: "LongCounter", Value: text("LongCounter", tasks*100)}
	})
	w := c.all()[0]
	w.tm.exit(w.id, 2, "exit code 2")
	c.attempt(id, 1)
	if a := c.job(id).Accumulators; len(a) != 0 {
		t.Errorf("after a restart: %v", a)
	}
	c.count(3)
	c.turn("the second attempt's", func() bool { return records(c.job(id).Accumulators).Value == text("LongCounter", tasks*3) })
	j := c.job(id)
	if v := j.Vertices[0]; records(v.Accumulators).Value != text("LongCounter", int64(v.Parallelism)*3) || records(v.Subtasks[0].Accumulators).Value != "LongCounter 3" {
		t.Errorf("%+v", v)
	}
	if len(j.Accumulators) != 2 || j.Accumulators[0].Type != "ListAccumulator" {
		t.Errorf("%+v", j.Accumulators)
	}
	if err := c.jm.REST().Cancel(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	res := c.result(id)
	if a := records(res.Accumulators); a.Type != "java.lang.Long" || a.Value != text("", tasks*3) {
		t.Errorf("%+v", res.Accumulators)
	}
}

func text(class string, n int64) string {
	if class != "" {
		class += " "
	}
	return class + strconv.FormatInt(n, 10)
}
