package jobmanager

import (
	"context"
	"errors"
	"testing"
	"time"

	"goflink/jobmanager/checkpoint"
)

// TestAwaitStart: a savepoint waits for tasks that are still to start, and for
// nothing else.
func TestAwaitStart(t *testing.T) {
	asked := 0
	answers := func(list ...string) func() (checkpoint.Reply, error) {
		asked = 0
		return func() (checkpoint.Reply, error) {
			text := list[min(asked, len(list)-1)]
			asked++
			if text == "" {
				return checkpoint.Reply{Path: "p"}, nil
			}
			return checkpoint.Reply{Err: text}, errors.New(text)
		}
	}
	a, err := awaitStart(t.Context(), time.Minute, time.Millisecond, answers(checkpoint.NotRunning, checkpoint.NotRunning, ""))
	if err != nil || a.Path != "p" || asked != 3 {
		t.Errorf("got %+v, %v after %d", a, err, asked)
	}
	if _, err := awaitStart(t.Context(), time.Minute, time.Millisecond, answers("the job is ending", "")); err == nil || asked != 1 {
		t.Errorf("got %v after %d", err, asked)
	}
	if _, err := awaitStart(t.Context(), 20*time.Millisecond, time.Millisecond, answers(checkpoint.NotRunning)); err == nil || asked < 2 {
		t.Errorf("got %v after %d", err, asked)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := awaitStart(ctx, time.Minute, time.Hour, answers(checkpoint.NotRunning)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
