package law

import (
	"fmt"
	"slices"

	"goflink/stream"
)

// lateKinds end late graphs. What is too late for its window depends on the run;
// their function says what holds all the same:
//
//	once   no lateness: each record in one window or late, each window fires once
//	purge  lateness, and what fired is dropped: each record in one firing or late
//	sums   lateness: the last firing of a window holds all that is not late
//	some   sessions with lateness: each record in a firing, or late, never both
//
// A restored job begins without a watermark, as Flink's do, and may take a record
// into a window that fired before: that windows fire once, and sums, hold for jobs
// that were not killed.
func lateKinds() []*kind {
	mk := func(name string, triggered bool, assigner func(n *Node) stream.Assigner, fns ...string) *kind {
		return &kind{name: name, state: "window", keyed: true, timed: true, classes: []Class{Late},
			side: func(*Node) bool { return true },
			text: func(n *Node) string { return fmt.Sprintf("%dms lateness=%d", n.A, n.D) },
			draw: func(g *gen, n *Node) {
				n.A, n.Fn, n.D = 10+g.n(80), pick(g, fns), 10+g.n(60)
				if n.Fn == "once" {
					n.D = 0
				}
			},
			build: func(b *builder, n *Node, in stream.Stream[Event]) stream.Stream[Event] {
				if n.Text {
					return lateWindow(b, n, triggered, stream.KeyBy(in, textKey).Window(assigner(n)))
				}
				return lateWindow(b, n, triggered, stream.KeyBy(in, numberKey).Window(assigner(n)))
			},
			eval: func(_ *Node, in []Timed) (out, side []Timed) { return in, nil },
		}
	}
	tumbling := func(n *Node) stream.Assigner { return stream.Tumbling(ms(n.A)) }
	session := func(n *Node) stream.Assigner { return stream.Session(ms(n.A)) }
	relay := each("relay", nil, func(e Timed, _ *Node, emit func(Timed)) { emit(e) }, func(b *builder, n *Node, in stream.Stream[Event]) stream.Stream[Event] {
		return stream.Map(in, func(e Event) Event { return e }, b.options(n)...)
	})
	relay.classes = []Class{Late} // and where other graphs are shrunk
	return []*kind{
		relay,
		mk("late-tumbling", false, tumbling, "once", "purge", "sums"),
		mk("late-session", false, session, "once", "some"),
		// These ask a trigger about each record, which is that of event time.
		mk("late-triggered", true, tumbling, "once", "purge", "sums"),
		mk("late-merging", true, session, "once", "some"),
	}
}

// firing marks the line that a window writes of itself, before its records.
const firing = -1

func lateWindow[K comparable](b *builder, n *Node, triggered bool, w stream.Windowed[K, Event]) stream.Stream[Event] {
	w = w.LateTo(sideTag).AllowedLateness(ms(n.D))
	if triggered {
		w = w.Trigger(stream.EventTimeTrigger[Event]())
	}
	if n.Fn == "purge" {
		w = w.Trigger(stream.Purging(stream.EventTimeTrigger[Event]()))
	}
	return keepSide(b, n, stream.Apply(w, func(i stream.WindowInfo[K], vs []Event, out *stream.Out[Event]) error {
		head := Event{ID: firing, Key: keyOf(i.Key), At: i.Start, N: int64(len(vs)), Path: []int64{0}}
		for _, v := range vs {
			head.Path[0] += v.ID
		}
		out.Emit(head)
		if n.Fn == "sums" {
			return nil
		}
		for _, v := range vs {
			out.Emit(v)
		}
		return nil
	}, b.options(n)...))
}

// late draws a graph whose last operator is of lateKinds, written to files.
func (g *gen) late() {
	g.source()
	n := &g.spec.Nodes[0]
	n.Late, n.B = true, 50+g.n(200)
	n.D = 2 + g.n(2)
	for range g.n(3) {
		for !g.step("relay") {
		}
	}
	for !g.step(pick(g, []string{"late-tumbling", "late-tumbling", "late-session", "late-triggered", "late-merging"})) {
	}
	last := len(g.spec.Nodes) - 1
	g.spec.Sinks = []Sink{{In: last, Kind: "files"}, {In: last, Side: true, Kind: "files"}}
}

// parsed reads a line back.
func parsed(line string) (e Event, err error) {
	var sum int64
	if _, err := fmt.Sscanf(line, "%d k%d at%d n%d [%d", &e.ID, &e.Key, &e.At, &e.N, &sum); err != nil {
		return e, fmt.Errorf("line %q: %w", line, err)
	}
	e.Path = []int64{sum}
	return e, nil
}

// checkLate checks what late graphs promise.
func checkLate(s *Spec, got [][]string, undisturbed bool) error {
	n := &s.Nodes[len(s.Nodes)-1]
	all := map[int64]Event{}
	for i := range s.Nodes[0].A {
		e := s.Nodes[0].event(i)
		all[e.ID] = e
	}
	fired := map[[2]int64][]Event{}
	in, late := map[int64]int{}, map[int64]int{}
	for sink, of := range []map[int64]int{in, late} {
		for _, l := range got[sink] {
			e, err := parsed(l)
			if err != nil {
				return err
			}
			if e.ID == firing {
				fired[[2]int64{e.Key, e.At}] = append(fired[[2]int64{e.Key, e.At}], e)
			} else if _, ok := all[e.ID]; !ok {
				return fmt.Errorf("record %d was never emitted", e.ID)
			} else {
				of[e.ID]++
			}
		}
	}
	if n.Fn == "sums" {
		return checkSums(n, all, late, fired)
	}
	return checkOnce(n, all, in, late, fired, undisturbed)
}

func checkOnce(n *Node, all map[int64]Event, in, late map[int64]int, fired map[[2]int64][]Event, undisturbed bool) error {
	for id := range all {
		a, b := in[id], late[id]
		if n.Fn == "some" {
			a = min(a, 1)
		}
		if a+b != 1 {
			return fmt.Errorf("record %d is %d times in windows and %d times late", id, a, b)
		}
	}
	for w, heads := range fired {
		if undisturbed && n.Fn == "once" && (n.Kind == "late-tumbling" || n.Kind == "late-triggered") && len(heads) != 1 {
			return fmt.Errorf("window %d of key %d fired %d times", w[1], w[0], len(heads))
		}
	}
	return nil
}

// checkSums compares the largest firing of each window with what is not late.
func checkSums(n *Node, all map[int64]Event, late map[int64]int, fired map[[2]int64][]Event) error {
	want := map[[2]int64][2]int64{}
	for id, e := range all {
		if late[id] > 1 {
			return fmt.Errorf("record %d is late %d times", id, late[id])
		}
		if late[id] == 0 {
			w := [2]int64{e.Key, floor(e.At, 0, n.A)}
			want[w] = [2]int64{want[w][0] + 1, want[w][1] + id}
		}
	}
	for w, x := range want {
		if len(fired[w]) == 0 {
			return fmt.Errorf("window %d of key %d never fired; it has %d records", w[1], w[0], x[0])
		}
		last := slices.MaxFunc(fired[w], func(a, b Event) int { return int(a.N - b.N) })
		if last.N != x[0] || last.Path[0] != x[1] {
			return fmt.Errorf("window %d of key %d has %d records (sum %d), want %d (%d)", w[1], w[0], last.N, last.Path[0], x[0], x[1])
		}
	}
	if len(fired) != len(want) {
		return fmt.Errorf("%d windows fired, want %d", len(fired), len(want))
	}
	return nil
}
