package stream

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"goflink/dataflow"
)

// TestAsyncQueueScripts runs testdata/asyncqueue. Input lines are "add NAME",
// "done NAME", "wm TIME", "idle", "active"; after each the queue is emptied as
// far as it goes, and the line shows what came out. At the end it shows what is
// held.
func TestAsyncQueueScripts(t *testing.T) {
	datadriven.RunTest(t, "testdata/asyncqueue", func(t *testing.T, d *datadriven.TestData) string {
		q := &asyncQueue[string, string]{ordered: d.Cmd == "ordered"}
		entries := map[string]*inflight[string, string]{}
		var b strings.Builder
		for line := range strings.Lines(d.Input) {
			f := strings.Fields(line)
			if err := queueStep(q, entries, f); err != nil {
				t.Fatalf("%s: %v", d.Pos, err)
			}
			fmt.Fprintf(&b, "%s:%s\n", strings.TrimSpace(line), emitted(q))
		}
		b.WriteString("held:")
		for e := q.head; e != nil; e = e.next {
			b.WriteString(" " + shown(e))
		}
		fmt.Fprintf(&b, " (%d records)\n", q.records)
		return b.String()
	})
}

func queueStep(q *asyncQueue[string, string], entries map[string]*inflight[string, string], f []string) error {
	switch f[0] {
	case "add":
		e := &inflight[string, string]{rec: dataflow.Rec[string]{V: f[1]}}
		entries[f[1]] = e
		q.add(e)
	case "done":
		q.complete(entries[f[1]])
	case "wm":
		ts, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			return err
		}
		q.mark(func(m *gapMark) { m.wm, m.marked = ts, true })
	case "idle", "active":
		q.mark(func(m *gapMark) { m.idle, m.status = f[0] == "idle", true })
	default:
		return fmt.Errorf("unknown step %q", f)
	}
	return nil
}

func emitted(q *asyncQueue[string, string]) string {
	out := ""
	for e := q.next(); e != nil; e = q.next() {
		out += " " + shown(e)
	}
	return out
}

func shown(e *inflight[string, string]) string {
	m := e.mark
	if m == nil {
		return e.rec.V
	}
	out := ""
	if m.marked {
		out = "wm" + strconv.FormatInt(m.wm, 10)
	}
	if m.status {
		out += map[bool]string{true: "idle", false: "active"}[m.idle]
	}
	return out
}
