package law

import (
	"slices"

	"goflink/stream"
)

// triggerKinds are windows with a trigger or an evictor.
func triggerKinds() []*kind {
	tumbling := func(n *Node) stream.Assigner { return stream.Tumbling(ms(n.A)) }
	draw := func(g *gen, n *Node) { n.A, n.C = 30+g.n(200), 1+g.n(5) }
	atEnd := func(n *Node, list []Timed) []pane { return aligned(list, n.A, n.A, 0) }
	purging := func(*Node) stream.Trigger[Event] { return stream.Purging(stream.EventTimeTrigger[Event]()) }
	return []*kind{
		shape{fns: freeFns, assigner: tumbling, draw: draw, panes: atEnd, trigger: purging}.kind("purging"),
		shape{fns: freeFns, assigner: tumbling, draw: draw, panes: atEnd, trigger: func(*Node) stream.Trigger[Event] { return ownTrigger() }}.kind("own-trigger"),
		shape{fns: freeFns, assigner: func(n *Node) stream.Assigner { return stream.Sliding(ms(n.A), ms(n.B)) },
			draw:    func(g *gen, n *Node) { n.B = 20 + g.n(50); n.A = n.B + g.n(2*n.B) },
			trigger: func(*Node) stream.Trigger[Event] { return stream.EventTimeTrigger[Event]() },
			panes:   func(n *Node, list []Timed) []pane { return aligned(list, n.A, n.B, 0) }}.kind("sliding-trigger"),
		shape{fns: countFns, assigner: tumbling, draw: draw, panes: countedPanes,
			trigger: func(n *Node) stream.Trigger[Event] { return stream.CountTrigger[Event](n.C) }}.kind("count-trigger"),
		shape{fns: countFns, assigner: tumbling, draw: draw, panes: purgedPanes,
			trigger: func(n *Node) stream.Trigger[Event] { return stream.Purging(stream.CountTrigger[Event](n.C)) }}.kind("purging-count"),
		shape{fns: countFns, assigner: tumbling, draw: draw, panes: lastOf,
			evictor: func(n *Node) stream.Evictor[Event] { return stream.CountEvictor[Event](n.C) }}.kind("count-evictor"),
		shape{fns: freeFns, assigner: tumbling, panes: newestOf,
			draw:    func(g *gen, n *Node) { n.A, n.C = 30+g.n(200), 5+g.n(100) },
			evictor: func(n *Node) stream.Evictor[Event] { return stream.TimeEvictor[Event](ms(n.C)) }}.kind("time-evictor"),
		continuousKind(),
	}
}

// ownTrigger is the event-time trigger as a program would write it, which also
// drops what it fired.
func ownTrigger() stream.Trigger[Event] {
	return stream.NewTrigger("OwnTrigger", func(c *stream.TriggerCtx[Event], e Event, ts int64) stream.Action {
		c.State.N++
		c.State.Last, c.State.Set = e, true
		c.TimerAt(c.End - 1)
		return stream.Continue
	}, func(c *stream.TriggerCtx[Event], at int64, proc bool) stream.Action {
		if !proc && at == c.End-1 && c.State.Set && c.State.N > 0 {
			return stream.FireAndPurge
		}
		return stream.Continue
	})
}

// counted are the firings of windows each C records, in the order of the records
// that made them fire.
func counted(n *Node, list []Timed, content func(all []Timed) []Timed) []pane {
	of := map[int64][]Timed{}
	var out []pane
	for _, e := range list {
		s := floor(e.TS, 0, n.A)
		if of[s] = append(of[s], e); int64(len(of[s]))%n.C == 0 {
			out = append(out, pane{s, s + n.A - 1, slices.Clone(content(of[s]))})
		}
	}
	return out
}

func countedPanes(n *Node, list []Timed) []pane {
	return counted(n, list, func(all []Timed) []Timed { return all })
}

func purgedPanes(n *Node, list []Timed) []pane {
	return counted(n, list, func(all []Timed) []Timed { return all[len(all)-int(n.C):] })
}

func lastOf(n *Node, list []Timed) []pane {
	out := aligned(list, n.A, n.A, 0)
	for i := range out {
		out[i].content = out[i].content[max(0, len(out[i].content)-int(n.C)):]
	}
	return out
}

func newestOf(n *Node, list []Timed) []pane {
	out := aligned(list, n.A, n.A, 0)
	for i, p := range out {
		newest := p.content[0].TS
		for _, e := range p.content {
			newest = max(newest, e.TS)
		}
		out[i].content = slices.DeleteFunc(slices.Clone(p.content), func(e Timed) bool { return e.TS <= newest-n.C })
	}
	return out
}

// continuousKind fires early, as often as watermarks say; the greatest count that
// a window told is that of its last firing.
func continuousKind() *kind {
	k := shape{fns: countFns, assigner: func(n *Node) stream.Assigner { return stream.Tumbling(ms(n.A)) },
		draw:    func(g *gen, n *Node) { n.A, n.B = 50+g.n(200), 7+g.n(50) },
		trigger: func(n *Node) stream.Trigger[Event] { return stream.ContinuousEventTimeTrigger[Event](ms(n.B)) },
		panes:   func(n *Node, list []Timed) []pane { return aligned(list, n.A, n.A, 0) }}.kind("continuous")
	k.classes = []Class{Free}
	inner := k.build
	k.build = func(b *builder, n *Node, in stream.Stream[Event]) stream.Stream[Event] {
		again := stream.KeyBy(inner(b, n, in), numberKey).Window(stream.Tumbling(ms(n.A)))
		return stream.Map(stream.Max(again, func(e *Event) *int64 { return &e.N }, b.uid(n, "max")), func(e Event) Event {
			return Event{Key: e.Key, At: e.At, N: e.N}
		}, b.uid(n, "last"), stream.Parallelism(n.parallelism(b.p)))
	}
	return k
}
