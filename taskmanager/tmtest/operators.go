package tmtest

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"goflink/dataflow"
	"goflink/state"
)

// source emits the numbers below Records that belong to its splits; a split is
// (first, next) and strides by the number of sources that there were.
type source struct {
	base
	out    *port
	splits []split
	sent   int64
	ready  chan struct{}
	held   bool
	ended  bool
}

type split struct{ First, Next, Stride int64 }

func (s *source) Open(context.Context) error {
	s.ready = make(chan struct{}, 1)
	r, ok := s.env.RestoreOf(s.id)
	if !ok {
		s.splits = []split{{int64(s.env.Subtask), int64(s.env.Subtask), int64(s.env.Parallelism)}}
		return nil
	}
	for _, l := range r.Lists {
		for _, item := range l.Items {
			var x split
			if err := json.Unmarshal(item, &x); err != nil {
				return err
			}
			s.splits = append(s.splits, x)
		}
	}
	return nil
}

// Poll implements dataflow.Source.
func (s *source) Poll() (dataflow.PollStatus, error) {
	if s.held {
		select {
		case <-s.job.Released():
			s.held = false
		default:
			return dataflow.Waiting, nil
		}
	}
	done := true
	for i := range s.splits {
		x := &s.splits[i]
		for range 32 {
			if *s.env.Blocked {
				return dataflow.More, nil
			}
			if s.job.Records > 0 && (x.Next-x.First)/x.Stride >= s.job.Records {
				break
			}
			done = false
			v := x.Next
			x.Next += x.Stride
			s.sent++
			s.job.Emitted.Add(1)
			key := v % s.job.Keys
			group := s.job.group(key, s.env.MaxParallelism)
			if err := s.out.emit(state.SubtaskFor(group, s.env.MaxParallelism, len(s.out.w)), v); err != nil {
				return 0, err
			}
			if s.job.Hold > 0 && s.sent == s.job.Hold {
				s.hold()
				return dataflow.Waiting, nil
			}
		}
	}
	if done {
		return dataflow.Finished, nil
	}
	return dataflow.More, nil
}

func (s *source) hold() {
	s.held = true
	s.env.Go("hold", func(ctx context.Context) error {
		select {
		case <-s.job.Released():
		case <-ctx.Done():
		}
		s.ready <- struct{}{}
		return nil
	})
}

// Ready implements dataflow.Source.
func (s *source) Ready() <-chan struct{} { return s.ready }

// AddSplits implements dataflow.Source.
func (s *source) AddSplits([][]byte) error { return nil }

// NoMoreSplits implements dataflow.Source.
func (s *source) NoMoreSplits() error { return nil }

// Stop implements dataflow.Source.
func (s *source) Stop(bool) error { s.ended = true; return nil }

func (s *source) Snapshot(dataflow.Checkpoint) (dataflow.OperatorSnapshot, error) {
	l := dataflow.ListState{Name: "splits", Mode: dataflow.ListSplit}
	for _, x := range s.splits {
		item, err := json.Marshal(x)
		if err != nil {
			return dataflow.OperatorSnapshot{}, err
		}
		l.Items = append(l.Items, item)
	}
	return dataflow.OperatorSnapshot{Lists: []dataflow.ListState{l}}, nil
}

// counter counts by key and emits key<<32 | count.
type counter struct {
	base
	out    *port
	counts map[int64]int64
	leak   [][]byte
}

func (c *counter) Open(ctx context.Context) error {
	r, _ := c.env.RestoreOf(c.id)
	for _, h := range r.Keyed {
		rc, err := c.env.State.Open(ctx, h)
		if err != nil {
			return err
		}
		var all map[int64]int64
		err = errors.Join(json.NewDecoder(rc).Decode(&all), rc.Close())
		if err != nil {
			return err
		}
		for k, n := range all {
			if c.env.KeyGroups.Contains(int(k) % c.env.MaxParallelism) {
				c.counts[k] = n
			}
		}
	}
	return nil
}

func (c *counter) collect(v int64) error {
	if c.job.OnCount != nil {
		if err := c.job.OnCount(c.env, v); err != nil {
			return err
		}
	}
	if c.job.Cmd != "" && v >= c.job.At {
		if err := c.misbehave(); err != nil {
			return err
		}
	}
	key := v % c.job.Keys
	c.counts[key]++
	return c.out.roundRobin(key<<32 | c.counts[key])
}

