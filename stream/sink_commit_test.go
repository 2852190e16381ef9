package stream_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"goflink/internal/seeds"
	"goflink/stream"
	"goflink/stream/streamtest"
)

// ledger is a store outside of the job: transactions are staged, then committed,
// once however often that is asked for.
type ledger struct {
	r       *rand.Rand
	staged  map[string][]int64
	visible map[string][]int64
	calls   int // of Commit
	open    int // writers and committers that were not closed
	fail    bool
}

func newLedger(seed uint64) *ledger {
	return &ledger{r: rand.New(rand.NewPCG(seed, 1)), staged: map[string][]int64{}, visible: map[string][]int64{}}
}

// transaction is the committable, seen the writer's state.
type transaction struct{ ID string }
type seen struct{ Records int64 }

type ledgerWriter struct {
	l       *ledger
	id      string
	n       int
	seen    int64
	buf     []int64
	ready   []transaction
	flushed bool
}

func (w *ledgerWriter) Write(r stream.Rec[int64]) error {
	if w.flushed {
		return errors.New("a record came after the end")
	}
	w.buf = append(w.buf, r.V)
	w.seen++
	return nil
}

func (w *ledgerWriter) Flush(end bool) error {
	w.flushed = end
	if len(w.buf) > 0 {
		tx := transaction{fmt.Sprintf("%s-%d", w.id, w.n)}
		w.n++
		w.l.staged[tx.ID], w.buf = w.buf, nil
		w.ready = append(w.ready, tx)
	}
	return nil
}

func (w *ledgerWriter) PrepareCommit() ([]transaction, error) {
	out := w.ready
	w.ready = nil
	return out, nil
}

func (w *ledgerWriter) Snapshot(int64) ([]seen, error) { return []seen{{w.seen}}, nil }
func (w *ledgerWriter) Close() error                   { w.l.open--; return nil }

type ledgerCommitter struct{ l *ledger }

func (c *ledgerCommitter) Commit(_ context.Context, rs []*stream.CommitRequest[transaction]) error {
	c.l.calls++
	for _, r := range rs {
		if c.l.fail {
			return errors.New("the ledger is closed")
		}
		if _, done := c.l.visible[r.Committable.ID]; done {
			continue
		}
		if c.l.r.IntN(3) == 0 && r.Retries < 5 {
			r.RetryLater(errors.New("busy"))
			continue
		}
		vs, ok := c.l.staged[r.Committable.ID]
		if !ok {
			return fmt.Errorf("no transaction %q", r.Committable.ID)
		}
		c.l.visible[r.Committable.ID] = vs
	}
	return nil
}

func (c *ledgerCommitter) Close() error { c.l.open--; return nil }

// ledgerSink commits in each subtask, or globally. total, where not nil, gets the
// restored number of records.
func ledgerSink(l *ledger, global bool, total *int64) stream.CommittingSink[int64, seen, transaction] {
	committer := func(ctx *stream.SinkContext) (stream.Committer[transaction], error) {
		if global && ctx.Parallelism() != 1 {
			return nil, errors.New("the global committer has company")
		}
		l.open++
		return &ledgerCommitter{l}, nil
	}
	s := stream.CommittingSink[int64, seen, transaction]{Name: "Ledger",
		Writer: func(ctx *stream.SinkContext, restored []seen) (stream.SinkWriter[int64, seen, transaction], error) {
			w := &ledgerWriter{l: l, id: fmt.Sprintf("%d-%d", ctx.Subtask(), l.r.Uint64())}
			for _, s := range restored {
				w.seen += s.Records
			}
			if total != nil {
				*total += w.seen
			}
			l.open++
			return w, nil
		}}
	if global {
		s.Global = committer
	} else {
		s.Committer = committer
	}
	return s
}

func (l *ledger) records() []int64 {
	var out []int64
	for _, vs := range l.visible {
		out = append(out, vs...)
	}
	slices.Sort(out)
	return out
}

