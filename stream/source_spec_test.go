package stream_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"goflink/dataflow"
	"goflink/internal/seeds"
	"goflink/stream"
	"goflink/stream/streamtest"
)

// partition is the split of a log with several partitions: records Next … End-1.
type partition struct {
	ID        int
	Next, End int64
}

// found is the enumerator's state: partitions below Known were handed out.
type found struct{ Known int }

// logEnumerator finds the partitions one after the other, in the background, and
// gives each to the reader of its number.
type logEnumerator struct {
	ctx        *stream.EnumeratorContext[partition]
	known, all int
	per        int64
	readers    map[int]bool
	said       []string // what readers said
	completed  int64
}

func (e *logEnumerator) Start(ctx *stream.EnumeratorContext[partition], restored *found) error {
	e.ctx, e.readers = ctx, map[int]bool{}
	if restored != nil {
		e.known = restored.Known
	}
	e.discover()
	return nil
}

func (e *logEnumerator) discover() {
	var id int
	e.ctx.Run(func(context.Context) error {
		id = e.known
		return nil
	}, func(err error) error {
		if err != nil || id >= e.all {
			return e.end()
		}
		e.known++
		e.ctx.Assign(id%e.ctx.Parallelism(), partition{ID: id, End: e.per})
		e.discover()
		return nil
	})
}

func (e *logEnumerator) end() error {
	for sub := range e.ctx.Parallelism() {
		e.ctx.NoMoreSplits(sub)
	}
	return nil
}

func (e *logEnumerator) Request(int, string) error { return nil }
func (e *logEnumerator) AddReader(subtask int, host string) error {
	if host != "localhost" || e.readers[subtask] {
		return fmt.Errorf("reader %d on %q, twice: %t", subtask, host, e.readers[subtask])
	}
	e.readers[subtask] = true
	e.ctx.SendEvent(subtask, []byte("welcome"))
	return nil
}

func (e *logEnumerator) OnEvent(subtask int, data []byte) error {
	e.said = append(e.said, fmt.Sprintf("%d: %s", subtask, data))
	return nil
}

func (e *logEnumerator) OnCheckpointComplete(id int64) error { e.completed = id; return nil }
func (e *logEnumerator) Snapshot(int64) (found, error)       { return found{e.known}, nil }
func (e *logEnumerator) Close() error                        { return nil }

// logReader reads partitions; those of odd number on goroutines, as a network
// client would.
type logReader struct {
	ctx       *stream.ReaderContext
	snapshots map[int64][]partition
	committed []partition
}

func (l *logReader) Open(p partition) (stream.SplitReader[partition, event], error) {
	x := &partitionReader{p: p}
	if p.ID%2 == 1 {
		x.fetched = make(chan int64, 3)
		l.ctx.Go("fetch", func(ctx context.Context) error {
			for i := p.Next; i < p.End; i++ {
				select {
				case x.fetched <- i:
					l.ctx.Wake()
				case <-ctx.Done():
					return nil
				}
			}
			return nil
		})
	}
	return x, nil
}

func (l *logReader) OnEvent(data []byte) error {
	l.ctx.SendEvent(append([]byte("thanks for "), data...))
	return nil
}

func (l *logReader) OnSnapshot(id int64, splits []partition) {
	if l.snapshots == nil {
		l.snapshots = map[int64][]partition{}
	}
	l.snapshots[id] = slices.Clone(splits)
}

func (l *logReader) OnCheckpointComplete(id int64) error {
	if _, ok := l.snapshots[id]; !ok {
		return fmt.Errorf("checkpoint %d completed without a snapshot", id)
	}
	l.committed = l.snapshots[id]
	return nil
}

func (l *logReader) Close() error { return nil }

type partitionReader struct {
	p       partition
	fetched chan int64
}

func (p *partitionReader) Next(r *stream.Rec[event]) (stream.ReadStatus, error) {
	if p.p.Next == p.p.End {
		return stream.ReadEnd, nil
	}
	if p.fetched != nil {
		select {
		case i := <-p.fetched:
			if i != p.p.Next {
				return 0, fmt.Errorf("record %d, want %d", i, p.p.Next)
			}
		default:
			return stream.ReadWait, nil
		}
	}
	r.V = event{fmt.Sprintf("p%d", p.p.ID), p.p.Next * step, p.p.Next}
	p.p.Next++
	return stream.ReadRecord, nil
}

