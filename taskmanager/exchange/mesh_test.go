package exchange

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// TestRandomMesh runs senders and receivers on two workers with barriers at
// random places, and checks order per channel and exactly-once alignment:
// between two aligned barriers a receiver sees exactly what each sender sent
// between them.
func TestRandomMesh(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 2))
	compressed := func(o *Options) { o.Compression = Compression(r.IntN(3)) }
	nets := []*Network{newNetworkWith(t, "a", compressed), newNetworkWith(t, "b", compressed)}
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
