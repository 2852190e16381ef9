package ha

import "testing"

// The publication against an adversary: answers are lost, renames happen late,
// the folder is closed at any time. Every state that can be reached is visited.

// disk is what there is while a file is published.
type disk struct {
	temporary bool // the temporary file exists
	file      bool // the file is in the open folder
	closed    bool // the folder was renamed away, and read
	read      bool // the reader found the file
	pending   bool // a rename is on its way whose answer nobody waits for
}

// rename takes effect, or not.
func (d disk) rename() (disk, outcome) {
	if !d.temporary || d.closed {
		return d, outcomeGone
	}
	d.temporary, d.file = false, true
	return d, outcomeOK
}

// slip is a rename that lands in the folder just after it was closed and read.
func (d disk) slip() (disk, outcome) {
	d.temporary, d.closed = false, true
	return d, outcomeOK
}

func (d disk) close() disk {
	d.closed, d.read, d.file = true, d.file, false
	return d
}

type node struct {
	core publication
	next move
	disk disk
}

type result struct {
	disk disk
	o    outcome
}

// answers are all that can come of a move.
func answers(n node) []result {
	d := n.disk
	switch n.next {
	case moveRename, moveWaitRename:
		done, o := d.rename()
		late := d
		late.pending = true
		out := []result{{done, o}, {done, outcomeUnsure}, {d, outcomeUnsure}, {late, outcomeUnsure}, {d, outcomeFailed}}
		if d.temporary && !d.closed {
			slipped, o := d.slip()
			out = append(out, result{slipped, o}, result{slipped, outcomeUnsure})
		}
		return out
	case moveStatFile:
		if d.file {
			return []result{{d, outcomeOK}, {d, outcomeUnsure}}
		}
		return []result{{d, outcomeGone}, {d, outcomeUnsure}}
	case moveStatFolder:
		if d.closed {
			return []result{{d, outcomeGone}, {d, outcomeUnsure}}
		}
		return []result{{d, outcomeOK}, {d, outcomeUnsure}}
	default: // moveDelete
		gone := d
		gone.temporary = false
		return []result{{gone, outcomeOK}, {gone, outcomeUnsure}, {d, outcomeUnsure}, {d, outcomeFailed}}
	}
}

// meanwhile are the disks after what may happen between two moves.
func meanwhile(d disk) []disk {
	out := []disk{d}
	if d.pending {
		late := d
		late.pending = false
		late, _ = late.rename()
		out = append(out, late)
	}
	for _, x := range out {
		if !x.closed {
			out = append(out, x.close())
		}
	}
	return out
}

func TestPublicationAgainstAdversary(t *testing.T) {
	seen := map[node]bool{}
	ends := map[move]int{}
	var visit func(n node)
	visit = func(n node) {
		if seen[n] {
			return
		}
		seen[n] = true
		if n.next >= movePublished && n.next != moveWaitRename {
			ends[n.next]++
			checkEnd(t, n)
			return
		}
		for _, r := range answers(n) {
			core := n.core
			next := core.step(r.o)
			for _, d := range meanwhile(r.disk) {
				visit(node{core, next, d})
			}
		}
	}
	var core publication
	for _, d := range meanwhile(disk{temporary: true}) {
		visit(node{core, core.start(), d})
	}
	t.Logf("%d states, ends %v", len(seen), ends)
	for _, end := range []move{movePublished, moveFenced, moveFailed, moveUnknown} {
		if ends[end] == 0 {
			t.Errorf("no run ends with %d", end)
		}
	}
}

// checkEnd holds what was told against what is, and can still become.
func checkEnd(t *testing.T, n node) {
	t.Helper()
	d := n.disk
	late := d
	if d.pending {
		late.pending = false
		late, _ = late.rename()
	}
	switch n.next {
	case movePublished:
		if !d.file && !d.read {
			t.Fatalf("published, but nobody will find it: %+v", n)
		}
	case moveFailed, moveNotPublished:
		if d.file || d.read || late.file {
			t.Fatalf("denied, but it is there, or will be: %+v", n)
		}
	case moveFenced:
		if !d.closed {
			t.Fatalf("fenced, but the folder is open: %+v", n)
		}
	}
}
