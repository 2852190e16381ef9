package exchange

// This file is the unaligned part of aligner.

// announce takes that the barrier of checkpoint id has come in on channel ch.
func (a *aligner) announce(ch int, id int64, unaligned bool) (r alignment) {
	if id <= a.done || id < a.cur || a.ended[ch] || a.cancelled[id] {
		return r
	}
	if id > a.cur && a.cur != 0 {
		r = a.giveUp()
	}
	r.started = a.begin(id)
	first := !a.arrived[ch]
	a.arrived[ch] = true
	if a.recording {
		r.gone = true
		if first {
			r.recorded = a.cameIn()
		}
		return r
	}
	a.unaligned = a.unaligned || unaligned
	r.due = a.due()
	return r
}

// cameIn counts a channel that had to be recorded no longer.
func (a *aligner) cameIn() (recorded int64) {
	if a.missing--; a.missing > 0 {
		return 0
	}
	return a.finish()
}

// endCame takes that the end of channel ch has come in: no barrier will.
func (a *aligner) endCame(ch int) (r alignment) {
	if a.over[ch] {
		return r
	}
	a.over[ch] = true
	if a.recording && !a.got[ch] && !a.arrived[ch] {
		r.recorded = a.cameIn()
	}
	return r
}

// expire turns the checkpoint into an unaligned one: it has waited too long.
func (a *aligner) expire(id int64) (r alignment) {
	if a.cur == id && id != 0 && !a.recording {
		a.unaligned = true
		r.due = a.due()
	}
	return r
}

// due tells that the task may take the current checkpoint before it is aligned.
func (a *aligner) due() bool {
	if a.cur == 0 || !a.unaligned || a.recording {
		return false
	}
	for ch, strict := range a.strict {
		if strict && !a.got[ch] && !a.ended[ch] {
			return false
		}
	}
	return true
}

// take begins the recording of the current checkpoint, which is due: the task
// takes its snapshot now. What is queued on a channel that is pending belongs to
// it up to the barrier, and on one that is missing all that comes until then.
func (a *aligner) take() (id int64, done bool) {
	id = a.cur
	a.recording, a.missing = true, 0
	for ch := range a.got {
		if a.missingOn(ch) {
			a.missing++
		}
	}
	if a.missing == 0 {
		a.finish()
		return id, true
	}
	return id, false
}

// pendingOn tells whether channel ch holds records that belong to the current
// checkpoint; ask before take.
func (a *aligner) pendingOn(ch int) bool { return !a.got[ch] && !a.ended[ch] }

// missingOn tells whether the barrier of channel ch has yet to come in.
func (a *aligner) missingOn(ch int) bool { return a.pendingOn(ch) && !a.arrived[ch] && !a.over[ch] }
