package ha

import "slices"

// takeover decides how an attempt takes over. It does no I/O: the shell (open.go)
// carries out the action that Step returns and reports what came of it.
//
// Why it is right. Let n be this attempt, k a lower one, h a higher one.
//   - h claims before it looks. If n's look after its own claim misses h, then h
//     claimed later, so h's look sees n's folder and h closes it: everything n
//     does from then on fails, as it needs the folder.
//   - k, likewise: either n's look sees k's folder and closes it, or k claimed
//     after n's look and sees n's claim, and gives up without having published a
//     snapshot, so that its folder counts for nothing (snapshot-last).
//   - What n reads is closed, thus final. The highest closed folder with a
//     snapshot holds all that was ever acknowledged: its owner read the ones
//     below it after they were closed.
type takeover struct {
	attempt int64 // 0: the next free number

	phase   phase
	claimed int64
	toClose []int64 // open folders below, ascending
	sources []int64 // folders below that may hold a snapshot, descending
	from    int64   // the one that was read; 0 for none
	lists   int
}

type phase int

const (
	phaseLook  phase = iota // waits for the first listing
	phaseClaim              // waits for the claim
	phaseLook2              // waits for the listing after the claim
	phaseClose              // waits for the closing of toClose[0]
	phaseRead               // waits for the reading of sources[0]
	phaseWrite              // waits for the snapshot
	phaseDone
)

// event is what came of an action. Only failures that decide something are
// events; the shell ends the take-over with any other error.
type event interface{ isEvent() }

type (
	// listed holds the epoch folders that exist.
	listed struct{ folders []folder }
	// claimDone tells whether the epoch folder was made, or existed already.
	claimDone struct{ existed bool }
	// closeDone tells whether the folder was renamed, had gone, or could not be
	// renamed because a closed one of that number exists.
	closeDone struct{ gone bool }
	// readDone tells whether the folder had a snapshot, or had gone.
	readDone struct{ found, gone bool }
	// writeDone tells whether the snapshot was published in the open folder.
	writeDone struct{ fenced bool }
)

func (listed) isEvent()    {}
func (claimDone) isEvent() {}
func (closeDone) isEvent() {}
func (readDone) isEvent()  {}
func (writeDone) isEvent() {}

// action is what to do next.
type action interface{ isAction() }

type (
	doList   struct{}
	doClaim  struct{ number int64 }
	doClose  struct{ number int64 }
	doRead   struct{ number int64 }
	doWrite  struct{ number int64 }       // the snapshot of what was read last
	lead     struct{ number, from int64 } // over the epoch; the closed ones below can go
	giveWay  struct{ to int64 }           // ErrFenced; to is the higher number, or 0
	tooOften struct{}                     // others take over all the time
)

func (doList) isAction()   {}
func (doClaim) isAction()  {}
func (doClose) isAction()  {}
func (doRead) isAction()   {}
func (doWrite) isAction()  {}
func (lead) isAction()     {}
func (giveWay) isAction()  {}
func (tooOften) isAction() {}

// maxLists bounds the listings of one take-over. Each beyond the second means
// that another attempt acted in between; attempts are started seconds apart.
const maxLists = 20

// start begins.
func (t *takeover) start() action {
	t.phase = phaseLook
	return t.list()
}

func (t *takeover) list() action {
	if t.lists++; t.lists > maxLists {
		return tooOften{}
	}
	return doList{}
}

// step takes what came of the last action and returns the next.
func (t *takeover) step(e event) action {
	switch e := e.(type) {
	case listed:
		if t.phase == phaseLook {
			return t.look(e.folders)
		}
		return t.lookAgain(e.folders)
	case claimDone:
		return t.claim(e.existed)
	case closeDone:
		if e.gone {
			return t.surprised()
		}
		t.toClose = t.toClose[1:]
		return t.nextClose()
	case readDone:
		if e.gone {
			return t.surprised()
		}
		if e.found {
			t.from = t.sources[0]
			return t.write()
		}
		t.sources = t.sources[1:]
		return t.nextRead()
	case writeDone:
		if e.fenced {
			return giveWay{}
		}
		t.phase = phaseDone
		return lead{number: t.claimed, from: t.from}
	}
	panic("ha: unknown event")
}

// surprised looks again when a folder is gone that was there: somebody else has
// closed it, or taken over and removed it.
func (t *takeover) surprised() action {
	t.phase = phaseLook2
	return t.list()
}

func highest(folders []folder) int64 {
	n := int64(0)
	for _, f := range folders {
		n = max(n, f.number)
	}
	return n
}

// look chooses the number to claim, before anything is changed.
func (t *takeover) look(folders []folder) action {
	top := highest(folders)
	t.claimed = t.attempt
	if t.attempt == 0 {
		t.claimed = top + 1
	}
	if top >= t.claimed {
		return giveWay{to: top}
	}
	t.phase = phaseClaim
	return doClaim{number: t.claimed}
}

func (t *takeover) claim(existed bool) action {
	switch {
	case existed && t.attempt == 0:
		t.phase = phaseLook
		return t.list()
	case existed:
		return giveWay{to: t.claimed}
	}
	t.phase = phaseLook2
	return t.list()
}

// lookAgain finds whom to close, and to whom to give way.
func (t *takeover) lookAgain(folders []folder) action {
	t.toClose, t.sources = nil, nil
	for _, f := range folders {
		switch {
		case f.number > t.claimed:
			return giveWay{to: highest(folders)}
		case f.number == t.claimed && !f.open:
			// Closed by one that has gone again.
			return giveWay{}
		case f.number == t.claimed:
			continue
		}
		if f.open {
			t.toClose = append(t.toClose, f.number)
		}
		t.sources = append(t.sources, f.number)
	}
	slices.Sort(t.toClose)
	slices.Sort(t.sources)
	slices.Reverse(t.sources)
	t.sources = slices.Compact(t.sources)
	return t.nextClose()
}

func (t *takeover) nextClose() action {
	if len(t.toClose) > 0 {
		t.phase = phaseClose
		return doClose{number: t.toClose[0]}
	}
	return t.nextRead()
}

func (t *takeover) nextRead() action {
	if len(t.sources) > 0 {
		t.phase = phaseRead
		return doRead{number: t.sources[0]}
	}
	return t.write()
}

func (t *takeover) write() action {
	t.phase = phaseWrite
	return doWrite{number: t.claimed}
}
