package exchange

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
)

// TestStuckTaskHoldsUpNobody: two tasks of one worker read from two of another over
// one connection, and two of a region of its own over another one. One of them takes
// nothing. The others get all their records and an aligned barrier; the stuck one's
// unaligned barrier comes in though nobody takes the records before it, and what is
// queued for it stays within its credits.
func TestStuckTaskHoldsUpNobody(t *testing.T) {
	a, b := newNetwork(t, "a"), newNetwork(t, "b")
	sA, errA := a.Open(AttemptID{})
	sB, errB := b.Open(AttemptID{})
	if err := errors.Join(errA, errB); err != nil {
		t.Fatal(err)
	}
	var urgent atomic.Bool
	stuckFrom, stuckTo := overtaking(t, sA, sB, 0, &urgent)
	from, to := overtaking(t, sA, sB, 1, &urgent)
	connectAll(t, sA, sB)
	other := connectPair(t, a, b, AttemptID{Region: 1})

	sent := 0
	for ; !stuckFrom.blocked; sent++ {
		if err := stuckFrom.send(stuckFrom.out.Writers()[0][0], int64(sent), int64(sent)+1); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	flowTo(t, &wg, from, to)
	flowTo(t, &wg, other.from, other.to)
	wg.Wait()
	over, _, err := stuckFrom.out.SendBarrier(Barrier{ID: 1, Unaligned: true})
	if err != nil {
		t.Fatal(err)
	}
	for !urgent.Load() {
		<-stuckTo.wake
	}
	item, ok := stuckTo.gate.Urgent()
	if !ok || item.Kind != ItemBarrier || item.Recording {
		t.Fatalf("%+v, %t", item, ok)
	}
	if len(item.Held)+len(over) != sent || sent > 2+8+1 {
		t.Errorf("of %d buffers %d are held at the receiver and %d at the sender", sent, len(item.Held), len(over))
	}
}

// overtaking makes a task on each of two sessions, with a channel on which unaligned
// barriers overtake.
func overtaking(t *testing.T, sA, sB *Session, sub int, urgent *atomic.Bool) (from, to *testTask) {
	from, to = newTask(t), newTask(t)
	var errTo, errFrom error
	to.gate, errTo = sB.NewGate(GateOptions{Task: "to", Subtask: sub, ExactlyOnce: true, Wake: to.signal, Urgent: urgent,
		Inputs: []GateInput{{Sources: []GateSource{{Subtask: sub, Peer: sA.net.asPeer()}}, Overtakes: true}}})
	from.out, errFrom = sA.NewOutputs(from.ctx, OutputsOptions{Task: "from", Blocked: &from.blocked, Wake: from.signal,
		Edges: [][]TargetChannel{{{Channel: ChannelID{Source: sub, Target: sub}, Peer: sB.net.asPeer(), Overtakes: true}}}})
	if err := errors.Join(errTo, errFrom); err != nil {
		t.Fatal(err)
	}
	return from, to
}

// flowTo sends 200,000 rows and a barrier, and waits for them.
func flowTo(t *testing.T, wg *sync.WaitGroup, from, to *testTask) {
	wg.Go(func() {
		w := from.out.Writers()[0][0]
		for i := range int64(2000) {
			if err := errors.Join(from.awaitSpace(), from.send(w, i*100, (i+1)*100)); err != nil {
				t.Error(err)
				return
			}
		}
		if _, _, err := from.out.SendBarrier(Barrier{ID: 1}); err != nil {
			t.Error(err)
		}
	})
	wg.Go(func() {
		rows := 0
		for {
			item, err := to.next()
			if err != nil {
				t.Error(err)
				return
			}
			if item.Kind == ItemBarrier {
				break
			}
			rows += len(item.values())
			to.gate.Done(item)
		}
		if rows != 200_000 {
			t.Errorf("%d rows came before the barrier", rows)
		}
	})
}
