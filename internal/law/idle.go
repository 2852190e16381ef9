package law

import (
	"fmt"
	"slices"
	"time"

	"goflink/stream"
)

// What an idle graph is made of: a source that speaks for ten hours, and beside it one
// that says a word, falls silent for six, and says another one, or one that has ended
// before the job was killed and restored. Of all results it is known when they must
// come at the latest: an end of the input that brings what was forgotten is too late.
const (
	talk      = 10 * time.Hour
	silence   = 6 * time.Hour
	idleAfter = time.Hour
	// farAway is the event time of the silent source's last word, so that it is
	// never late.
	farAway = 1 << 39
	// silentKey is that source's.
	silentKey = 7
)

func idleKinds() []*kind {
	source := func(name string, build func(b *builder, n *Node) stream.Stream[Event], event func(n *Node, i int64) Event) *kind {
		return &kind{name: name, source: true, classes: []Class{Idle}, text: func(n *Node) string { return fmt.Sprintf("n=%d", n.A) },
			build: func(b *builder, n *Node, _ stream.Stream[Event]) stream.Stream[Event] { return build(b, n) },
			eval: func(n *Node, _ []Timed) (out, side []Timed) {
				for i := range n.A {
					e := event(n, i)
					out = append(out, Timed{e, e.At})
				}
				return out, nil
			}}
	}
	return []*kind{
		source("talker", func(b *builder, n *Node) stream.Stream[Event] {
			b.env.SetAutoWatermarkInterval(5 * time.Minute)
			src := stream.GeneratorSource(n.A, float64(n.A)/talk.Seconds(), func(i int64) Event { return talkerEvent(n, i) })
			return stream.From(b.env, src, stream.BoundedOutOfOrderness[Event](0).WithTimestamps(Event.at), b.options(n)...)
		}, talkerEvent),
		source("silent", func(b *builder, n *Node) stream.Stream[Event] {
			src := stream.StatefulGeneratorSource(n.A, 1/silence.Seconds(), func() func(int64) Event {
				return func(i int64) Event { return silentEvent(n, i) }
			})
			ws := stream.BoundedOutOfOrderness[Event](0).WithTimestamps(Event.at).WithIdleness(idleAfter)
			return stream.From(b.env, src, ws, b.options(n)...)
		}, silentEvent),
		source("brief", func(b *builder, n *Node) stream.Stream[Event] {
			src := stream.GeneratorSource(n.A, 0, func(i int64) Event { return talkerEvent(n, i) })
			return stream.From(b.env, src, stream.BoundedOutOfOrderness[Event](0).WithTimestamps(Event.at), b.options(n)...)
		}, talkerEvent),
		{name: "clocked", state: "window", keyed: true, timed: true, classes: []Class{Idle},
			build: func(b *builder, n *Node, in stream.Stream[Event]) stream.Stream[Event] {
				counts := stream.Count(stream.KeyBy(in, numberKey).Window(stream.Tumbling(ms(n.A))), b.options(n)...)
				return stream.Process(counts, func(*stream.Setup[stream.NoKey]) clocked { return clocked{} }, b.uid(n, "clock"))
			},
			eval: func(n *Node, in []Timed) (out, side []Timed) {
				keys, of := groups(in)
				for _, k := range keys {
					for _, p := range aligned(of[k], n.A, n.A, 0) {
						out = append(out, Timed{Event{Key: k, At: p.start, N: int64(len(p.content)), Path: []int64{}}, p.ts})
					}
				}
				return out, nil
			}},
	}
}

func talkerEvent(_ *Node, i int64) Event { return Event{ID: i, Key: i % 3, At: 1000 + i*10, N: i} }

func silentEvent(_ *Node, i int64) Event {
	e := Event{ID: 1000 + i, Key: silentKey, At: 1000}
	if i > 0 {
		e.At = farAway
	}
	return e
}

// clocked puts the time by the clock into results.
type clocked struct{}

// OnRecord implements stream.KeyedFunc.
func (clocked) OnRecord(ctx *stream.Ctx[stream.NoKey], p stream.Pane[int64, int64], out *stream.Out[Event]) error {
	out.Emit(Event{ID: ctx.Now(), Key: p.Key, At: p.Start, N: p.Value})
	return nil
}

