package stream

import (
	"testing"

	"goflink/dataflow"
)

// TestPortHeedsTheReceiver: a batch and a buffer are sent when they hold what the
// receiver asked for, and not before; what it asks for counts from the next one.
func TestPortHeedsTheReceiver(t *testing.T) {
	c := mustCodec[int64](t)
	local, remote := &sent{local: true, limit: 10}, &sent{limit: 1000}
	for _, s := range []*sent{local, remote} {
		out := testPort(t, c, nil, s)
		emit := func(n int) {
			for range n {
				if err := out.Collect(&dataflow.Rec[int64]{V: 1 << 40, TS: dataflow.NoTimestamp}); err != nil {
					t.Fatal(err)
				}
			}
		}
		emit(1)
		s.limit = 1 // for the next one
		emit(999)
		first, rest := 0, 0
		for i, b := range s.batches {
			if n := b.Rows(); i == 0 {
				first = n
			} else {
				rest = max(rest, n)
			}
		}
		for i, b := range s.buffers {
			if n := len(b.Data); i == 0 {
				first = n
			} else {
				rest = max(rest, b.Rows)
			}
		}
		if s.local && first != 10 || !s.local && (first < 900 || first > 1000) {
			t.Errorf("local %t: the first one holds %d", s.local, first)
		}
		if rest != 1 {
			t.Errorf("local %t: a later one holds %d records", s.local, rest)
		}
	}
}
