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
//
// An unaligned checkpoint goes further: barriers are announced when they come
// in, before the records ahead of them are processed. It is due as soon as one
// is there, and the task takes it then; what the other channels bring until
// their barriers is recorded. Channels that are strict are aligned even then:
// nothing overtakes on them, and the checkpoint waits until they had theirs.
type aligner struct {
	got       []bool // barrier of cur was reached
	arrived   []bool // barrier of cur has come in
	strict    []bool
	ended     []bool
	over      []bool // the end of the channel has come in
	waiting   int    // channels that neither ended nor reached the barrier of cur
	running   int    // channels that did not end
	cur       int64  // checkpoint being aligned or recorded, 0: none
	unaligned bool   // cur need not wait for records
	recording bool   // cur was taken; missing channels are recorded
	missing   int    // channels whose barrier of cur has not come in
	done      int64  // newest checkpoint that is aligned or given up; no older one will be
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
	due     bool  // the task may take the checkpoint now
	gone    bool  // the barrier overtook: it does not go into the queue
	// recorded is the checkpoint whose last barrier came in.
	recorded int64
	// then is what else the step decided, in order, after the above.
	then []alignment
}

func newAligner(channels int) *aligner {
	return &aligner{got: make([]bool, channels), arrived: make([]bool, channels), strict: make([]bool, channels),
		ended: make([]bool, channels), over: make([]bool, channels), running: channels, cancelled: map[int64]bool{}}
}

// barrier takes the barrier of checkpoint id on channel ch.
func (a *aligner) barrier(ch int, id int64) (r alignment) {
	if id <= a.done || id < a.cur || a.ended[ch] || a.cancelled[id] {
		return r // of a checkpoint that was given up meanwhile
	}
	if id > a.cur && a.cur != 0 {
		r = a.giveUp()
	}
	r.started = a.begin(id)
	if a.got[ch] || a.recording {
		return r
	}
	a.got[ch] = true
	a.waiting--
	if a.waiting == 0 {
		r.aligned, r.unblock = a.finish(), true
		return r
	}
	r.block = true
	r.due = a.due()
	return r
}

func (a *aligner) begin(id int64) bool {
	if a.cur != 0 {
		return false
	}
	a.cur, a.waiting = id, a.running
	return true
}

// end takes the end of channel ch: it counts as aligned from now on.
func (a *aligner) end(ch int) (r alignment) {
	if a.ended[ch] {
		return r
	}
	a.ended[ch] = true
	a.running--
	if a.cur == 0 || a.got[ch] || a.recording {
		return r
	}
	a.waiting--
	if a.waiting == 0 {
		r.aligned, r.unblock = a.finish(), true
		return r
	}
	r.due = a.due()
	return r
}

// cancel gives up checkpoint id, whoever says so. An older one that is still
// under way goes on: a savepoint may fail beside a checkpoint.
func (a *aligner) cancel(id int64) (r alignment) {
	if id <= a.done || a.cancelled[id] {
		return r
	}
	if a.cur != id {
		a.remember(id)
		return alignment{aborted: id, forward: true}
	}
	passed := a.recording // the barrier went on already
	r = a.giveUp()
	r.forward = !passed
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
	a.unaligned, a.recording = false, false
	clear(a.got)
	clear(a.arrived)
	for c := range a.cancelled {
		if c <= id {
			delete(a.cancelled, c)
		}
	}
	return id
}
