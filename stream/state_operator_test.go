package stream_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"goflink/internal/seeds"
	"goflink/stream"
	"goflink/stream/streamtest"
)

// txnItem is a record of a transaction; Txn is empty while it is open.
type txnItem struct {
	Txn string
	V   event
}

// world is what transactions are published to, and what the subtasks saw of each other.
type world struct {
	mu        sync.Mutex
	published map[event]string // by record: the transaction
	twice     []string
	union     []int // elements that each subtask of the attempt got
	attempt   int
}

func (w *world) publish(items []txnItem) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, it := range items {
		if txn, ok := w.published[it.V]; ok && txn != it.Txn {
			w.twice = append(w.twice, fmt.Sprint(it, " and in ", txn))
		}
		w.published[it.V] = it.Txn
	}
}

// txnSink writes exactly once by operator state and the hooks of checkpoints: what was written since the last one
// becomes a transaction, which is published when the checkpoint is durable, or by whoever is restored from it.
type txnSink struct {
	w       *world
	sub     int
	items   *stream.OperatorList[txnItem]
	members *stream.OperatorList[string]
}

func newTxnSink(w *world) func(s *stream.Setup[stream.NoKey]) *txnSink {
	return func(s *stream.Setup[stream.NoKey]) *txnSink {
		x := &txnSink{w: w, sub: s.Subtask(), items: stream.NewOperatorList[txnItem](s, "items"), members: stream.NewUnionList[string](s, "members")}
		if s.Planning() {
			return x
		}
		w.mu.Lock()
		w.union = append(w.union, len(x.members.Get()))
		w.mu.Unlock()
		x.members.Set([]string{fmt.Sprint("subtask ", s.Subtask())})
		return x
	}
}

// Open publishes what the checkpoint holds: it was durable, or nobody could be restored from it.
func (x *txnSink) Open(context.Context) error {
	x.w.publish(x.items.Get())
	x.items.Clear()
	return nil
}

func (x *txnSink) Write(r stream.Rec[event]) error {
	x.items.Add(txnItem{V: r.V})
	return nil
}

func (x *txnSink) BeforeCheckpoint(id int64) error {
	for i := range x.items.Get() {
		if it := &x.items.Get()[i]; it.Txn == "" {
			it.Txn = fmt.Sprintf("%d of %d in attempt %d", id, x.sub, x.w.attempt)
		}
	}
	return nil
}

func (x *txnSink) CheckpointCompleted(id int64) error {
	var open []txnItem
	for _, it := range x.items.Get() {
		if it.Txn == "" {
			open = append(open, it)
			continue
		}
		x.w.publish([]txnItem{it})
	}
	x.items.Set(open)
	return nil
}

// TestOperatorState kills a job with such a sink at random steps and restores it at other parallelisms: each record is
// published in one transaction, and each subtask sees all members of the attempt before.
func TestOperatorState(t *testing.T) {
	seed := seeds.One(t)
	r := rand.New(rand.NewPCG(seed, 7))
	evs := input(r, 300, 20)
	w := &world{published: map[event]string{}}
	var from *streamtest.Checkpoint
	members, done := 0, false
	for ; !done; w.attempt++ {
		p := 1 + r.IntN(4)
		prog := program(t, func(env *stream.Env) {
			env.SetParallelism(p)
			stream.SinkTo(source(env, evs).Rebalance(), newTxnSink(w), stream.UID("sink"))
		})
		w.union = nil
		c, err := streamtest.New(prog, streamtest.Options{Seed: r.Uint64(), RemoteShare: 0.5, CheckpointEvery: 5 + r.IntN(40), Restore: from})
		must(t, err)
		if len(w.union) != p || slices.Min(w.union) != members || slices.Max(w.union) != members {
			t.Fatalf("%d subtasks saw %v members, not %d", p, w.union, members)
		}
		n := 20 + r.IntN(200)
		if w.attempt > 5 {
			n = 1 << 40
		}
		must(t, c.RunSteps(n))
		if last := c.LastCheckpoint(); last != from {
			from, members = last, p
		}
		done = c.Finished()
		must(t, c.Close())
	}
	for _, e := range evs {
		if w.published[e] == "" {
			t.Errorf("%v is lost", e)
		}
	}
	if len(w.published) != len(evs) || len(w.twice) > 0 {
		t.Errorf("%d records of %d; twice: %v", len(w.published), len(evs), w.twice)
	}
}

type offsetV1 struct {
	Part int32
	Old  string
}

type offsetV2 struct {
	Part int64
	New  bool
}

// counts keeps a list of what it got, of one type or another.
type counts[T any] struct{ l *stream.OperatorList[T] }

