package law

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"goflink/stream"
)

// asyncKinds call a function for many records at a time: A of them; B picks the
// form (0 Async, 1 AsyncFlat, 2 RunAsync), C 1 makes calls fail now and then, which
// are repeated, D is a time-out in milliseconds whose handler gives the same result.
func asyncKinds() []*kind {
	mk := func(name string, ordered bool, classes ...Class) *kind {
		return &kind{name: name, state: "in flight", classes: classes,
			draw: func(g *gen, n *Node) {
				n.A, n.B, n.C, n.D = 1+g.n(6), g.n(3), g.n(3)/2, []int64{0, 0, 20, 500}[g.n(4)]
				if n.Ordered {
					// Records of a key are far from each other. A restore divides what is in flight,
					// as Flink's does: only one subtask keeps the order through it.
					n.A, n.Par, n.C = 48+g.n(100), 2, 1
				}
			},
			text: func(n *Node) string {
				return fmt.Sprintf("capacity=%d form=%d fails=%d timeout=%d", n.A, n.B, n.C, n.D)
			},
			build: func(b *builder, n *Node, in stream.Stream[Event]) stream.Stream[Event] {
				return asked(b, n, in, ordered)
			},
			eval: func(n *Node, in []Timed) (out, side []Timed) {
				for _, e := range in {
					for _, x := range answers(n, e.Event) {
						out = append(out, Timed{x, e.TS})
					}
				}
				return out, nil
			}}
	}
	return []*kind{mk("async-ordered", true, Free, Ordered), mk("async-unordered", false, Free)}
}

// answers are the results of a record.
func answers(n *Node, e Event) []Event {
	if e = changed(e); n.B != 1 {
		return []Event{e}
	}
	var out []Event
	for i := range mix(e.ID, 37) % 3 {
		out = append(out, copied(e, i))
	}
	return out
}

var errBusy = errors.New("busy")

// service answers after a while, which differs from call to call.
type service struct {
	n     *Node
	calls *atomic.Int64
}

// Call implements stream.AsyncFunc.
func (s service) Call(_ context.Context, e Event) ([]Event, error) {
	call := s.calls.Add(1)
	for range mix(e.ID, call) % 6 {
		runtime.Gosched()
	}
	if s.n.C == 1 && call%5 == 0 {
		return nil, errBusy
	}
	return answers(s.n, e), nil
}

// manyAttempts is more than any record needs: of five calls in a row one fails.
const manyAttempts = 60

func asked(b *builder, n *Node, in stream.Stream[Event], ordered bool) stream.Stream[Event] {
	s := service{n, new(atomic.Int64)}
	o := stream.AsyncOptions{Capacity: int(n.A), Ordered: ordered, Timeout: ms(n.D)}
	if n.C == 1 {
		o.Retry = stream.AsyncRetry{Attempts: manyAttempts, Delay: time.Millisecond}
	}
	all := func(e Event) ([]Event, error) { return answers(n, e), nil }
	one := func(e Event) (Event, error) { return answers(n, e)[0], nil }
	if n.D > 0 && n.B == 0 {
		o.OnTimeout = stream.TimeoutWith(one)
	} else if n.D > 0 {
		o.OnTimeout = stream.TimeoutWith(all)
	}
	switch n.B {
	case 0:
		return stream.Async(in, func(ctx context.Context, e Event) (Event, error) {
			list, err := s.Call(ctx, e)
			if err != nil {
				return Event{}, err
			}
			return list[0], nil
		}, o, b.options(n)...)
	case 1:
		return stream.AsyncFlat(in, s.Call, o, b.options(n)...)
	}
	return stream.RunAsync(in, func(*stream.Setup[stream.NoKey]) service { return s }, o, b.options(n)...)
}
