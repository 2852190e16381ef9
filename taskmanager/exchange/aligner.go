package exchange

// barriers decides what becomes of the barriers of a task's channels. Both
// kinds are pure cores: Gate drives them under its lock and does what they say.
type barriers interface {
	barrier(ch int, id int64) alignment
	end(ch int) alignment
	cancel(id int64) alignment
}

// aligner is for exactly once: a channel is blocked after its barrier until all
// others had theirs. One checkpoint is aligned at a time.
type aligner struct {
	got       []bool // barrier of cur came
	ended     []bool
	waiting   int   // channels that neither ended nor had the barrier of cur
	running   int   // channels that did not end
	cur       int64 // checkpoint being aligned, 0: none
	done      int64 // newest checkpoint that is aligned or given up; no older one will be
	cancelled map[int64]bool
}

// maxCancelled bounds the checkpoints that are remembered as cancelled before
// their barriers came. Fewer than this are under way at a time.
const maxCancelled = 64

// alignment is what a step decided.
type alignment struct {
	started bool  // the first barrier of a checkpoint
	block   bool  // nothing more is taken from this channel until it is unblocked
	unblock bool  // all channels are taken from again (before started takes effect)
	aligned int64 // all channels had the barrier of this checkpoint
	aborted int64 // the alignment of this checkpoint was given up
	forward bool  // aborted is news: tell it downstream
	// then is what else the step decided, in order, after the above.
	then []alignment
}

func newAligner(channels int) *aligner {
	return &aligner{got: make([]bool, channels), ended: make([]bool, channels), running: channels,
		cancelled: map[int64]bool{}}
}

// barrier takes the barrier of checkpoint id on channel ch.
func (a *aligner) barrier(ch int, id int64) (r alignment) {
	if id <= a.done || id < a.cur || a.ended[ch] || a.cancelled[id] {
		return r // of a checkpoint that was given up meanwhile
	}
	if id > a.cur && a.cur != 0 {
		r = a.giveUp()
	}
	if a.cur == 0 {
		a.cur, a.waiting = id, a.running
		r.started = true
	}
	if a.got[ch] {
		return r
	}
	a.got[ch] = true
	a.waiting--
	if a.waiting == 0 {
		r.aligned, r.unblock = a.finish(), true
		return r
	}
	r.block = true
	return r
}

// end takes the end of channel ch: it counts as aligned from now on.
func (a *aligner) end(ch int) (r alignment) {
	if a.ended[ch] {
		return r
	}
	a.ended[ch] = true
	a.running--
	if a.cur == 0 || a.got[ch] {
		return r
	}
	a.waiting--
	if a.waiting == 0 {
		r.aligned, r.unblock = a.finish(), true
	}
	return r
}

// cancel gives up checkpoint id, whoever says so. An older one that is still
// under way goes on: a savepoint may fail beside a checkpoint.
func (a *aligner) cancel(id int64) (r alignment) {
	if id <= a.done || a.cancelled[id] {
		return r
	}
	if a.cur == id {
		r = a.giveUp()
	} else {
		a.remember(id)
	}
	r.aborted, r.forward = id, true
	return r
}

func (a *aligner) remember(id int64) {
	a.cancelled[id] = true
	if len(a.cancelled) <= maxCancelled {
		return
	}
	oldest := id
	for c := range a.cancelled {
		oldest = min(oldest, c)
	}
	delete(a.cancelled, oldest)
	if a.cur == 0 || oldest < a.cur {
		a.done = oldest
	}
}

func (a *aligner) giveUp() alignment {
	id := a.finish()
	return alignment{aborted: id, unblock: true}
}

func (a *aligner) finish() int64 {
	id := a.cur
	a.done, a.cur = id, 0
	clear(a.got)
	for c := range a.cancelled {
		if c <= id {
			delete(a.cancelled, c)
		}
	}
	return id
}
