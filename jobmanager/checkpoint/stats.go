package checkpoint

import (
	"maps"
	"slices"
	"time"

	"goflink/control"
)

// Status of a checkpoint in the statistics.
type Status string

// The states that REST shows.
const (
	InProgress Status = "IN_PROGRESS"
	Done       Status = "COMPLETED"
	Failed     Status = "FAILED"
)

// Figures are what is measured of a checkpoint, a vertex or a subtask. Times
// are in milliseconds, sizes in bytes.
type Figures struct {
	LatestAck     time.Time
	Size          int64 // of the whole state
	Uploaded      int64 // of what was stored for this checkpoint
	Duration      int64 // end to end
	Processed     int64 // during the alignment
	Persisted     int64 // of records in flight
	Unaligned     bool  // a barrier overtook records
	Acknowledged  int
	Subtasks      int
	Sync, Async   int64
	Alignment     int64
	StartDelay    int64
	SubtaskStatus Status
}

// VertexStats are the figures of one vertex and of its subtasks by index; a
// subtask that did not acknowledge has no LatestAck.
type VertexStats struct {
	Figures
	Each []Figures
}

// Stats describe one checkpoint.
type Stats struct {
	Figures
	ID        int64
	Kind      Kind
	Format    string
	Status    Status
	Triggered time.Time
	Ended     time.Time
	Path      string
	Discarded bool
	Failure   string
	Vertices  map[string]*VertexStats
}

// Clone copies s so that the coordinator may go on.
func (s *Stats) Clone() *Stats {
	if s == nil {
		return nil
	}
	c := *s
	c.Vertices = make(map[string]*VertexStats, len(s.Vertices))
	for id, v := range s.Vertices {
		c.Vertices[id] = &VertexStats{Figures: v.Figures, Each: slices.Clone(v.Each)}
	}
	return &c
}

// Counts are the numbers since the job was submitted here.
type Counts struct{ Restored, Total, InProgress, Completed, Failed int }

// RestoreStats describe what the job was restored from.
type RestoreStats struct {
	ID        int64
	At        time.Time
	Savepoint bool
	Path      string
}

// Snapshot is what the statistics tell at one moment; it shares nothing with
// the coordinator.
type Snapshot struct {
	Counts    Counts
	Completed *Stats // latest
	Savepoint *Stats // latest
	Failed    *Stats // latest
	Restored  *RestoreStats
	History   []*Stats // newest first
	Summary   Summary
}

// Summary are the distributions over the completed checkpoints.
type Summary struct{ Size, Uploaded, Duration, Processed Distribution }

// Distribution of a figure.
type Distribution struct{ Min, Max, Avg, P50, P90, P95, P99, P999 int64 }

// Distribute computes the distribution of values; all zero without any.
func Distribute(values []int64) Distribution {
	if len(values) == 0 {
		return Distribution{}
	}
	v := slices.Sorted(slices.Values(values))
	sum := int64(0)
	for _, x := range v {
		sum += x
	}
	at := func(p float64) int64 { return v[min(len(v)-1, int(p*float64(len(v))))] }
	return Distribution{Min: v[0], Max: v[len(v)-1], Avg: sum / int64(len(v)), P50: at(0.5), P90: at(0.9), P95: at(0.95), P99: at(0.99), P999: at(0.999)}
}

// sampleLimit bounds the checkpoints that the summary is computed from: enough
// for a 99.9th percentile, a few ten kilobytes a job.
const sampleLimit = 1000

type statistics struct {
	limit     int
	counts    Counts
	history   []*Stats // oldest first
	latest    *Stats
	savepoint *Stats
	failure   *Stats
	restore   *RestoreStats
	samples   [4][]int64
}

func (s *statistics) begin(c *Coordinator, p *pending) *Stats {
	st := &Stats{ID: p.id, Kind: p.kind, Status: InProgress, Triggered: p.at, Vertices: map[string]*VertexStats{}}
	if p.kind.IsSavepoint() {
		st.Format = p.format
	}
	for _, v := range c.cfg.Graph.GetVertices() {
		st.Vertices[v.Id] = &VertexStats{Figures: Figures{Subtasks: int(v.Parallelism)}, Each: make([]Figures, v.Parallelism)}
		st.Subtasks += int(v.Parallelism)
	}
	s.counts.Total++
	s.counts.InProgress++
	s.history = append(s.history, st)
	if len(s.history) > s.limit {
		s.history = s.history[1:]
	}
	return st
}

