package law

import (
	"goflink/stream"
)

// noTimestamp is the event time of a record that has none.
const noTimestamp = -1 << 63

// rollingKinds fold a key's records as they come: each emits the result so far.
// In batch mode only the last is wanted, and then the order does not matter.
func rollingKinds() []*kind {
	return []*kind{{name: "rolling", state: "value", keyed: true, timeless: true, classes: []Class{Free, Ordered},
		draw: func(g *gen, n *Node) {
			n.Fn = "count"
			if g.spec.Batch || g.spec.Class == Ordered {
				n.Fn = pick(g, freeFns[:len(freeFns)-1])
			}
			n.A = 0
			if g.spec.Batch {
				n.A = 1
			}
		},
		text: func(n *Node) string {
			if n.A == 1 {
				return "last only"
			}
			return ""
		},
		build: func(b *builder, n *Node, in stream.Stream[Event]) stream.Stream[Event] {
			if n.Text {
				return fold(b, n, stream.KeyBy(in, textKey))
			}
			return fold(b, n, stream.KeyBy(in, numberKey))
		},
		eval: evalRolling}}
}

func evalRolling(n *Node, in []Timed) (out, side []Timed) {
	keys, of := groups(in)
	for _, k := range keys {
		list := of[k]
		if n.A == 1 {
			out = append(out, Timed{folded(n, k, 0, list), noTimestamp})
			continue
		}
		for i, e := range list {
			out = append(out, Timed{folded(n, k, 0, list[:i+1]), e.TS})
		}
	}
	return out, nil
}
