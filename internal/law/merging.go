package law

import (
	"slices"
	"time"

	"goflink/stream"
)

// mergingKinds are windows that become one when they touch, other than plain
// sessions: their gap is that of the record, or they have a trigger or an evictor.
func mergingKinds() []*kind {
	session := func(n *Node) stream.Assigner { return stream.Session(ms(n.A)) }
	dynamic := func(n *Node) stream.Assigner {
		return stream.DynamicSession(func(e Event) time.Duration { return ms(n.gapOf(e)) })
	}
	draw := func(g *gen, n *Node) { n.A, n.C = 3+g.n(60), 1+g.n(5) }
	plain := func(*Node) stream.Trigger[Event] { return stream.EventTimeTrigger[Event]() }
	spanned := func(n *Node, list []Timed) []pane {
		return spans(list, func(e Timed) int64 { return e.TS + n.gapOf(e.Event) })
	}
	list := []*kind{
		shape{fns: freeFns, merges: true, assigner: dynamic, draw: draw, panes: spanned}.kind("dynamic-session"),
		shape{fns: freeFns, merges: true, assigner: dynamic, draw: draw, panes: spanned, trigger: plain}.kind("dynamic-trigger"),
		shape{fns: freeFns, merges: true, assigner: session, draw: draw, panes: picked,
			trigger: func(*Node) stream.Trigger[Event] { return pickingTrigger() }}.kind("session-trigger"),
		shape{fns: countFns, merges: true, assigner: session, draw: draw,
			panes: func(n *Node, list []Timed) []pane {
				return cut(sessions(list, n.A), func(all []Timed) []Timed { return all[max(0, len(all)-int(n.C)):] })
			},
			evictor: func(n *Node) stream.Evictor[Event] { return stream.CountEvictor[Event](n.C) }}.kind("session-count-evictor"),
		shape{fns: freeFns, merges: true, assigner: session,
			draw: func(g *gen, n *Node) { n.A, n.C = 10+g.n(60), 5+g.n(100) },
			panes: func(n *Node, list []Timed) []pane {
				return cut(sessions(list, n.A), func(all []Timed) []Timed { return newest(all, n.C) })
			},
			evictor: func(n *Node) stream.Evictor[Event] { return stream.TimeEvictor[Event](ms(n.C)) }}.kind("session-time-evictor"),
		shape{fns: freeFns, merges: true, assigner: session, draw: draw, panes: countedSessions,
			trigger: func(n *Node) stream.Trigger[Event] { return stream.CountTrigger[Event](n.C) }}.kind("session-count"),
		continuousSessions(),
	}
	list[5].classes = []Class{Ordered} // which records are in a firing depends on their order
	return list
}

// gapOf is the gap of a record of dynamic sessions.
func (n *Node) gapOf(e Event) int64 { return 1 + n.A/3 + mix(e.ID, 43)%n.A }

// spans are the panes of windows from a record's event time to end, as far as they
// overlap or meet.
func spans(list []Timed, end func(e Timed) int64) (out []pane) {
	last := int64(0)
	for _, e := range sorted(list) {
		if i := len(out) - 1; i >= 0 && e.TS <= last {
			out[i].content = append(out[i].content, e)
		} else {
			out = append(out, pane{start: e.TS, content: []Timed{e}})
			last = e.TS
		}
		last = max(last, end(e))
		out[len(out)-1].ts = last - 1
	}
	return out
}

// cut leaves a part of each pane's records.
func cut(panes []pane, left func(all []Timed) []Timed) []pane {
	for i := range panes {
		panes[i].content = left(panes[i].content)
	}
	return panes
}

// newest are the records of the last d milliseconds.
func newest(all []Timed, d int64) []Timed {
	last := all[0].TS
	for _, e := range all {
		last = max(last, e.TS)
	}
	return slices.DeleteFunc(slices.Clone(all), func(e Timed) bool { return e.TS <= last-d })
}

// pickingTrigger fires at the end of a window, unless its records are a multiple of
// three: its count must not get lost when windows merge.
func pickingTrigger() stream.Trigger[Event] {
	return stream.NewTrigger("PickingTrigger", func(c *stream.TriggerCtx[Event], _ Event, _ int64) stream.Action {
		c.State.N++
		c.TimerAt(c.End - 1)
		return stream.Continue
	}, func(c *stream.TriggerCtx[Event], at int64, proc bool) stream.Action {
		if !proc && at == c.End-1 && c.State.N%3 != 0 {
			return stream.FireAndPurge
		}
		return stream.Continue
	}).OnMerge(func(c *stream.TriggerCtx[Event], merged []stream.TriggerState[Event]) {
		for _, m := range merged {
			c.State.N += m.N
		}
		c.TimerAt(c.End - 1)
	}).OnClear(func(c *stream.TriggerCtx[Event]) { c.DeleteTimer(c.End - 1) })
}

func picked(n *Node, list []Timed) []pane {
	return slices.DeleteFunc(sessions(list, n.A), func(p pane) bool { return len(p.content)%3 == 0 })
}

// countedSessions are the firings of sessions each C records: when sessions become
// one, so do their counts.
func countedSessions(n *Node, list []Timed) (out []pane) {
	type open struct {
		pane
		end, count int64
	}
	var live []open
	for _, e := range list {
		now := open{pane{start: e.TS}, e.TS + n.A, 0}
		var rest []open
		for _, x := range live {
			if x.start > e.TS+n.A || x.end < e.TS {
				rest = append(rest, x)
				continue
			}
			now.start, now.end, now.count = min(now.start, x.start), max(now.end, x.end), now.count+x.count
			now.content = append(now.content, x.content...)
		}
		now.content = append(now.content, e)
		if now.count++; now.count >= n.C {
			now.count = 0
			out = append(out, pane{now.start, now.end - 1, slices.Clone(now.content)})
		}
		live = append(rest, now)
	}
	return out
}

// continuousSessions fire early, as often as watermarks say, and grow; the greatest
// count of a key is that of its largest session.
func continuousSessions() *kind {
	k := shape{fns: countFns, merges: true, assigner: func(n *Node) stream.Assigner { return stream.Session(ms(n.A)) },
		draw:    func(g *gen, n *Node) { n.A, n.B = 10+g.n(60), 7+g.n(50) },
		trigger: func(n *Node) stream.Trigger[Event] { return stream.ContinuousEventTimeTrigger[Event](ms(n.B)) },
		panes:   func(n *Node, list []Timed) []pane { return sessions(list, n.A) }}.kind("session-continuous")
	k.classes, k.timeless = []Class{Free}, true
	inner, panes := k.build, k.eval
	k.build = func(b *builder, n *Node, in stream.Stream[Event]) stream.Stream[Event] {
		all := stream.KeyBy(inner(b, n, in), numberKey).Whole()
		return stream.Map(stream.Max(all, func(e *Event) *int64 { return &e.N }, b.uid(n, "max")), func(e Event) Event {
			return Event{Key: e.Key, N: e.N}
		}, b.uid(n, "largest"), stream.Parallelism(n.parallelism(b.p)))
	}
	k.eval = func(n *Node, in []Timed) (out, side []Timed) {
		all, _ := panes(n, in)
		keys, of := groups(all)
		for _, key := range keys {
			largest := slices.MaxFunc(of[key], func(a, b Timed) int { return int(a.N - b.N) })
			out = append(out, Timed{Event{Key: key, N: largest.N}, noTimestamp})
		}
		return out, nil
	}
	return k
}