// idle draws the graph of the sources and a window behind them, which may read a side
// output.
func (g *gen) idle() {
	talker := Node{Kind: "talker", A: 50 + g.n(40), Par: int(g.n(3)), Timed: true}
	clocked := Node{Kind: "clocked", In: []int{0, 1}, A: 20 + g.n(60), Par: int(g.n(3)), Part: "hash", Timed: true}
	if g.n(3) == 0 {
		g.spec.Nodes = []Node{talker, {Kind: "brief", A: 1 + g.n(9), Par: int(g.n(3)), Timed: true}, clocked}
		g.spec.Sinks = []Sink{{In: 2, Kind: "each", Timed: true}}
		return
	}
	expiring := Node{Kind: "expiring", In: []int{0, 1}, A: g.n(2), Par: int(g.n(3)), Part: "hash"}
	g.spec.Nodes = []Node{talker, {Kind: "silent", A: 2, Par: 2, Timed: true}, expiring}
	if g.n(2) == 0 {
		clocked.In, clocked.Side = []int{3}, true
		g.spec.Nodes = append(g.spec.Nodes, Node{Kind: "split", In: []int{0, 1}, Par: int(g.n(3)), Part: "rebalance", Timed: true})
	}
	g.spec.Nodes = append(g.spec.Nodes, clocked)
	g.spec.Sinks = []Sink{{In: len(g.spec.Nodes) - 1, Kind: "each", Timed: true}, {In: 2, Kind: "each"}}
}

// restored tells whether an idle graph is killed once its short source has ended.
func (s *Spec) restored() bool { return s.Class == Idle && s.Nodes[1].Kind == "brief" }

// attemptApart is how far the clocks of two attempts of an idle graph are apart.
const attemptApart = 1000 * time.Hour

// checkIdle checks the results and when they came.
func checkIdle(s *Spec, got [][]string, start time.Time) error {
	all := Expect(s)
	if len(got) > 1 {
		if err := compare(got[1], all[1], true); err != nil {
			return fmt.Errorf("state that expires: %w", err)
		}
	}
	counts := map[[3]int64]int{}
	if err := eachShort(all[0], func(e Event) { counts[[3]int64{e.Key, e.At, e.N}]++ }); err != nil {
		return err
	}
	var times []time.Duration
	err := eachShort(got[0], func(e Event) {
		counts[[3]int64{e.Key, e.At, e.N}]--
		times = append(times, time.UnixMilli(e.ID).Sub(start))
	})
	if err != nil {
		return err
	}
	for w, n := range counts {
		if n > 0 || n < 0 && !s.restored() {
			return fmt.Errorf("window %d of key %d with %d records: %d too few", w[1], w[0], w[2], n)
		}
	}
	if s.restored() {
		return inTime(times)
	}
	early := 0
	for _, at := range times {
		if at > idleAfter && at < silence-time.Minute {
			early++
		}
	}
	if early < len(all[0])/4 {
		return fmt.Errorf("only %d of %d windows fired while a source was idle: it holds the others back", early, len(all[0]))
	}
	return nil
}

// inTime checks that results came all through the restored attempt.
func inTime(times []time.Duration) error {
	end := slices.Max(times)
	if end < attemptApart {
		return fmt.Errorf("the last result came at %s: nothing was restored", end)
	}
	all, prompt := 0, 0
	for _, at := range times {
		if at < attemptApart {
			continue
		}
		if all++; at < end-time.Hour {
			prompt++
		}
	}
	if prompt < all/3 {
		return fmt.Errorf("only %d of %d windows fired before the end was near: a source that had ended holds the others back", prompt, all)
	}
	return nil
}

// eachShort reads lines back.
func eachShort(lines []string, f func(e Event)) error {
	for _, line := range lines {
		var e Event
		if _, err := fmt.Sscanf(line, "%d k%d at%d n%d ", &e.ID, &e.Key, &e.At, &e.N); err != nil {
			return fmt.Errorf("line %q: %w", line, err)
		}
		f(e)
	}
	return nil
}
