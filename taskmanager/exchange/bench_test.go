package exchange

import (
	"testing"

	"goflink/dataflow"
)

// BenchmarkLocal and BenchmarkRemote move 256 rows of 8 bytes a batch; compare
// their rows/s for what a process boundary costs.
func BenchmarkLocal(b *testing.B) {
	n := newNetwork(b, "a")
	benchmarkPair(b, connectPair(b, n, n, AttemptID{}), &intBatch{v: make([]int64, 256)})
}

// BenchmarkRemote moves full 32 KiB buffers over loopback.
func BenchmarkRemote(b *testing.B) {
	benchmarkPair(b, connectPair(b, newNetwork(b, "a"), newNetwork(b, "b"), AttemptID{}), nil)
}

func benchmarkPair(b *testing.B, p *pair, batch dataflow.Batch) {
	w := p.writer()
	rows := int64(256)
	if batch == nil {
		rows = dataflow.BufferSize / 8
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			item, err := p.to.next()
			if err != nil || item.Kind == ItemEndOfPartition {
				return
			}
			if item.Kind == ItemData {
				p.to.gate.Done(item)
			}
		}
	}()
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if err := p.from.awaitSpace(); err != nil {
			b.Fatal(err)
		}
		var err error
		if batch != nil {
			err = w.SendBatch(batch)
		} else {
			buf := w.NewBuffer(dataflow.BufferSize)
			buf.Data, buf.Rows = buf.Data[:dataflow.BufferSize], int(rows)
			err = w.SendBuffer(buf)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := p.from.out.Broadcast(Event{EndOfPartition: true}); err != nil {
		b.Fatal(err)
	}
	<-done
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
}