func (st *Stats) acked(now time.Time, id Task, a *control.CheckpointAck) {
	f := Figures{LatestAck: now, Size: a.GetStateBytes(), Uploaded: a.GetUploadedBytes() + inlineBytes(a), Duration: now.Sub(st.Triggered).Milliseconds(),
		Processed: a.GetProcessedBytes(), Persisted: a.GetPersistedBytes(), Unaligned: a.GetUnaligned(), Sync: a.GetSyncMs(), Async: a.GetAsyncMs(), Alignment: a.GetAlignmentMs(),
		StartDelay: a.GetStartDelayMs(), Acknowledged: 1, Subtasks: 1, SubtaskStatus: Done}
	v := st.Vertices[id.Vertex]
	if v == nil || id.Subtask >= len(v.Each) {
		return
	}
	v.Each[id.Subtask] = f
	for _, sum := range []*Figures{&v.Figures, &st.Figures} {
		sum.LatestAck, sum.Duration = now, f.Duration
		sum.Size += f.Size
		sum.Uploaded += f.Uploaded
		sum.Processed += f.Processed
		sum.Persisted += f.Persisted
		sum.Unaligned = sum.Unaligned || f.Unaligned
		sum.Acknowledged++
	}
}

// inlineBytes is the state that travels in the acknowledgement and is stored in
// _metadata.
func inlineBytes(a *control.CheckpointAck) int64 {
	n := int64(0)
	for _, st := range a.GetStates() {
		for _, h := range st.GetKeyed() {
			n += int64(len(h.GetInline()))
		}
		for _, l := range st.GetLists() {
			for _, item := range l.GetItems() {
				n += int64(len(item))
			}
		}
	}
	return n
}

func (st *Stats) complete(now time.Time, c *Completed) {
	st.Status, st.Ended, st.Path = Done, now, c.Dir
	st.Duration = now.Sub(st.Triggered).Milliseconds()
}

func (st *Stats) fail(now time.Time, reason string) {
	st.Status, st.Ended, st.Failure = Failed, now, reason
	st.Duration = now.Sub(st.Triggered).Milliseconds()
}

func (s *statistics) completed(st *Stats) {
	s.counts.InProgress--
	s.counts.Completed++
	if st.Kind.IsSavepoint() {
		s.savepoint = st
	} else {
		s.latest = st
	}
	for i, v := range [4]int64{st.Size, st.Uploaded, st.Duration, st.Processed} {
		s.samples[i] = append(s.samples[i], v)
		s.samples[i] = s.samples[i][max(0, len(s.samples[i])-sampleLimit):]
	}
}

func (s *statistics) failed(st *Stats) {
	s.counts.InProgress--
	s.counts.Failed++
	s.failure = st
}

func (s *statistics) discarded(id int64) {
	for _, st := range append(slices.Clone(s.history), s.latest) {
		if st != nil && st.ID == id && !st.Kind.IsSavepoint() {
			st.Discarded = true
		}
	}
}

func (s *statistics) restored(now time.Time, c *Completed) {
	s.counts.Restored++
	s.restore = &RestoreStats{ID: c.ID, At: now, Savepoint: c.Kind.IsSavepoint(), Path: c.Dir}
}

func (s *statistics) snapshot() Snapshot {
	out := Snapshot{Counts: s.counts, Completed: s.latest.Clone(), Savepoint: s.savepoint.Clone(), Failed: s.failure.Clone(),
		Summary: Summary{Distribute(s.samples[0]), Distribute(s.samples[1]), Distribute(s.samples[2]), Distribute(s.samples[3])}}
	if s.restore != nil {
		r := *s.restore
		out.Restored = &r
	}
	for _, st := range slices.Backward(s.history) {
		out.History = append(out.History, st.Clone())
	}
	return out
}

// Find returns the checkpoint with that id, nil when it is no longer known.
func (s Snapshot) Find(id int64) *Stats {
	for _, st := range append(slices.Clone(s.History), s.Completed, s.Savepoint, s.Failed) {
		if st != nil && st.ID == id {
			return st
		}
	}
	return nil
}

// VertexIDs are the vertices with figures, sorted.
func (s *Stats) VertexIDs() []string { return slices.Sorted(maps.Keys(s.Vertices)) }