func (c *counter) misbehave() error {
	switch c.job.Cmd {
	case "panic":
		panic("boom")
	case "fail":
		return errors.New("no luck")
	case "hang":
		select {}
	case "leak":
		for {
			b := make([]byte, 1<<20)
			for i := range b {
				b[i] = byte(i)
			}
			c.leak = append(c.leak, b)
		}
	case "exit":
		fmt.Fprintln(os.Stderr, "leaving for good")
		os.Exit(7)
	}
	return nil
}

func (c *counter) Snapshot(x dataflow.Checkpoint) (dataflow.OperatorSnapshot, error) {
	if c.job.OnSnapshot != nil {
		if err := c.job.OnSnapshot(c.env, x); err != nil {
			return dataflow.OperatorSnapshot{}, err
		}
	}
	data, err := json.Marshal(c.counts)
	if err != nil {
		return dataflow.OperatorSnapshot{}, err
	}
	for range c.job.PadState {
		data = append(data, ' ')
	}
	return dataflow.OperatorSnapshot{Keyed: &snapshot{data: data, id: x.ID, groups: c.env.KeyGroups}}, nil
}

// snapshot is a state.Snapshot of bytes.
type snapshot struct {
	data   []byte
	id     int64
	groups state.Range
}

// WriteTo implements state.Snapshot.
func (s *snapshot) WriteTo(_ context.Context, w io.Writer) (state.SnapshotInfo, error) {
	for rest := s.data; len(rest) > 0; {
		n := min(len(rest), 10000)
		if _, err := w.Write(rest[:n]); err != nil {
			return state.SnapshotInfo{}, err
		}
		rest = rest[n:]
	}
	return state.SnapshotInfo{Kind: state.Canonical, Version: 1, CheckpointID: s.id, Range: s.groups, Bytes: int64(len(s.data)), Offsets: []int64{0, int64(len(s.data))}}, nil
}

// Release implements state.Snapshot.
func (s *snapshot) Release() {}

// sink gathers records and commits them with the checkpoint that covers them.
type sink struct {
	base
	open    []int64
	pending map[int64][]int64 // by checkpoint
}

func (s *sink) Open(context.Context) error {
	r, ok := s.env.RestoreOf(s.id)
	if !ok {
		return nil
	}
	var lines []string
	for _, l := range r.Lists {
		for _, item := range l.Items {
			lines = append(lines, line(int64(binary.BigEndian.Uint64(item))))
		}
	}
	return s.job.recommit(lines)
}

// recommit commits what a checkpoint covers, unless that was done before.
func (j *Job) recommit(lines []string) error {
	if j.File == "" {
		j.Committed.Lock()
		have := map[string]bool{}
		for _, l := range j.Committed.Lines {
			have[l] = true
		}
		j.Committed.Unlock()
		var fresh []string
		for _, l := range lines {
			if !have[l] {
				fresh = append(fresh, l)
			}
		}
		return j.Commit(fresh)
	}
	return j.Commit(lines)
}

func line(v int64) string { return fmt.Sprintf("%d %d", v>>32, v&0xffffffff) }

func (s *sink) collect(v int64) error { s.open = append(s.open, v); return nil }

func (s *sink) Snapshot(c dataflow.Checkpoint) (dataflow.OperatorSnapshot, error) {
	s.pending[c.ID] = append(s.pending[c.ID], s.open...)
	s.open = nil
	l := dataflow.ListState{Name: "pending", Mode: dataflow.ListSplit}
	for _, values := range s.pending {
		for _, v := range values {
			l.Items = append(l.Items, binary.BigEndian.AppendUint64(nil, uint64(v)))
		}
	}
	return dataflow.OperatorSnapshot{Lists: []dataflow.ListState{l}}, nil
}

func (s *sink) CheckpointComplete(id int64) error {
	var lines []string
	for covered, values := range s.pending {
		if covered > id {
			continue
		}
		for _, v := range values {
			lines = append(lines, line(v))
		}
		delete(s.pending, covered)
	}
	return s.job.Commit(lines)
}

func (s *sink) CommitFinal() error {
	s.pending[1] = append(s.pending[1], s.open...)
	return s.CheckpointComplete(1)
}
