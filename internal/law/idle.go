package law

import (
	"fmt"
	"time"

	"goflink/stream"
)

// What an idle graph is made of: a source that speaks for ten hours, and one that
// says a word, falls silent for six, and says another one.
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

// idle draws the graph of both sources and one window.
func (g *gen) idle() {
	g.spec.Nodes = []Node{
		{Kind: "talker", A: 50 + g.n(40), Par: int(g.n(3)), Timed: true},
		{Kind: "silent", A: 2, Par: 2, Timed: true},
		{Kind: "clocked", In: []int{0, 1}, A: 20 + g.n(60), Par: int(g.n(3)), Part: "hash", Timed: true},
		{Kind: "expiring", In: []int{0, 1}, Par: int(g.n(3)), Part: "hash"},
	}
	g.spec.Sinks = []Sink{{In: 2, Kind: "each", Timed: true}, {In: 3, Kind: "each"}}
}

// checkIdle checks the results and that a part of them came while one source was
// silent.
func checkIdle(s *Spec, got, expired []string, start time.Time) error {
	all := Expect(s)
	if err := compare(expired, all[1], true); err != nil {
		return fmt.Errorf("state that expires: %w", err)
	}
	want := all[0]
	early := 0
	counts := map[[3]int64]int{}
	for _, l := range want {
		e, err := parsedShort(l)
		if err != nil {
			return err
		}
		counts[[3]int64{e.Key, e.At, e.N}]++
	}
	for _, l := range got {
		e, err := parsedShort(l)
		if err != nil {
			return err
		}
		counts[[3]int64{e.Key, e.At, e.N}]--
		if at := time.UnixMilli(e.ID).Sub(start); at > idleAfter && at < silence-time.Minute {
			early++
		}
	}
	for w, n := range counts {
		if n != 0 {
			return fmt.Errorf("window %d of key %d with %d records: %d too few", w[1], w[0], w[2], n)
		}
	}
	if early < len(want)/4 {
		return fmt.Errorf("only %d of %d windows fired while a source was idle: it holds the others back", early, len(want))
	}
	return nil
}

func parsedShort(line string) (e Event, err error) {
	if _, err := fmt.Sscanf(line, "%d k%d at%d n%d ", &e.ID, &e.Key, &e.At, &e.N); err != nil {
		return e, fmt.Errorf("line %q: %w", line, err)
	}
	return e, nil
}
