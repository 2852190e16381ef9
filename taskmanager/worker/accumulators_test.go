package worker

import (
	"strings"
	"testing"

	"goflink/control"
	"goflink/dataflow"
	"goflink/metrics/accumulator"
	"goflink/taskmanager/tmtest"
)

// TestAccumulators: the end of a task says what it counted in all; the metrics of
// the program are reported with those of the task.
func TestAccumulators(t *testing.T) {
	r := newRig(t, &tmtest.Job{Sources: 1, Counters: 1, Sinks: 1, Records: 4000, Keys: 31, Hold: 1000})
	r.job.OnCount = func(env *dataflow.Env, v int64) error {
		n, err := env.Accumulators.LongCounter("counted")
		if err != nil {
			return err
		}
		n.Add(1)
		if n.Local() == 1 {
			env.OperatorMetrics("keyed", "My op: x").Group("mine").Counter("seen").Add(42)
		}
		return nil
	}
	workers := r.start("a")
	d := r.Deploy(r.job.JobGraph(), workers, 0, nil)
	d.Start()
	counted := func(b []byte) int64 {
		v, err := accumulator.Decode(b)
		if err != nil {
			return -1
		}
		return v.Result().(int64)
	}
	r.Wait("records", func() bool { return r.job.Emitted.Load() == 1000 })
	r.Wait("the metric", func() bool {
		m := r.Metrics["keyed/0"]
		return m != nil && m.Metrics["My_op__x.mine.seen"] == "42"
	})
	r.job.Release()
	r.Wait("all tasks being drained", func() bool { return len(r.Drained) == 3 })
	d.All(&control.WorkerCommand{Command: &control.WorkerCommand_FinalCommit{FinalCommit: &control.FinalCommit{}}})
	d.WaitAll("FINISHED")
	r.Look(func() {
		if n := counted(r.States["keyed/0"].Accumulators["counted"]); n != 4000 {
			t.Errorf("the end says %d", n)
		}
		if a := r.States["sink/0"].Accumulators; len(a) != 0 {
			t.Errorf("the sink has %v", a)
		}
	})
	r.shutdown(workers)
}

// openCounter is a job whose counter registers an accumulator when it opens.
type openCounter struct{ *tmtest.Job }

func (o openCounter) BuildChain(vertex string, env *dataflow.Env) (*dataflow.Chain, error) {
	if vertex == tmtest.KeyedID {
		if _, err := env.Accumulators.LongCounter("counted"); err != nil {
			return nil, err
		}
	}
	return o.Job.BuildChain(vertex, env)
}

// TestAccumulatorsOfRunningTasks: reports of a task that waits have what it
// counted before.
func TestAccumulatorsOfRunningTasks(t *testing.T) {
	r := newRig(t, &tmtest.Job{Sources: 1, Counters: 1, Sinks: 1, Records: 4000, Keys: 31, Hold: 1000})
	r.job.OnCount = func(env *dataflow.Env, v int64) error {
		n, err := env.Accumulators.LongCounter("counted")
		n.Add(1)
		return err
	}
	r.options = func(o *Options) { o.Program = openCounter{r.job} }
	workers := r.start("a")
	d := r.Deploy(r.job.JobGraph(), workers, 0, nil)
	d.Start()
	r.Wait("a report", func() bool {
		m := r.Metrics["keyed/0"]
		if m == nil {
			return false
		}
		v, err := accumulator.Decode(m.Accumulators["counted"])
		return err == nil && v.Result().(int64) == 1000
	})
	d.Cancel()
	r.shutdown(workers)
}

// TestTooManyAccumulators: what does not fit fails the task, for good.
func TestTooManyAccumulators(t *testing.T) {
	r := newRig(t, &tmtest.Job{Sources: 1, Counters: 1, Sinks: 1, Records: 100, Keys: 31})
	r.job.OnCount = func(env *dataflow.Env, v int64) error {
		l, err := env.Accumulators.List("all")
		l.Add(strings.Repeat("x", 4000))
		return err
	}
	workers := r.start("a")
	d := r.Deploy(r.job.JobGraph(), workers, 0, nil)
	d.Start()
	r.Wait("all tasks being drained", func() bool { return len(r.Drained) == 3 })
	d.All(&control.WorkerCommand{Command: &control.WorkerCommand_FinalCommit{FinalCommit: &control.FinalCommit{}}})
	r.Wait("the failure", func() bool { return r.States["keyed/0"].GetState() == "FAILED" })
	r.Look(func() {
		f := r.States["keyed/0"].Failure
		if f.Domain != "user" || f.Retry != "none" || !strings.Contains(f.Message, `take more than 65536 bytes, "all" alone`) {
			t.Errorf("%+v", f)
		}
	})
	r.shutdown(workers)
}
