package slots

import (
	"cmp"
	"container/heap"
	"slices"
)

// A picker chooses the TaskManager of the next slots, of which n are wanted, and
// how many of them it gives. There is always one with a free slot.
type picker func(n int) (t *TaskManager, slots int)

// filling picks a TaskManager that the job is on already, else the fullest one,
// and takes as much of it as is wanted: so the next one is another.
func (s *step) filling(job string) picker {
	list := s.withRoom()
	off := func(t *TaskManager) int {
		if slices.ContainsFunc(t.Slots, func(h Holder) bool { return h.Job == job && !h.Stopping }) {
			return 0
		}
		return 1
	}
	rank := make(map[*TaskManager]int, len(list))
	for _, t := range list {
		rank[t] = off(t)
	}
	slices.SortStableFunc(list, func(a, b *TaskManager) int {
		return cmp.Or(cmp.Compare(rank[a], rank[b]), cmp.Compare(a.free, b.free))
	})
	return func(n int) (*TaskManager, int) {
		t := list[0]
		list = list[1:]
		if s.cfg.Whole {
			return t, t.free
		}
		return t, min(n, t.free)
	}
}

// spreading picks the least used TaskManager, one slot at a time.
func (s *step) spreading() picker {
	h := usage{list: s.withRoom(), before: map[*TaskManager]int{}}
	for i, t := range h.list {
		h.before[t] = i
	}
	heap.Init(&h)
	last := false // the first of the heap was given a slot since
	return func(int) (*TaskManager, int) {
		if last {
			if h.list[0].free == 0 {
				heap.Pop(&h)
			} else {
				heap.Fix(&h, 0)
			}
		}
		last = true
		t := h.list[0]
		if s.cfg.Whole {
			return t, t.free
		}
		return t, 1
	}
}

// withRoom are the TaskManagers with free slots, by id.
func (s *step) withRoom() []*TaskManager {
	var list []*TaskManager
	for _, t := range s.order {
		if !t.Releasing && t.free > 0 {
			list = append(list, t)
		}
	}
	return list
}

// usage is a heap of TaskManagers, the least used first, among equals by id.
type usage struct {
	list   []*TaskManager
	before map[*TaskManager]int
}

func (u *usage) Len() int { return len(u.list) }

func (u *usage) Less(i, j int) bool {
	a, b := u.list[i], u.list[j]
	if x, y := a.used()*len(b.Slots), b.used()*len(a.Slots); x != y { // used/total, without division
		return x < y
	}
	return u.before[a] < u.before[b]
}

func (u *usage) Swap(i, j int) { u.list[i], u.list[j] = u.list[j], u.list[i] }

func (u *usage) Push(x any) { u.list = append(u.list, x.(*TaskManager)) }

func (u *usage) Pop() any {
	last := u.list[len(u.list)-1]
	u.list = u.list[:len(u.list)-1]
	return last
}