func (p *partitionReader) Split() partition { return p.p }
func (p *partitionReader) Close() error     { return nil }

func logSource(all int, per int64, made func(*logEnumerator)) stream.Source[event] {
	return stream.NewSource(stream.SourceSpec[partition, found, event]{
		Name: "Log", Digest: fmt.Sprint(all, per),
		Enumerator: func() stream.Enumerator[partition, found] {
			e := &logEnumerator{all: all, per: per}
			if made != nil {
				made(e)
			}
			return e
		},
		Reader: func(ctx *stream.ReaderContext) (stream.Reader[partition, event], error) {
			return &logReader{ctx: ctx}, nil
		},
	})
}

// TestSourceLaw reads a log through the public interface, killed at random steps
// and restored at another parallelism: each record is there once.
func TestSourceLaw(t *testing.T) {
	seed := seeds.One(t)
	r := rand.New(rand.NewPCG(seed, 0))
	var lines []string
	for p := range 7 {
		for i := range int64(60) {
			lines = append(lines, fmt.Sprint(event{fmt.Sprintf("p%d", p), i * step, i}))
		}
	}
	slices.Sort(lines)
	for p := 1; p <= 3; p++ {
		dir := t.TempDir()
		run(t, plainLog(t, p, dir), streamtest.Options{Seed: r.Uint64(), RemoteShare: 0.5})
		compare(t, dir, lines)
	}
	l := law{name: "log", build: func(env *stream.Env, _ []event) stream.Stream[string] {
		return show(stream.From(env, logSource(7, 60, nil), stream.NoWatermarks[event](), stream.UID("log")))
	}}
	killed(t, l, nil, lines, r)
}

func plainLog(t *testing.T, p int, dir string) *stream.Program {
	return program(t, func(env *stream.Env) {
		env.SetParallelism(p)
		show(stream.From(env, logSource(7, 60, nil), stream.NoWatermarks[event]())).WriteText(dir)
	})
}

// TestSourceEvents: readers register, events go both ways, completed checkpoints
// are told.
func TestSourceEvents(t *testing.T) {
	var enum *logEnumerator
	prog := program(t, func(env *stream.Env) {
		env.SetParallelism(2)
		stream.From(env, logSource(4, 500, func(e *logEnumerator) { enum = e }), stream.NoWatermarks[event]()).Discard()
	})
	c, err := streamtest.New(prog, streamtest.Options{})
	must(t, err)
	defer c.Close()
	must(t, c.RunSteps(4))
	cp, err := c.Checkpoint()
	must(t, err)
	must(t, c.Run())
	slices.Sort(enum.said)
	if got := strings.Join(enum.said, ", "); got != "0: thanks for welcome, 1: thanks for welcome" {
		t.Errorf("readers said %q", got)
	}
	if enum.completed != cp.ID || len(enum.ctx.Readers()) != 2 {
		t.Errorf("completed %d, readers %v", enum.completed, enum.ctx.Readers())
	}
}

