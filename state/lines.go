package state

// lines orders slots by time: those of one time stand in a line, in the order in which they came, and a heap orders
// the lines. Most timers share their time with many others, because windows end together; they cost no step in the
// heap. An empty line stays, because it is often used again, until it is the earliest or most lines are empty.
type lines struct {
	links []link // by slot: its neighbours in the line
	lines []line
	free  []uint32 // unused lines
	at    map[int64]uint32
	heap  []lineItem
	empty int // lines in the heap that are empty

	last     uint32 // the line used last, with its time
	lastTime int64
	lastOK   bool
}

// line holds the ends of a line, as slots plus one; 0 is none.
type line struct {
	first, last uint32
	hides       bool // the index lacks slots of it
}

// lineItem is an element of the heap.
type lineItem struct {
	time int64
	line uint32
}

func newLines() lines { return lines{at: map[int64]uint32{}} }

// find returns the line of a time.
func (q *lines) find(time int64) (uint32, bool) {
	if q.lastOK && q.lastTime == time {
		return q.last, true
	}
	l, ok := q.at[time]
	if ok {
		q.last, q.lastTime, q.lastOK = l, time, true
	}
	return l, ok
}

// add puts a slot at the end of the line of a time.
func (q *lines) add(time int64, slot uint32) {
	for int(slot) >= len(q.links) {
		q.links = append(q.links, make([]link, pageSize)...)
	}
	l, ok := q.find(time)
	if !ok {
		l = q.open(time)
	}
	e := &q.lines[l]
	q.links[slot] = link{prev: e.last}
	if e.last != 0 {
		q.links[e.last-1].next = slot + 1
	} else {
		e.first = slot + 1
		q.empty--
	}
	e.last = slot + 1
}

// open adds an empty line.
func (q *lines) open(time int64) uint32 {
	var l uint32
	if n := len(q.free); n > 0 {
		l, q.free = q.free[n-1], q.free[:n-1]
	} else {
		l = uint32(len(q.lines))
		q.lines = append(q.lines, line{})
	}
	q.at[time] = l
	q.heap = append(q.heap, lineItem{time, l})
	q.up(len(q.heap) - 1)
	q.empty++
	return l
}

// remove takes a slot out of the line of its time.
func (q *lines) remove(time int64, slot uint32) {
	l, _ := q.find(time)
	e, n := &q.lines[l], q.links[slot]
	if n.prev != 0 {
		q.links[n.prev-1].next = n.next
	} else {
		e.first = n.next
	}
	if n.next != 0 {
		q.links[n.next-1].prev = n.prev
	} else {
		e.last = n.prev
	}
	if e.first == 0 {
		e.hides = false
		if q.empty++; len(q.heap) > 64 && 2*q.empty > len(q.heap) {
			q.rebuild()
		}
	}
}

// earliest returns the first slot of the earliest line.
func (q *lines) earliest() (time int64, slot uint32, ok bool) {
	for len(q.heap) > 0 {
		top := q.heap[0]
		if first := q.lines[top.line].first; first != 0 {
			return top.time, first - 1, true
		}
		q.close(top)
		n := len(q.heap) - 1
		q.heap[0] = q.heap[n]
		q.heap = q.heap[:n]
		q.down(0)
	}
	return 0, 0, false
}

// hide says that the index lacks slots of a time.
func (q *lines) hide(time int64) {
	l, _ := q.find(time)
	q.lines[l].hides = true
}

// hidden returns the first slot of a time of which the index lacks slots, for the caller to add them all.
func (q *lines) hidden(time int64) (uint32, bool) {
	l, ok := q.find(time)
	if !ok || !q.lines[l].hides {
		return 0, false
	}
	q.lines[l].hides = false
	first := q.lines[l].first
	return first - 1, first != 0
}

// behind returns the slot that stands behind another one in its line.
func (q *lines) behind(slot uint32) (uint32, bool) {
	next := q.links[slot].next
	return next - 1, next != 0
}

// close forgets an empty line.
func (q *lines) close(it lineItem) {
	delete(q.at, it.time)
	q.free = append(q.free, it.line)
	q.empty--
	q.lastOK = q.lastOK && q.last != it.line
}

// rebuild drops all empty lines.
func (q *lines) rebuild() {
	kept := q.heap[:0]
	for _, it := range q.heap {
		if q.lines[it.line].first != 0 {
			kept = append(kept, it)
		} else {
			q.close(it)
		}
	}
	q.heap = kept
	for i := len(kept)/2 - 1; i >= 0; i-- {
		q.down(i)
	}
}

func (q *lines) up(i int) {
	it := q.heap[i]
	for i > 0 {
		parent := (i - 1) / 2
		if it.time >= q.heap[parent].time {
			break
		}
		q.heap[i] = q.heap[parent]
		i = parent
	}
	q.heap[i] = it
}

func (q *lines) down(i int) {
	if i >= len(q.heap) {
		return
	}
	it := q.heap[i]
	for {
		child := 2*i + 1
		if child >= len(q.heap) {
			break
		}
		if right := child + 1; right < len(q.heap) && q.heap[right].time < q.heap[child].time {
			child = right
		}
		if q.heap[child].time >= it.time {
			break
		}
		q.heap[i] = q.heap[child]
		i = child
	}
	q.heap[i] = it
}
