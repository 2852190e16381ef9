package stream

import (
	"cmp"
	"fmt"
	"slices"
)

// merge is windows that become one.
type merge struct {
	result Span
	of     []Span
}

// windowMerger tells which windows of a key become one.
type windowMerger struct {
	by     func(windows []Span, merge func(result Span, of []Span)) // nil: those that touch
	all    []Span
	merges []merge
}

// plan returns what becomes one when w comes to the windows of a key. The result is
// good until the next call.
func (m *windowMerger) plan(live []liveWindow, w Span) ([]merge, error) {
	m.all = append(m.all[:0], w)
	for _, x := range live {
		m.all = append(m.all, x.span())
	}
	slices.SortFunc(m.all, func(a, b Span) int { return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End)) })
	m.merges = m.merges[:0]
	if m.by == nil {
		m.touching()
		return m.merges, nil
	}
	m.by(m.all, func(result Span, of []Span) {
		m.merges = append(m.merges, merge{result, slices.Clone(of)})
	})
	return m.merges, m.check()
}

// touching merges windows that overlap or meet.
func (m *windowMerger) touching() {
	for i := 0; i < len(m.all); {
		result, j := m.all[i], i+1
		for ; j < len(m.all) && m.all[j].Start <= result.End; j++ {
			result.End = max(result.End, m.all[j].End)
		}
		if j > i+1 {
			m.merges = append(m.merges, merge{result, m.all[i:j]})
		}
		i = j
	}
}

// check reports what a function of the program must not do.
func (m *windowMerger) check() error {
	left := slices.Clone(m.all)
	for _, x := range m.merges {
		if x.result.End <= x.result.Start {
			return fmt.Errorf("the assigner merged windows to [%d,%d): the end must be behind the start", x.result.Start, x.result.End)
		}
		for _, w := range x.of {
			at := slices.Index(left, w)
			if at < 0 {
				return fmt.Errorf("the assigner merged the window [%d,%d), which the key does not have, or twice", w.Start, w.End)
			}
			left = slices.Delete(left, at, at+1)
		}
	}
	for i := range m.merges {
		if x := m.merges[i].result; slices.Contains(left, x) {
			return fmt.Errorf("the assigner merged windows to [%d,%d), but left another one with these bounds", x.Start, x.End)
		}
		left = append(left, m.merges[i].result)
	}
	return nil
}

// endedByMerge is the error of a merge whose result is over, which Flink refuses
// too: the window would never fire.
func endedByMerge(m *merge, end, now int64) error {
	return fmt.Errorf("windows were merged to [%d,%d), whose life ended at %d and thereby before the current time %d: merging must not make a window end earlier", m.result.Start, m.result.End, end, now)
}
