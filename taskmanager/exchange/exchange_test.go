package exchange

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"goflink/control"
	"goflink/dataflow"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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
		limit := 2 + 8 + 5
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
	if _, _, err := old.to.gate.Next(); !errors.Is(err, ErrClosed) { // a said goodbye
		t.Fatalf("the old gate says %v", err)
	}
	if _, err := a.Open(AttemptID{Attempt: 1}); err == nil {
		t.Fatal("an attempt was opened twice")
	}
	p.sFrom.Close(false)
	p.sTo.Close(false)
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
			nc.Write(helloBytes(AttemptID{}, "a", compressions))
			wg.Wait()
			nc.Write(raw)
			io.Copy(io.Discard, nc) // until it cuts us off
			var item Item
			for err == nil {
				item, err = k.next()
				_ = item
			}
			if n := k.gate.Queued(); n > 2+8 {
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

// TestSecondConnection: a peer whose connection was lost on its way is told so at
// once; it does not try until its time is over.
func TestSecondConnection(t *testing.T) {
	a, b := newNetwork(t, "a"), newNetwork(t, "b")
	p := connectPair(t, a, b, AttemptID{})
	again := newSession(a, AttemptID{}) // as if a had not heard the answer
	if err := a.dial(t.Context(), again, b.asPeer()); !errors.Is(err, errTwice) {
		t.Fatal(err)
	}
	if err := p.from.send(p.writer(), 5, 6); err != nil {
		t.Fatal(err)
	}
	if item, err := p.to.next(); err != nil || item.values()[0] != 5 {
		t.Fatalf("%v, %v", item, err)
	}
}
