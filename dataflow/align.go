package dataflow

import (
	"math"
	"time"
)

// Alignment keeps the readers of all sources of a group together: none runs ahead
// of the slowest one by more than MaxDrift.
type Alignment struct {
	Group    string
	MaxDrift time.Duration
	// Interval is how often readers report and the greatest watermark is told.
	Interval time.Duration
}

// Aligner merges the watermarks of the readers of one job's sources. It is a pure
// core; the coordinator drives it, on one goroutine.
//
// A reader that has not reported holds nobody back: it may have nothing to read.
// One that is idle or has ended reports MaxWatermark.
type Aligner struct {
	sources map[string]Alignment
	groups  map[string]map[reader]int64
}

type reader struct {
	source  string
	subtask int
}

// NewAligner returns one without sources.
func NewAligner() *Aligner {
	return &Aligner{sources: map[string]Alignment{}, groups: map[string]map[reader]int64{}}
}

// Join adds a source to its group.
func (a *Aligner) Join(source string, al Alignment) {
	a.sources[source] = al
	if a.groups[al.Group] == nil {
		a.groups[al.Group] = map[reader]int64{}
	}
}

// Leave takes a source with its readers out of its group, until it joins again.
func (a *Aligner) Leave(source string) {
	for r := range a.groups[a.sources[source].Group] {
		if r.source == source {
			delete(a.groups[a.sources[source].Group], r)
		}
	}
	delete(a.sources, source)
}

// Report takes the watermark of a reader.
func (a *Aligner) Report(source string, subtask int, wm int64) {
	if al, ok := a.sources[source]; ok {
		a.groups[al.Group][reader{source, subtask}] = wm
	}
}

// Allowed is the greatest watermark that the readers of a source may have, and
// false while nobody of its group has reported.
func (a *Aligner) Allowed(source string) (int64, bool) {
	al, ok := a.sources[source]
	if !ok || len(a.groups[al.Group]) == 0 {
		return 0, false
	}
	low := int64(MaxWatermark)
	for _, wm := range a.groups[al.Group] {
		low = min(low, wm)
	}
	drift := al.MaxDrift.Milliseconds()
	if low > math.MaxInt64-drift {
		return MaxWatermark, true
	}
	return low + drift, true
}
