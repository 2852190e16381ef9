package stream

import "fmt"

// Iterations of bounded data, as Flink's DataSet API had them: the rounds are
// unrolled into the graph, and an exchange on disk lies between them. A loop that
// may end early has a gate after each round, which sends what the round made to
// the result in place of the next round; the rounds after it have nothing to do.

// Iterate runs step on a stream a number of times, each time on what the round
// before made; round counts from 1. It is Flink's bulk iteration with a fixed
// number of rounds. Names and uids of operators that step adds get the round's
// number.
func Iterate[T any](initial Stream[T], rounds int, step func(s Stream[T], round int) Stream[T]) Stream[T] {
	s := initial
	if !initial.env.checkRounds("Iterate", rounds) {
		return s
	}
	for i := range rounds {
		s = inRound(s.env, i+1, func() Stream[T] { return step(s, i+1) })
	}
	return s
}

// IterateUntil is Iterate that ends before its last round when one leaves nothing
// open: after the first round for which the second stream of step is empty
// (Flink's closeWith with a termination criterion). It needs
// execution.runtime-mode BATCH, where a round is known to be over.
func IterateUntil[T, C any](initial Stream[T], rounds int, step func(s Stream[T], round int) (next Stream[T], open Stream[C])) Stream[T] {
	return iterateUntil("IterateUntil", initial, rounds, step)
}

func iterateUntil[T, C any](what string, initial Stream[T], rounds int, step func(s Stream[T], round int) (next Stream[T], open Stream[C])) Stream[T] {
	s := initial
	if !initial.env.checkRounds(what, rounds) {
		return s
	}
	initial.env.batchOnly = what
	var results []Stream[T]
	for i := range rounds {
		last := i+1 == rounds
		s = inRound(s.env, i+1, func() Stream[T] {
			next, open := step(s, i+1)
			if last {
				return next
			}
			return passIf(next, open)
		})
		if !last {
			results = append(results, Side(s, ended[T]()))
		}
	}
	return s.Union(results...)
}

// IterateDelta keeps a solution, one element for each key, and a work set that
// says what is left to look at (Flink's delta iteration). Each round step reads
// both, and returns the elements of the solution that change or are new, and the
// next work set. It ends with an empty work set, or after the last round; the
// result is the solution. Of several new elements with one key any one counts. It
// needs execution.runtime-mode BATCH; each round reads and writes the solution
// once.
func IterateDelta[K comparable, S, W any](solution Stream[S], key func(S) K, work Stream[W], rounds int,
	step func(solution Keyed[K, S], work Stream[W], round int) (changed Stream[S], next Stream[W])) Stream[S] {
	return iterateUntil("IterateDelta", solution, rounds, func(s Stream[S], round int) (Stream[S], Stream[W]) {
		changed, next := step(KeyBy(s, key), work, round)
		work = next
		both := ConnectKeyed(KeyBy(s, key), KeyBy(changed, key))
		return CoGroup(both.Whole(), replace[K, S], Name("Solution")), next
	})
}

// replace emits the new element of a key, or else the old one.
func replace[K comparable, S any](_ WindowInfo[K], old, changed []S, out *Out[S]) error {
	switch {
	case len(changed) > 0:
		out.Emit(changed[0])
	case len(old) > 0:
		out.Emit(old[0])
	}
	return nil
}

func (e *Env) checkRounds(what string, rounds int) bool {
	if rounds < 1 {
		e.failf("%s: %d rounds; at least one is needed", what, rounds)
	}
	return rounds >= 1
}

// inRound adds what f adds as part of a round.
func inRound[T any](e *Env, round int, f func() Stream[T]) Stream[T] {
	outer := e.round
	e.round += fmt.Sprintf("Round %d: ", round)
	defer func() { e.round = outer }()
	return f()
}

// ended is the side output for what a loop has done with.
func ended[T any]() Tag[T] { return NewTag[T]("ended") }

// passIf passes s on if open has any record; else it goes to the side output ended.
func passIf[T, C any](s Stream[T], open Stream[C]) Stream[T] {
	one := Process(open, func(*Setup[NoKey]) *firstOnly[C] { return &firstOnly[C]{} }, Name("Any open?"))
	return ProcessBroadcast(s, one, func(s *Setup[NoKey]) *roundGate[T] {
		return &roundGate[T]{ended: SideOutput(s, ended[T]())}
	}, Name("Gate"))
}

// firstOnly emits once, however many records there are.
type firstOnly[C any] struct{ some bool }

func (f *firstOnly[C]) OnRecord(_ *Ctx[NoKey], _ C, out *Out[bool]) error {
	if !f.some {
		f.some = true
		out.Emit(true)
	}
	return nil
}

// roundGate is the end of a round. In BATCH the broadcast input has ended before
// the first record comes.
type roundGate[T any] struct {
	open  bool
	ended *SideOut[T]
}

func (g *roundGate[T]) OnRecord(_ *Ctx[NoKey], v T, out *Out[T]) error {
	if g.open {
		out.Emit(v)
	} else {
		g.ended.Emit(v)
	}
	return nil
}

func (g *roundGate[T]) OnBroadcast(_ *BroadcastCtx[NoKey], _ bool, _ *Out[T]) error {
	g.open = true
	return nil
}