func TestSourceErrors(t *testing.T) {
	env := stream.NewEnv(stream.Settings{})
	stream.From(env, stream.NewSource(stream.SourceSpec[partition, found, event]{Name: "x"}), stream.NoWatermarks[event]()).Discard()
	stream.From(env, stream.NewSource(stream.SourceSpec[func(), found, event]{Name: "y", Reader: func(*stream.ReaderContext) (stream.Reader[func(), event], error) { return nil, nil }}),
		stream.NoWatermarks[event]()).Discard()
	s := stream.From(env, logSource(1, 1, nil), stream.NoWatermarks[event]().WithAlignment("g", time.Second, 0))
	stream.AssignTimestamps(s, stream.Monotonous[event]().WithAlignment("g", time.Second, 0)).Discard()
	_, err := env.Program()
	for _, want := range []string{"needs a Reader", "func()", "needs watermarks", "give the strategy to From"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
}

// TestSourceEvolution restores splits that had other fields.
func TestSourceEvolution(t *testing.T) {
	type older struct{ Next, End int32 }
	type newer struct {
		End  int64
		Name string
		Next int64
	}
	cp := func() *streamtest.Checkpoint {
		c, err := streamtest.New(countTo(t, func(s *older) int64 { s.Next++; return int64(s.Next) }, func(s *older) bool { return s.Next < 2000 }), streamtest.Options{})
		must(t, err)
		defer c.Close()
		must(t, c.RunSteps(2))
		cp, err := c.Checkpoint()
		must(t, err)
		return cp
	}()
	got := run(t, countTo(t, func(s *newer) int64 { s.Next++; return s.Next }, func(s *newer) bool { return s.Next < 2000 }), streamtest.Options{Restore: cp})
	if len(got) == 0 || len(got) >= 2000 || !slices.Contains(got, "2000") || slices.Contains(got, "1") {
		t.Errorf("%d lines", len(got))
	}
}

// countTo is a source without an enumerator whose split is S.
func countTo[S any](t *testing.T, next func(*S) int64, more func(*S) bool) *stream.Program {
	return program(t, func(env *stream.Env) {
		src := stream.NewSource(stream.SourceSpec[S, found, int64]{Name: "Counter",
			Reader: func(*stream.ReaderContext) (stream.Reader[S, int64], error) { return counter[S]{next, more}, nil }})
		stream.From(env, src, stream.NoWatermarks[int64](), stream.UID("counter")).Print()
	})
}

type counter[S any] struct {
	next func(*S) int64
	more func(*S) bool
}

func (c counter[S]) Open(s S) (stream.SplitReader[S, int64], error) {
	return &counting[S]{c, s}, nil
}
func (c counter[S]) Close() error { return nil }

type counting[S any] struct {
	c counter[S]
	s S
}

func (c *counting[S]) Next(r *stream.Rec[int64]) (stream.ReadStatus, error) {
	if !c.c.more(&c.s) {
		return stream.ReadEnd, nil
	}
	r.V = c.c.next(&c.s)
	return stream.ReadRecord, nil
}
func (c *counting[S]) Split() S     { return c.s }
func (c *counting[S]) Close() error { return nil }

// TestRatePerCheckpoint: what is emitted is what checkpoints allow.
func TestRatePerCheckpoint(t *testing.T) {
	got := &bag[int64]{}
	prog := program(t, func(env *stream.Env) {
		env.SetParallelism(3)
		src := stream.RatedGeneratorSource(100, stream.PerCheckpoint(10), func(i int64) int64 { return i })
		stream.From(env, src, stream.NoWatermarks[int64]()).Each(got.add)
	})
	c, err := streamtest.New(prog, streamtest.Options{})
	must(t, err)
	defer c.Close()
	for n := 1; n <= 3; n++ {
		must(t, c.RunSteps(100))
		if len(got.vs) != 10*n {
			t.Errorf("%d records before checkpoint %d", len(got.vs), n)
		}
		_, err := c.Checkpoint()
		must(t, err)
	}
}

// TestIngestionTime takes the clock, which moves by the rate.
func TestIngestionTime(t *testing.T) {
	var times []int64
	prog := program(t, func(env *stream.Env) {
		src := stream.GeneratorSource(12, 10, func(i int64) int64 { return i })
		ws := stream.Monotonous[int64]().WithIngestionTime()
		stream.From(env, src, ws, stream.Parallelism(1)).Each(func(r stream.Rec[int64]) error {
			times = append(times, r.TS)
			return nil
		})
	})
	start := time.UnixMilli(1_000_000)
	run(t, prog, streamtest.Options{Start: start})
	if len(times) != 12 || !slices.IsSorted(times) || times[0] < start.UnixMilli() || times[11] == times[0] || times[0] == dataflow.NoTimestamp {
		t.Errorf("times %v", times)
	}
}

func TestPunctuated(t *testing.T) {
	var seen []string
	prog := program(t, func(env *stream.Env) {
		ws := stream.Punctuated(func(e event, ts int64) (int64, bool) { return ts - 1, e.N%3 == 2 }).WithTimestamps(at)
		s := stream.From(env, stream.SliceSource(events(6, 1, 10)), ws)
		stream.Process(s, func(*stream.Setup[stream.NoKey]) *watching { return &watching{&seen} }).Discard()
	})
	run(t, prog, streamtest.Options{})
	want := "none none none 19 19 19"
	if got := strings.Join(seen, " "); got != want {
		t.Errorf("watermarks %s, want %s", got, want)
	}
}

type watching struct{ seen *[]string }

func (w *watching) OnRecord(ctx *stream.Ctx[stream.NoKey], e event, out *stream.Out[event]) error {
	wm := "none"
	if ctx.Watermark() != dataflow.MinWatermark {
		wm = fmt.Sprint(ctx.Watermark())
	}
	*w.seen = append(*w.seen, wm)
	return nil
}