func countsOf[T any](seen *bag[T]) func(s *stream.Setup[string]) *counts[T] {
	return func(s *stream.Setup[string]) *counts[T] {
		c := &counts[T]{stream.NewOperatorList[T](s, "offsets")}
		for _, v := range c.l.Get() {
			_ = seen.add(stream.Rec[T]{V: v})
		}
		return c
	}
}

func (c *counts[T]) OnRecord(ctx *stream.Ctx[string], e event, out *stream.Out[event]) error {
	if v, ok := any(offsetV1{int32(e.N), "gone"}).(T); ok {
		c.l.Add(v)
	}
	return nil
}

// TestOperatorStateEvolves reads the elements under a newer type, beside keyed state; and refuses what cannot be read.
func TestOperatorStateEvolves(t *testing.T) {
	evs := events(20, 3, 10)
	run := func(from *streamtest.Checkpoint, add func(k stream.Keyed[string, event])) (*streamtest.Checkpoint, error) {
		prog := program(t, func(env *stream.Env) { add(stream.KeyBy(source(env, evs), key)) })
		c, err := streamtest.New(prog, streamtest.Options{CheckpointEvery: 50, Restore: from})
		if err != nil {
			return nil, err
		}
		defer c.Close()
		must(t, c.Run())
		return c.LastCheckpoint(), nil
	}
	var v1 bag[offsetV1]
	cp, err := run(nil, func(k stream.Keyed[string, event]) {
		stream.Run(k, countsOf(&v1), stream.UID("counts"), stream.Parallelism(2)).Discard()
	})
	must(t, err)
	var v2 bag[offsetV2]
	_, err = run(cp, func(k stream.Keyed[string, event]) {
		stream.Run(k, countsOf(&v2), stream.UID("counts"), stream.Parallelism(3)).Discard()
	})
	must(t, err)
	slices.SortFunc(v2.vs, func(a, b offsetV2) int { return int(a.Part - b.Part) })
	if len(v1.vs) > 0 || len(v2.vs) != len(evs) || v2.vs[19] != (offsetV2{Part: 19}) {
		t.Errorf("%v, %v", v1.vs, v2.vs)
	}
	var narrow bag[struct{ Part int8 }]
	_, err = run(cp, func(k stream.Keyed[string, event]) {
		stream.Run(k, countsOf(&narrow), stream.UID("counts")).Discard()
	})
	if err == nil || !strings.Contains(err.Error(), `operator list state "offsets"`) || !strings.Contains(err.Error(), "Part was int32 and is int8 now") {
		t.Error(err)
	}
}

// failing fails in its hooks.
type failing struct{ plainFunc }

func (failing) BeforeCheckpoint(int64) error    { return errors.New("not now") }
func (failing) CheckpointAborted(int64) error   { return errors.New("aborted") }
func (failing) CheckpointCompleted(int64) error { return errors.New("too late") }

// TestHookErrorsNameTheOperator: an error of a hook says whose it is.
func TestHookErrorsNameTheOperator(t *testing.T) {
	prog := program(t, func(env *stream.Env) {
		stream.Process(stream.FromValues(env, event{}), func(*stream.Setup[stream.NoKey]) failing { return failing{} }, stream.Name("picky")).Discard()
	})
	c, err := streamtest.New(prog, streamtest.Options{CheckpointEvery: 1})
	must(t, err)
	defer c.Close()
	if err := c.Run(); err == nil || !strings.Contains(err.Error(), `operator "picky": not now`) {
		t.Error(err)
	}
}

// coFailing fails in a hook, with two inputs.
type coFailing struct{}

func (coFailing) OnFirst(*stream.Ctx[stream.NoKey], event, *stream.Out[string]) error  { return nil }
func (coFailing) OnSecond(*stream.Ctx[stream.NoKey], event, *stream.Out[string]) error { return nil }
func (coFailing) BeforeCheckpoint(int64) error                                         { return errors.New("not now") }

// TestHooksOfTwoInputs: the hooks of a function with two inputs are called, too.
func TestHooksOfTwoInputs(t *testing.T) {
	prog := program(t, func(env *stream.Env) {
		s := stream.FromValues(env, event{})
		stream.CoProcess(stream.Connect(s, s), func(*stream.Setup[stream.NoKey]) coFailing { return coFailing{} }, stream.Name("both")).Discard()
	})
	c, err := streamtest.New(prog, streamtest.Options{CheckpointEvery: 1})
	must(t, err)
	defer c.Close()
	if err := c.Run(); err == nil || !strings.Contains(err.Error(), `operator "both": not now`) {
		t.Error(err)
	}
}
