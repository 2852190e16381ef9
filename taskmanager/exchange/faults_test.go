package exchange

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"goflink/internal/seeds"
	"goflink/taskmanager/exchange/faultconn"
)

var faultSeeds = seeds.Flag("faults.seeds", "0..59", "TestMeshFaults")

// TestMeshFaults runs senders and receivers on two or three workers whose
// connections fail. Each receiver gets, on every channel and in order, a beginning
// of what was sent, and then either the end or an error; nothing hangs, and all
// network memory is given back.
func TestMeshFaults(t *testing.T) {
	var failed, whole atomic.Int64
	for seed := faultSeeds.First; seed <= faultSeeds.Last; seed++ {
		m := newFaultyMesh(t, seed)
		m.run()
		failed.Add(int64(m.faults.Failed()))
		whole.Add(m.whole.Load())
		if t.Failed() {
			t.Fatalf("seed %d: %s", seed, m.faults.Counts())
		}
	}
	t.Logf("%d connections failed, %d receivers came to the end", failed.Load(), whole.Load())
	if faultSeeds.Len() > 50 && (failed.Load() == 0 || whole.Load() == 0) {
		t.Error("nothing failed, or everything")
	}
}

// faultyMesh is one seed's run.
type faultyMesh struct {
	t        *testing.T
	rand     *rand.Rand
	faults   *faultconn.Net
	nets     []*Network
	sessions []*Session
	from, to []*testTask
	sent     [][]atomic.Int64 // by sender and receiver
	whole    atomic.Int64
}

func newFaultyMesh(t *testing.T, seed uint64) *faultyMesh {
	r := rand.New(rand.NewPCG(seed, 7))
	m := &faultyMesh{t: t, rand: r, faults: faultconn.New(seed, faultconn.Rates{Fail: []float64{0.2, 0.6}[r.IntN(2)], Bytes: []int64{300, 5_000, 100_000}[r.IntN(3)],
		Delay: []float64{0, 0.2}[r.IntN(2)], MostDelay: 300 * time.Microsecond, Pieces: r.Float64()})}
	for i := range 2 + r.IntN(2) {
		n := newNetworkWith(t, fmt.Sprint("w", i), func(o *Options) {
			o.Wrap, o.Compression, o.ConnectTimeout = m.faults.Wrap, Compression(r.IntN(3)), 5*time.Second
		})
		s, err := n.Open(AttemptID{})
		if err != nil {
			t.Fatal(err)
		}
		m.nets, m.sessions = append(m.nets, n), append(m.sessions, s)
	}
	m.tasks(1+r.IntN(3), 1+r.IntN(3))
	return m
}

// tasks makes the ends of all channels.
func (m *faultyMesh) tasks(senders, receivers int) {
	var err error
	for i := range senders {
		k := newTask(m.t)
		var edge []TargetChannel
		for j := range receivers {
			edge = append(edge, TargetChannel{Channel: ChannelID{Source: i, Target: j}, Peer: m.nets[j%len(m.nets)].asPeer()})
		}
		if k.out, err = m.sessions[i%len(m.nets)].NewOutputs(k.ctx, OutputsOptions{Task: "from", Blocked: &k.blocked, Wake: k.signal, Edges: [][]TargetChannel{edge}}); err != nil {
			m.t.Fatal(err)
		}
		m.from, m.sent = append(m.from, k), append(m.sent, make([]atomic.Int64, receivers))
	}
	for j := range receivers {
		k := newTask(m.t)
		var in GateInput
		for i := range senders {
			in.Sources = append(in.Sources, GateSource{Subtask: i, Peer: m.nets[i%len(m.nets)].asPeer()})
		}
		fail := func(error) { k.signal() }
		if k.gate, err = m.sessions[j%len(m.nets)].NewGate(GateOptions{Task: "to", Subtask: j, Inputs: []GateInput{in}, ExactlyOnce: true, Wake: k.signal, Fail: fail}); err != nil {
			m.t.Fatal(err)
		}
		m.to = append(m.to, k)
	}
}

// run connects and runs until the first failure, or the end; as a JobManager does,
// a failure ends the attempt everywhere.
func (m *faultyMesh) run() {
	end := sync.OnceFunc(func() {
		for _, k := range append(m.from, m.to...) {
			k.cancel()
		}
	})
	var wg sync.WaitGroup
	var lost atomic.Bool
	for _, s := range m.sessions {
		wg.Go(func() {
			if err := s.Connect(m.from[0].ctx); err != nil {
				lost.Store(true)
				end()
			}
		})
	}
	wg.Wait()
	if !lost.Load() {
		for i, k := range m.from {
			mine := rand.New(rand.NewPCG(m.rand.Uint64(), 3))
			wg.Go(func() { m.send(i, k, mine) })
		}
		for j, k := range m.to {
			wg.Go(func() { m.receive(j, k, end) })
		}
		wg.Wait()
	}
	for i, s := range m.sessions {
		s.Close(lost.Load())
		if total, free := m.nets[i].Buffers(); total != free {
			m.t.Errorf("%d of %d network buffers are free after the end", free, total)
		}
		m.nets[i].Close()
	}
}

// send sends counts to receivers in turn by chance, until its end or its cancellation.
func (m *faultyMesh) send(index int, k *testTask, r *rand.Rand) {
	for range r.IntN(400) {
		j := r.IntN(len(m.to))
		n := 1 + r.Int64N(200)
		at := m.sent[index][j].Load()
		m.sent[index][j].Add(n) // before it can come
		if k.awaitSpace() != nil || k.send(k.out.Writers()[0][j], at, at+n) != nil {
			return
		}
	}
	_ = k.out.Broadcast(Event{EndOfData: &EndOfData{Drain: true}})
	_ = k.out.Broadcast(Event{EndOfPartition: true})
}

func (m *faultyMesh) receive(index int, k *testTask, end func()) {
	next := make([]int64, len(m.from))
	for {
		item, err := k.next()
		if err != nil {
			end()
			return
		}
		switch item.Kind {
		case ItemData:
			for _, v := range item.values() {
				if v != next[item.Channel] || v >= m.sent[item.Channel][index].Load() {
					m.t.Errorf("channel %d->%d: got %d, want %d of %d", item.Channel, index, v, next[item.Channel], m.sent[item.Channel][index].Load())
					end()
					return
				}
				next[item.Channel]++
			}
			k.gate.Done(item)
		case ItemEndOfPartition:
			for i := range next {
				if sent := m.sent[i][index].Load(); next[i] != sent {
					m.t.Errorf("channel %d->%d ended after %d of %d", i, index, next[i], sent)
				}
			}
			m.whole.Add(1)
			return
		}
	}
}
