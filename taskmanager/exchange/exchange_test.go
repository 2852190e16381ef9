package exchange

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"goflink/control"
	"goflink/dataflow"
	"goflink/graph"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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
	n, err := Listen(Options{WorkerID: worker, Bind: "127.0.0.1", Secret: testSecret, NetworkBytes: 64 << 20,
		ConnectTimeout: 10 * time.Second, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
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

// bothKinds runs a test over a local and a remote channel.
func bothKinds(t *testing.T, f func(t *testing.T, p *pair)) {
	t.Run("local", func(t *testing.T) {
		n := newNetwork(t, "a")
		f(t, connectPair(t, n, n, AttemptID{}))
	})
	for _, names := range [][2]string{{"a", "b"}, {"b", "a"}} { // either end dials
		t.Run("remote "+names[0]+names[1], func(t *testing.T) {
			f(t, connectPair(t, newNetwork(t, names[0]), newNetwork(t, names[1]), AttemptID{Epoch: 1}))
		})
	}
}

func TestDataArrivesInOrder(t *testing.T) {
	bothKinds(t, func(t *testing.T, p *pair) {
		const batches, rows = 500, 100
		var wg sync.WaitGroup
		wg.Go(func() {
			w := p.writer()
			for i := range int64(batches) {
				if err := errors.Join(p.from.awaitSpace(), p.from.send(w, i*rows, (i+1)*rows)); err != nil {
					t.Error(err)
					return
				}
			}
			if err := errors.Join(p.from.out.Broadcast(Event{EndOfData: &EndOfData{Drain: true}}), p.from.out.Broadcast(Event{EndOfPartition: true})); err != nil {
				t.Error(err)
			}
		})
		want := int64(0)
		var kinds []ItemKind
		for {
			item, err := p.to.next()
			if err != nil {
				t.Fatal(err)
			}
			if item.Kind != ItemData {
				kinds = append(kinds, item.Kind)
				if item.Kind == ItemEndOfPartition {
					break
				}
				continue
			}
			for _, v := range item.values() {
				if v != want {
					t.Fatalf("got %d, want %d", v, want)
				}
				want++
			}
			p.to.gate.Done(item)
		}
		wg.Wait()
		if want != batches*rows || fmt.Sprint(kinds) != fmt.Sprint([]ItemKind{ItemChannelEnded, ItemEndOfData, ItemEndOfPartition}) {
			t.Fatalf("%d rows, then %v", want, kinds)
		}
	})
}

// TestStuckConsumer: what is in flight stays bounded, a send blocks, the
// sender's context ends it, and all goes on when the consumer does.
func TestStuckConsumer(t *testing.T) {
	bothKinds(t, func(t *testing.T, p *pair) {
		sent := make(chan int64, 1000)
		done := make(chan error, 1)
		go func() {
			w := p.writer()
			for i := range int64(1000) {
				if err := p.from.send(w, i, i+1); err != nil {
					done <- err
					return
				}
				sent <- i
			}
			done <- nil
		}()
		// exclusive + floating credits, and the overdraft, are all that fits.
		limit := exclusiveCredits + floatingCredits + overdraftLimit
		for range limit {
			<-sent
		}
		select {
		case i := <-sent:
			t.Fatalf("send %d went through without anybody consuming", i)
		case err := <-done:
			t.Fatal(err)
		case <-time.After(50 * time.Millisecond): // it stays blocked; a miss cannot fail the test wrongly
		}
		if p.from.out.Available() {
			t.Fatal("the sender seems to have room")
		}
		for want := range int64(100) {
			item, err := p.to.next()
			if err != nil || item.values()[0] != want {
				t.Fatalf("got %v, %v", item, err)
			}
			p.to.gate.Done(item)
		}
		p.from.cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Fatalf("a cancelled send returned %v", err)
		}
		if !p.from.blocked {
			t.Fatal("the sender was not told that it is blocked")
		}
	})
}

func TestBlockedClearsWhenConsumed(t *testing.T) {
	bothKinds(t, func(t *testing.T, p *pair) {
		w := p.writer()
		n := 0
		for !p.from.blocked {
			if err := p.from.send(w, 0, 1); err != nil {
				t.Fatal(err)
			}
			if n++; n > 100 {
				t.Fatal("never blocked")
			}
		}
		for !p.from.out.Available() {
			item, err := p.to.next()
			if err != nil {
				t.Fatal(err)
			}
			p.to.gate.Done(item)
			select {
			case <-p.from.wake:
			case <-time.After(5 * time.Millisecond):
			}
		}
	})
}

func TestJumboOverTheWire(t *testing.T) {
	p := connectPair(t, newNetwork(t, "a"), newNetwork(t, "b"), AttemptID{})
	w := p.writer()
	body := bytes.Repeat([]byte{1, 2, 3, 4, 5, 6, 7, 8}, 100<<10)
	var wg sync.WaitGroup
	wg.Go(func() {
		for range 5 {
			b := w.NewBuffer(len(body))
			b.Data, b.Rows = append(b.Data, body...), 1
			if err := errors.Join(p.from.awaitSpace(), w.SendBuffer(b)); err != nil {
				t.Error(err)
			}
		}
	})
	for range 5 {
		item, err := p.to.next()
		if err != nil || !bytes.Equal(item.Buffer.Data, body) {
			t.Fatalf("%v", err)
		}
		if n := p.to.gate.Queued(); n > 1 {
			t.Fatalf("%d jumbo buffers wait beside the one in work", n)
		}
		p.to.gate.Done(item)
	}
	wg.Wait()
	big := &dataflow.Buffer{Data: make([]byte, MaxRecord+1)}
	if err := w.SendBuffer(big); err == nil || !strings.Contains(err.Error(), "source: a record of 67112961 bytes") {
		t.Fatalf("a record that is too large: %v", err)
	}
}

func TestPeerGone(t *testing.T) {
	a, b := newNetwork(t, "a"), newNetwork(t, "b")
	p := connectPair(t, a, b, AttemptID{})
	a.Close()
	_, err := p.to.next()
	var e *Error
	if !errors.As(err, &e) || e.Domain != "external" || !strings.Contains(err.Error(), "worker a (127.0.0.1:") {
		t.Fatalf("got %v", err)
	}
}

func TestPeerGoneAfterTheEnd(t *testing.T) {
	a, b := newNetwork(t, "a"), newNetwork(t, "b")
	p := connectPair(t, a, b, AttemptID{})
	if err := p.from.out.Broadcast(Event{EndOfPartition: true}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := p.to.next(); err != nil {
			t.Fatal(err)
		}
	}
	a.Close()
	select {
	case <-p.to.wake:
	case <-time.After(50 * time.Millisecond):
	}
	if _, _, err := p.to.gate.Next(); err != nil {
		t.Fatalf("the end of a connection that is not needed any more fails the task: %v", err)
	}
}

// TestNextAttempt: a new attempt on the same workers starts clean while senders
// of the old one are blocked.
func TestNextAttempt(t *testing.T) {
	a, b := newNetwork(t, "a"), newNetwork(t, "b")
	old := connectPair(t, a, b, AttemptID{Attempt: 0})
	for !old.from.blocked {
		if err := old.from.send(old.writer(), 100, 101); err != nil {
			t.Fatal(err)
		}
	}
	p := connectPair(t, a, b, AttemptID{Attempt: 1})
	if err := p.from.send(p.writer(), 1, 2); err != nil {
		t.Fatal(err)
	}
	item, err := p.to.next()
	if err != nil || item.values()[0] != 1 {
		t.Fatalf("%v %v", item, err)
	}
	if _, _, err := old.to.gate.Next(); err == nil { // a closed first: its peer sees either
		t.Fatal("the old gate goes on")
	}
	if _, err := a.Open(AttemptID{Attempt: 1}); err == nil {
		t.Fatal("an attempt was opened twice")
	}
	p.sFrom.Close()
	p.sTo.Close()
	for _, n := range []*Network{a, b} {
		if total, free := n.Buffers(); total != free {
			t.Fatalf("%d of %d network buffers are free after the end", free, total)
		}
	}
}

func TestConnectWaitsAndTimesOut(t *testing.T) {
	n, err := Listen(Options{WorkerID: "b", Bind: "127.0.0.1", Secret: testSecret, NetworkBytes: 8 << 20, ConnectTimeout: 50 * time.Millisecond,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	for _, peer := range []string{"a", "c"} { // waits for a, dials c
		s, err := n.Open(AttemptID{Attempt: int32(peer[0])})
		if err != nil {
			t.Fatal(err)
		}
		k := newTask(t)
		if _, err := s.NewGate(GateOptions{Task: "sink", Wake: k.signal,
			Inputs: []GateInput{{Sources: []GateSource{{Peer: Peer{WorkerID: peer, Host: "127.0.0.1", Port: 1}}}}}}); err != nil {
			t.Fatal(err)
		}
		if err := s.Connect(t.Context()); err == nil || !strings.Contains(err.Error(), "worker "+peer+" (127.0.0.1:1)") || !strings.Contains(err.Error(), "no connection within 50ms") {
			t.Fatalf("got %v", err)
		}
	}
}

func TestForeignSecret(t *testing.T) {
	a, b := newNetwork(t, "a"), newNetwork(t, "b")
	a.o.Secret = control.Secret("another")
	s, _ := a.Open(AttemptID{})
	if _, err := b.Open(AttemptID{}); err != nil {
		t.Fatal(err)
	}
	k := newTask(t)
	if _, err := s.NewOutputs(k.ctx, OutputsOptions{Task: "source", Blocked: &k.blocked, Wake: k.signal, Edges: [][]TargetChannel{{{Peer: b.asPeer()}}}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Connect(t.Context()); !errors.Is(err, control.ErrSecret) {
		t.Fatalf("got %v", err)
	}
}

// TestRoguePeer speaks the handshake and then breaks the protocol.
func TestRoguePeer(t *testing.T) {
	rogue := map[string][]byte{
		"no credit": bytes.Repeat(frameBytes(header{kind: frameBuffer, rows: 1}, []byte("12345678")), 30),
		"unknown":   frameBytes(header{kind: frameBuffer, channel: ChannelID{Edge: 9}, rows: 1}, []byte("12345678")),
		"garbage":   bytes.Repeat([]byte{0xff}, 100),
		"after end": append(eventBytes(t, ChannelID{}, Event{EndOfPartition: true}), eventBytes(t, ChannelID{}, Event{Cancel: 4})...),
		"no writer": frameBytes(header{kind: frameCredit, rows: 1}, nil),
	}
	for name, raw := range rogue {
		t.Run(name, func(t *testing.T) {
			n := newNetwork(t, "b")
			s, _ := n.Open(AttemptID{})
			k := newTask(t)
			var err error
			k.gate, err = s.NewGate(GateOptions{Task: "sink", Wake: k.signal, Inputs: []GateInput{{Sources: []GateSource{
				{Peer: Peer{WorkerID: "a"}}, {Subtask: 1, Peer: Peer{WorkerID: "a"}}}}}})
			if err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			wg.Go(func() {
				if err := s.Connect(t.Context()); err != nil {
					t.Error(err)
				}
			})
			nc, err := net.Dial("tcp", n.listen.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			if err := control.Handshake(nc, testSecret, true); err != nil {
				t.Fatal(err)
			}
			nc.Write(helloBytes(AttemptID{}, "a"))
			wg.Wait()
			nc.Write(raw)
			io.Copy(io.Discard, nc) // until it cuts us off
			var item Item
			for err == nil {
				item, err = k.next()
				_ = item
			}
			if n := k.gate.Queued(); n > exclusiveCredits+floatingCredits {
				t.Fatalf("%d buffers were taken", n)
			}
		})
	}
}

func TestFinishedSender(t *testing.T) {
	n := newNetwork(t, "a")
	s, _ := n.Open(AttemptID{})
	k := newTask(t)
	var err error
	k.gate, err = s.NewGate(GateOptions{Task: "sink", ExactlyOnce: true, Wake: k.signal, Inputs: []GateInput{{Sources: []GateSource{{Finished: true}}}, {Edge: 1, Sources: []GateSource{{Finished: true}}}}})
	if err != nil {
		t.Fatal(err)
	}
	k.out, err = s.NewOutputs(k.ctx, OutputsOptions{Task: "sink", Blocked: &k.blocked, Wake: k.signal, Edges: [][]TargetChannel{{{Channel: ChannelID{Edge: 2}, Finished: true}}}})
	if err != nil {
		t.Fatal(err)
	}
	connectAll(t, s)
	for _, want := range []ItemKind{ItemChannelEnded, ItemChannelEnded, ItemEndOfData, ItemEndOfPartition} {
		if item, err := k.next(); err != nil || item.Kind != want {
			t.Fatalf("%v %v, want %v", item, err, want)
		}
	}
	w := k.out.Writers()[0][0]
	if err := errors.Join(k.send(w, 0, 1), k.out.Broadcast(Event{EndOfPartition: true})); err != nil || !w.Local() {
		t.Fatal(err)
	}
}

func TestInsufficientBuffers(t *testing.T) {
	n := newNetwork(t, "a")
	s, _ := n.Open(AttemptID{})
	sources := make([]GateSource, 2000)
	for i := range sources {
		sources[i] = GateSource{Subtask: i, Peer: Peer{WorkerID: "b"}}
	}
	_, err := s.NewGate(GateOptions{Task: "Sink (1/1)", Inputs: []GateInput{{Sources: sources}}, Wake: func() {}})
	if err == nil || !strings.Contains(err.Error(), "Sink (1/1): insufficient number of network buffers: required 4001, but only 2048 of 2048 are free") {
		t.Fatalf("got %v", err)
	}
}

func TestTopology(t *testing.T) {
	for _, c := range []struct {
		p                graph.Partitioning
		sources, targets int
		want             string
	}{
		{graph.Partitioning_FORWARD, 3, 3, "[0] [1] [2]"},
		{graph.Partitioning_RESCALE, 2, 4, "[0 1] [2 3]"},
		{graph.Partitioning_RESCALE, 4, 2, "[0] [0] [1] [1]"},
		{graph.Partitioning_RESCALE, 3, 2, "[0] [1] [1]"},
		{graph.Partitioning_RESCALE, 2, 3, "[0 1] [2]"},
		{graph.Partitioning_HASH, 2, 3, "[0 1 2] [0 1 2]"},
		{graph.Partitioning_BROADCAST, 1, 2, "[0 1]"},
	} {
		var got []string
		from := map[int]int{}
		for s := range c.sources {
			list := Targets(c.p, s, c.sources, c.targets)
			got = append(got, fmt.Sprint(list))
			for _, target := range list {
				from[target]++
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%v %d->%d: %v, want %s", c.p, c.sources, c.targets, got, c.want)
		}
		for target := range c.targets {
			if n := len(Sources(c.p, target, c.sources, c.targets)); n == 0 || n != from[target] {
				t.Errorf("%v %d->%d: target %d has %d sources, %d send to it", c.p, c.sources, c.targets, target, n, from[target])
			}
		}
	}
}

// TestRandomMesh runs senders and receivers on two workers with barriers at
// random places, and checks order per channel and exactly-once alignment:
// between two aligned barriers a receiver sees exactly what each sender sent
// between them.
func TestRandomMesh(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 2))
	nets := []*Network{newNetwork(t, "a"), newNetwork(t, "b")}
	const senders, receivers, checkpoints = 3, 4, 20
	var sessions []*Session
	for _, n := range nets {
		s, err := n.Open(AttemptID{Epoch: 2})
		if err != nil {
			t.Fatal(err)
		}
		sessions = append(sessions, s)
	}
	var from, to []*testTask
	for i := range senders {
		k := newTask(t)
		var edge []TargetChannel
		for j := range receivers {
			edge = append(edge, TargetChannel{Channel: ChannelID{Source: i, Target: j}, Peer: nets[j%2].asPeer()})
		}
		var err error
		k.out, err = sessions[i%2].NewOutputs(k.ctx, OutputsOptions{Task: "from", Blocked: &k.blocked, Wake: k.signal, Edges: [][]TargetChannel{edge}})
		if err != nil {
			t.Fatal(err)
		}
		from = append(from, k)
	}
	for j := range receivers {
		k := newTask(t)
		var in GateInput
		for i := range senders {
			in.Sources = append(in.Sources, GateSource{Subtask: i, Peer: nets[i%2].asPeer()})
		}
		var err error
		k.gate, err = sessions[j%2].NewGate(GateOptions{Task: "to", Subtask: j, Inputs: []GateInput{in}, ExactlyOnce: true, Wake: k.signal})
		if err != nil {
			t.Fatal(err)
		}
		to = append(to, k)
	}
	connectAll(t, sessions...)
	var wg sync.WaitGroup
	for i, k := range from {
		mine := rand.New(rand.NewPCG(r.Uint64(), 3))
		wg.Go(func() { meshSender(t, k, mine, i, checkpoints) })
	}
	for _, k := range to {
		mine := rand.New(rand.NewPCG(r.Uint64(), 4))
		wg.Go(func() { meshReceiver(t, k, mine, senders, checkpoints) })
	}
	wg.Wait()
}

// meshSender sends values epoch<<32 | count, epochs divided by barriers.
func meshSender(t *testing.T, k *testTask, r *rand.Rand, index, checkpoints int) {
	counts := make([]int64, len(k.out.Writers()[0]))
	check := func(err error) {
		if err != nil {
			t.Errorf("sender %d: %v", index, err)
		}
	}
	for epoch := range int64(checkpoints) {
		for range r.IntN(60) {
			ch := r.IntN(len(counts))
			n := int64(1 + r.IntN(50))
			check(k.awaitSpace())
			check(k.send(k.out.Writers()[0][ch], epoch<<32+counts[ch], epoch<<32+counts[ch]+n))
			counts[ch] += n
		}
		check(k.out.Broadcast(Event{Barrier: &Barrier{ID: epoch + 1}}))
	}
	check(k.out.Broadcast(Event{EndOfData: &EndOfData{Drain: true}}))
	check(k.out.Broadcast(Event{EndOfPartition: true}))
}

func meshReceiver(t *testing.T, k *testTask, r *rand.Rand, senders, checkpoints int) {
	counts := make([]int64, senders)
	epoch := int64(0)
	for {
		item, err := k.next()
		if err != nil {
			t.Error(err)
			return
		}
		switch item.Kind {
		case ItemData:
			for _, v := range item.values() {
				if v>>32 != epoch || v&0xffffffff != counts[item.Channel] {
					t.Errorf("channel %d: epoch %d count %d, want %d and %d", item.Channel, v>>32, v&0xffffffff, epoch, counts[item.Channel])
					return
				}
				counts[item.Channel]++
			}
			if r.IntN(4) == 0 {
				time.Sleep(time.Duration(r.IntN(200)) * time.Microsecond) // a consumer of uneven speed
			}
			k.gate.Done(item)
		case ItemBarrier:
			if epoch++; item.Barrier.ID != epoch {
				t.Errorf("barrier %d, want %d", item.Barrier.ID, epoch)
			}
		case ItemEndOfPartition:
			if epoch != int64(checkpoints) {
				t.Errorf("ended after %d barriers", epoch)
			}
			return
		}
	}
}
