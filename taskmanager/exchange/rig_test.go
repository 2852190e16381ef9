package exchange

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"testing"

	"goflink/control"
	"goflink/dataflow"
)

// intBatch is a batch of a local channel.
type intBatch struct {
	v        []int64
	released *sync.Map
}

func (b *intBatch) Rows() int { return len(b.v) }
func (b *intBatch) Release() {
	if b.released != nil {
		if _, again := b.released.LoadOrStore(b, true); again {
			panic("a batch was released twice")
		}
	}
}

var testSecret = control.Secret("0123456789abcdef0123456789abcdef")

func newNetwork(t testing.TB, worker string) *Network {
	return newNetworkWith(t, worker, func(*Options) {})
}

func (n *Network) asPeer() Peer {
	return Peer{WorkerID: n.o.WorkerID, Host: "127.0.0.1", Port: n.Port()}
}

// testTask is one end of channels with what a task has around it.
type testTask struct {
	ctx     context.Context
	cancel  context.CancelFunc
	wake    chan struct{}
	blocked bool
	gate    *Gate
	out     *Outputs
}

func (k *testTask) signal() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

func newTask(t testing.TB) *testTask {
	k := &testTask{wake: make(chan struct{}, 1)}
	k.ctx, k.cancel = context.WithCancel(context.Background())
	t.Cleanup(k.cancel)
	return k
}

// send sends row numbers [from, to) to writer w, kind by kind.
func (k *testTask) send(w dataflow.ChannelWriter, from, to int64) error {
	if w.Local() {
		var b intBatch
		for v := from; v < to; v++ {
			b.v = append(b.v, v)
		}
		return w.SendBatch(&b)
	}
	buf := w.NewBuffer(int(8 * (to - from)))
	for v := from; v < to; v++ {
		buf.Data = binary.BigEndian.AppendUint64(buf.Data, uint64(v))
	}
	buf.Rows = int(to - from)
	return w.SendBuffer(buf)
}

// awaitSpace waits while the outputs are blocked.
func (k *testTask) awaitSpace() error {
	for k.blocked {
		if k.out.Available() {
			k.blocked = false
			return nil
		}
		select {
		case <-k.wake:
		case <-k.ctx.Done():
			return k.ctx.Err()
		}
	}
	return nil
}

// next waits for the next item.
func (k *testTask) next() (Item, error) {
	for {
		item, ok, err := k.gate.Next()
		if ok || err != nil {
			return item, err
		}
		select {
		case <-k.wake:
		case <-k.ctx.Done():
			return Item{}, k.ctx.Err()
		}
	}
}

func (i Item) values() []int64 {
	if i.Batch != nil {
		return i.Batch.(*intBatch).v
	}
	var v []int64
	for d := i.Buffer.Data; len(d) > 0; d = d[8:] {
		v = append(v, int64(binary.BigEndian.Uint64(d)))
	}
	return v
}

// pair is one sender and one receiver on one channel.
type pair struct {
	from, to   *testTask
	sFrom, sTo *Session
}

// connectPair joins two tasks on one channel; from and to may be one network.
func connectPair(t testing.TB, from, to *Network, id AttemptID) *pair {
	p := &pair{from: newTask(t), to: newTask(t)}
	open := func(n *Network) *Session {
		s, err := n.Open(id)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	p.sFrom = open(from)
	p.sTo = p.sFrom
	if to != from {
		p.sTo = open(to)
	}
	var err error
	p.to.gate, err = p.sTo.NewGate(GateOptions{Task: "sink", Inputs: []GateInput{{Edge: 0, Sources: []GateSource{{Peer: from.asPeer()}}}},
		ExactlyOnce: true, Wake: p.to.signal})
	if err != nil {
		t.Fatal(err)
	}
	p.from.out, err = p.sFrom.NewOutputs(p.from.ctx, OutputsOptions{Task: "source", Blocked: &p.from.blocked, Wake: p.from.signal,
		Edges: [][]TargetChannel{{{Peer: to.asPeer()}}}})
	if err != nil {
		t.Fatal(err)
	}
	connectAll(t, p.sFrom, p.sTo)
	return p
}

func connectAll(t testing.TB, sessions ...*Session) {
	var wg sync.WaitGroup
	errs := make([]error, len(sessions))
	for i, s := range sessions {
		if i > 0 && s == sessions[i-1] {
			continue
		}
		wg.Go(func() { errs[i] = s.Connect(t.Context()) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func (p *pair) writer() dataflow.ChannelWriter { return p.from.out.Writers()[0][0] }