func ledgerJob(t *testing.T, l *ledger, global bool, p int, total *int64) *stream.Program {
	return program(t, func(env *stream.Env) {
		env.SetParallelism(p)
		s := stream.Sequence(env, 1, 3000, stream.UID("numbers"))
		stream.ToSink(s.Rebalance(), ledgerSink(l, global, total), stream.UID("ledger"))
	})
}

// TestCommittingSinkLaw: every record is committed once, with commits that are
// tried again, without checkpoints, and with kills and restores at another
// parallelism.
func TestCommittingSinkLaw(t *testing.T) {
	seed := seeds.One(t)
	r := rand.New(rand.NewPCG(seed, 0))
	for _, global := range []bool{false, true} {
		for p := 1; p <= 3; p++ {
			l := newLedger(r.Uint64())
			run(t, ledgerJob(t, l, global, p, nil), streamtest.Options{Seed: r.Uint64(), RemoteShare: 0.5})
			wantAll(t, l, 3000)
		}
		l := newLedger(r.Uint64())
		var from *streamtest.Checkpoint
		ends := 0
		for attempt := 0; ends < 2; attempt++ {
			c, err := streamtest.New(ledgerJob(t, l, global, 1+r.IntN(3), nil), streamtest.Options{Seed: r.Uint64(), RemoteShare: 0.5, CheckpointEvery: 3 + r.IntN(10), Restore: from})
			must(t, err)
			n := 5 + r.IntN(20)
			if attempt > 6 {
				n = 1 << 40
			}
			must(t, c.RunSteps(n))
			from = c.LastCheckpoint()
			if c.Finished() {
				ends++
			}
			must(t, c.Close())
		}
		wantAll(t, l, 3000)
	}
}

func wantAll(t *testing.T, l *ledger, n int64) {
	t.Helper()
	got := l.records()
	if int64(len(got)) != n || got[0] != 1 || got[n-1] != n || len(slices.Compact(got)) != int(n) {
		t.Errorf("%d records", len(got))
	}
	if l.open != 0 {
		t.Errorf("%d writers and committers were not closed", l.open)
	}
}

// TestCommittingSinkFailure: a commit that fails after its checkpoint is done by
// the next attempt, and the writers' state is there.
func TestCommittingSinkFailure(t *testing.T) {
	l := newLedger(1)
	c, err := streamtest.New(ledgerJob(t, l, false, 2, nil), streamtest.Options{})
	must(t, err)
	must(t, c.RunSteps(6))
	l.fail = true
	if _, err := c.Checkpoint(); err == nil || !strings.Contains(err.Error(), `operator "Sink: Ledger"`) || !strings.Contains(err.Error(), "closed") {
		t.Errorf("commit: %v", err)
	}
	cp := c.LastCheckpoint()
	must(t, c.Close())
	if cp == nil || len(l.visible) > 0 {
		t.Fatalf("checkpoint %v, visible %v", cp, l.visible)
	}
	l.fail = false
	var total int64
	c, err = streamtest.New(ledgerJob(t, l, false, 3, &total), streamtest.Options{Restore: cp})
	must(t, err)
	if n := int64(len(l.records())); n == 0 || n != total {
		t.Errorf("%d records are committed at the restore, the writers had seen %d", n, total)
	}
	must(t, c.Run())
	must(t, c.Close())
	wantAll(t, l, 3000)
}

func TestCommittingSinkErrors(t *testing.T) {
	env := stream.NewEnv(stream.Settings{})
	s := stream.Sequence(env, 1, 3)
	stream.ToSink(s, stream.CommittingSink[int64, seen, transaction]{Name: "a"})
	both := ledgerSink(nil, true, nil)
	both.Committer = both.Global
	stream.ToSink(s, both)
	_, err := env.Program()
	for _, want := range []string{"needs a Writer", "has one of them", "sink_commit_test.go:"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
}
