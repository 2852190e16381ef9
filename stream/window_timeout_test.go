package stream_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"goflink/stream"
	"goflink/stream/streamtest"
)

// endings tells what windows hold, and counts those that are forgotten.
type endings struct{ n *int }

func (endings) OnWindow(ctx *stream.WindowCtx[string], vs []event, out *stream.Out[string]) error {
	out.Emit(fmt.Sprintf("%d: %d", ctx.Start, len(vs)))
	return nil
}

func (e endings) OnClear(*stream.WindowCtx[string]) error {
	*e.n++
	return nil
}

// TestTimeoutKeepsEndOfLife: a trigger that deletes its timer of a window's end does
// not keep the window for ever, though the end of its life has the same timer.
func TestTimeoutKeepsEndOfLife(t *testing.T) {
	evs := []event{{"a", 10, 1}, {"a", 20, 1}, {"b", 5000, 1}}
	forgotten := 0
	p := program(t, func(env *stream.Env) {
		env.SetParallelism(1)
		trigger := stream.ProcessingTimeoutTrigger(stream.EventTimeTrigger[event](), time.Millisecond)
		w := stream.KeyBy(source(env, evs), key).Window(stream.Tumbling(time.Second)).Trigger(trigger)
		stream.RunWindow(w, func(*stream.Setup[string]) endings { return endings{&forgotten} }).Print()
	})
	got := run(t, p, streamtest.Options{Dir: t.TempDir(), Tick: 10 * time.Millisecond, SingleRecords: 1})
	if forgotten != 2 {
		t.Errorf("%d of 2 windows were forgotten", forgotten)
	}
	for _, want := range []string{"0: 2", "5000: 1"} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is not in %q", want, got)
		}
	}
}
