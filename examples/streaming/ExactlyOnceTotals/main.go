// ExactlyOnceTotals sums up payments for each shop and minute and writes the
// totals to files, each exactly once: however often the job is killed and
// restarted, a total is in the files when its checkpoint is complete, and never
// twice.
//
//	ExactlyOnceTotals --output PATH [--payments N] [--rate PER_SECOND]
package main

import (
	"errors"
	"fmt"
	"time"

	"goflink/stream"
)

// Payment is an amount, in cents, that a shop took at a time in milliseconds.
type Payment struct {
	Shop  string
	Cents int64
	At    int64
}

// Total is what a shop took in a minute.
type Total struct {
	Shop   string
	Minute int64
	Cents  int64
}

// String is the line that is written.
func (t Total) String() string {
	return fmt.Sprintf("%s,%s,%d", time.UnixMilli(t.Minute).UTC().Format("2006-01-02T15:04"), t.Shop, t.Cents)
}

// payment makes the i-th payment; it depends on i only, so that a restarted job
// reads the same.
func payment(i int64) Payment {
	return Payment{Shop: fmt.Sprintf("shop-%d", i*7919%5), Cents: 100 + i%50, At: i * 250}
}

func build(env *stream.Env) error {
	p := env.Params()
	output := p.Get("output", "")
	if output == "" {
		return errors.New("where to? --output PATH")
	}
	n, err := p.Int("payments", 10_000)
	rate, rerr := p.Int("rate", 0)
	if err := errors.Join(err, rerr); err != nil {
		return err
	}
	payments := stream.From(env, stream.GeneratorSource(int64(n), float64(rate), payment),
		stream.BoundedOutOfOrderness[Payment](time.Minute).WithTimestamps(func(p Payment) int64 { return p.At }),
		stream.Name("payments"), stream.UID("payments"))
	minutes := stream.KeyBy(payments, func(p Payment) string { return p.Shop }).Window(stream.Tumbling(time.Minute))
	totals := stream.Apply(minutes, func(w stream.WindowInfo[string], ps []Payment, out *stream.Out[Total]) error {
		t := Total{Shop: w.Key, Minute: w.Start}
		for _, p := range ps {
			t.Cents += p.Cents
		}
		out.Emit(t)
		return nil
	}, stream.UID("totals"))
	stream.ToFiles(totals, stream.FileSink[Total]{
		Path:    output,
		Suffix:  ".csv",
		Bucket:  stream.EventTimeBuckets[Total]("'day='yyyy-MM-dd", time.UTC),
		Compact: stream.Compaction{Checkpoints: 1}, // one file a checkpoint and day
	}, stream.Name("totals"), stream.UID("files"))
	return nil
}

func main() { stream.Main("ExactlyOnceTotals", build) }
