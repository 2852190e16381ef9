package metrics

import (
	"strings"
	"time"
)

const (
	// maxPerGroup bounds the metrics of a group. Flink's largest groups have about a hundred.
	maxPerGroup = 1000
	// maxChildren bounds the groups within a group.
	maxChildren = 1000
	// maxName bounds a name in bytes; a task's name holds the names of all its operators.
	maxName = 256
)

// Group is a named set of metrics and of further groups. Groups, gauges, meters, histograms and atomic counters are made by
// any goroutine; counters and values by the one that owns the component, or before it starts.
type Group struct {
	reg *Registry
	// prefix comes before the names within the component, "" or ending in ".": what REST shows.
	prefix string
	// scope comes before the prefix in a reporter's identifier.
	scope string
	// variables are the parts of the scope by name (<host>, <job_name>, …), for reporters with labels.
	variables map[string]string

	// owned are the metrics that the owner of this component publishes; all groups of a component share it.
	owned *owned

	// All below is guarded by reg.mu.
	metrics  map[string]Metric
	children map[string]*Group
	meters   []*Meter
}

// owned is the list of a component's counters and values. It belongs to the component's goroutine, which makes them and
// publishes them; before that goroutine starts, to whoever sets it up.
type owned struct{ list []publisher }

// publisher is a metric that its owner publishes.
type publisher interface{ publish() }

func newGroup(r *Registry, scope, prefix string, variables map[string]string, o *owned) *Group {
	return &Group{reg: r, scope: scope, prefix: prefix, variables: variables, owned: o, metrics: map[string]Metric{}, children: map[string]*Group{}}
}

// cleanName replaces what would be read as a separator and cuts what is too long. Flink's REST identifiers keep the rest.
func cleanName(name string) string {
	if len(name) > maxName {
		name = strings.ToValidUTF8(name[:maxName], "")
	}
	return name
}

// OperatorName turns an operator's name into the part of a metric's identifier that Flink makes of it: blanks, dots and
// colons become "_" ("Source: in" is Source__in).
func OperatorName(name string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case ' ', '.', ':', ',', '"', '\'', '?', '*', '=', ';', '\\', '<', '>', '|':
			return '_'
		}
		return r
	}, cleanName(name))
}

// add registers m under name; the first one of a name stays, as in Flink.
func (g *Group) add(name string, m Metric) {
	g.reg.mu.Lock()
	defer g.reg.mu.Unlock()
	name = cleanName(name)
	if _, dup := g.metrics[name]; dup || len(g.metrics) >= maxPerGroup {
		g.reg.mu.dropped++
		return
	}
	g.metrics[name] = m
	if p, ok := m.(publisher); ok {
		g.owned.list = append(g.owned.list, p)
	}
	if meter, ok := m.(*Meter); ok {
		meter.tick(g.reg.now())
		g.meters = append(g.meters, meter)
	}
}

// Counter makes a counter. The goroutine that owns the group's task changes it, and Publish makes it visible.
func (g *Group) Counter(name string) *Counter {
	c := &Counter{}
	g.add(name, c)
	return c
}

// AtomicCounter makes a counter that several goroutines may change.
func (g *Group) AtomicCounter(name string) *AtomicCounter {
	c := &AtomicCounter{}
	g.add(name, c)
	return c
}

// Value makes a figure that its owner sets.
func (g *Group) Value(name string, initial int64) *Value {
	v := &Value{v: initial, last: initial}
	v.published.Store(initial)
	g.add(name, v)
	return v
}

// Gauge registers a figure that is asked for when it is read.
func (g *Group) Gauge(name string, f Gauge) { g.add(name, f) }

// Meter makes the rate per second of a count.
func (g *Group) Meter(name string, s Source) *Meter {
	m := newMeter(s)
	g.add(name, m)
	return m
}

// Histogram makes a distribution of the last window values, of which there are at most 1024.
func (g *Group) Histogram(name string, window int) *Histogram {
	h := newHistogram(window)
	g.add(name, h)
	return h
}

// Group returns the group within this one, made when it is not there yet.
func (g *Group) Group(name string) *Group {
	g.reg.mu.Lock()
	defer g.reg.mu.Unlock()
	return g.child(cleanName(name), g.scope, g.variables)
}

// Labelled returns the group key.value within this one; reporters with labels show it as key="value".
func (g *Group) Labelled(key, value string) *Group {
	variables := map[string]string{"<" + key + ">": value}
	for k, v := range g.variables {
		variables[k] = v
	}
	g.reg.mu.Lock()
	defer g.reg.mu.Unlock()
	return g.child(cleanName(key), g.scope, g.variables).child(cleanName(value), g.scope, variables)
}

// child returns or makes a child; the caller holds the lock. A child beyond the bound is made and not kept.
func (g *Group) child(name, scope string, variables map[string]string) *Group {
	if c, ok := g.children[name]; ok {
		return c
	}
	c := newGroup(g.reg, scope, g.prefix+name+".", variables, g.owned)
	if len(g.children) < maxChildren {
		g.children[name] = c
	} else {
		g.reg.mu.dropped++
	}
	return c
}

// each visits g and the groups below; the caller holds the lock.
func (g *Group) each(visit func(*Group)) {
	visit(g)
	for _, c := range g.children {
		c.each(visit)
	}
}

// read yields the figures of g and the groups below by their names within the component; the caller holds the lock.
func (g *Group) read(yield func(name, text string)) {
	g.each(func(x *Group) {
		for name, m := range x.metrics {
			if h, ok := m.(*Histogram); ok {
				h.Statistics().each(func(suffix, text string) { yield(x.prefix+name+suffix, text) })
				continue
			}
			yield(x.prefix+name, m.text())
		}
	})
}

// Snapshot returns the figures of the group and of those within it, by their names within the component.
func (g *Group) Snapshot() map[string]string {
	g.reg.mu.Lock()
	defer g.reg.mu.Unlock()
	out := map[string]string{}
	g.read(func(name, text string) { out[name] = text })
	return out
}

// Publish makes the counters and values of the whole component visible to readers; for the goroutine that owns them, after
// each batch and before it waits.
func (g *Group) Publish() {
	for _, p := range g.owned.list {
		p.publish()
	}
}

func (g *Group) tick(now time.Time) {
	for _, m := range g.meters {
		m.tick(now)
	}
}
