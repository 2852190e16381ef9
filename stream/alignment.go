package stream

import (
	"time"

	"goflink/dataflow"
)

// DefaultAlignmentInterval is how often readers report their watermark to the
// coordinator, Flink's default.
const DefaultAlignmentInterval = time.Second

// WithAlignment keeps the sources of a group together, and the splits of each: a
// split whose watermark is more than maxDrift ahead of the slowest reader of the
// group is not read until that one has come closer. It bounds what joins and
// windows behind sources of different speed must keep. Readers report, and the
// coordinator answers, each interval (0: DefaultAlignmentInterval), so that a
// split may be ahead by what it reads in that time. Idle readers hold nobody
// back. It is for strategies given to From; Flink's withWatermarkAlignment.
func (s WatermarkStrategy[T]) WithAlignment(group string, maxDrift, interval time.Duration) WatermarkStrategy[T] {
	if interval == 0 {
		interval = DefaultAlignmentInterval
	}
	s.align = dataflow.Alignment{Group: group, MaxDrift: maxDrift, Interval: interval}
	s.alignSet = true
	return s
}

func (s *WatermarkStrategy[T]) aligned() bool { return s.alignSet && s.align.Group != "" }

// checkAlignment reports what cannot be aligned.
func (s *WatermarkStrategy[T]) checkAlignment(o *op) {
	switch {
	case !s.alignSet:
	case !o.node.Source:
		o.env.failf("operator %q: watermark alignment is for sources: give the strategy to From", o.node.Name)
	case s.align.Group == "":
		o.env.failf("operator %q: watermark alignment needs the name of a group", o.node.Name)
	case s.align.MaxDrift <= 0 || s.align.Interval <= 0:
		o.env.failf("operator %q: watermark alignment with a drift of %s each %s: both must be positive", o.node.Name, s.align.MaxDrift, s.align.Interval)
	case s.generator == nil:
		o.env.failf("operator %q: watermark alignment needs watermarks, and the strategy has none", o.node.Name)
	}
}

func (s *WatermarkStrategy[T]) alignEnumerator(inner func() dataflow.Enumerator) func() dataflow.Enumerator {
	al := s.align
	return func() dataflow.Enumerator {
		if inner == nil {
			return &alignedEnumerator{Enumerator: &staticEnumerator{make: func(int) [][]byte { return nil }}, al: al}
		}
		return &alignedEnumerator{Enumerator: inner(), al: al}
	}
}

// alignedEnumerator tells the coordinator that its source belongs to a group.
type alignedEnumerator struct {
	dataflow.Enumerator
	al dataflow.Alignment
}

func (a *alignedEnumerator) Alignment() dataflow.Alignment { return a.al }

func (a *alignedEnumerator) AddReader(subtask int, host string) error {
	if r, ok := a.Enumerator.(dataflow.ReaderEnumerator); ok {
		return r.AddReader(subtask, host)
	}
	return nil
}

func (a *alignedEnumerator) OnEvent(subtask int, data []byte) error {
	if r, ok := a.Enumerator.(dataflow.ReaderEnumerator); ok {
		return r.OnEvent(subtask, data)
	}
	return nil
}

// alignedReader is what a source's operator knows of its group.
type alignedReader struct {
	// limit is the greatest watermark that a split may have.
	limit    int64
	period   int64 // of reports, in milliseconds; 0: not aligned
	next     int64 // processing time of the next one
	reported int64
}

func newAlignedReader(al dataflow.Alignment) alignedReader {
	a := alignedReader{limit: dataflow.MaxWatermark, reported: dataflow.MinWatermark}
	if al.Group != "" {
		a.period = max(1, al.Interval.Milliseconds())
	}
	return a
}

func (a *alignedReader) nextReport(now func() int64) (int64, bool) {
	if a.period == 0 {
		return 0, false
	}
	if a.next == 0 {
		a.next = now() + a.period
	}
	return a.next, true
}

func (a *alignedReader) fire(b *base, now, wm int64, idle bool) {
	if a.period == 0 || now < a.next {
		return
	}
	a.next = now + a.period
	a.report(b, wm, idle)
}

// report tells the coordinator the reader's watermark if it changed. One that has
// none yet does not take part; an idle one holds nobody back.
func (a *alignedReader) report(b *base, wm int64, idle bool) {
	if idle {
		wm = dataflow.MaxWatermark
	}
	if a.period == 0 || wm == a.reported || b.t.env.SendEvent == nil {
		return
	}
	a.reported = wm
	b.t.env.SendEvent(b.id, dataflow.WatermarkEvent(wm))
}
