package exchange

// fifo is a queue on a ring that grows. The zero value is empty.
type fifo[T any] struct {
	ring []T
	head int
	n    int
}

func (f *fifo[T]) len() int { return f.n }

func (f *fifo[T]) push(v T) {
	if f.n == len(f.ring) {
		f.grow()
	}
	f.ring[(f.head+f.n)%len(f.ring)] = v
	f.n++
}

func (f *fifo[T]) grow() {
	ring := make([]T, max(4, 2*len(f.ring)))
	for i := range f.n {
		ring[i] = f.ring[(f.head+i)%len(f.ring)]
	}
	f.ring, f.head = ring, 0
}

func (f *fifo[T]) pop() (v T, ok bool) {
	if f.n == 0 {
		return v, false
	}
	var zero T
	v, f.ring[f.head] = f.ring[f.head], zero
	f.head = (f.head + 1) % len(f.ring)
	f.n--
	return v, true
}

func (f *fifo[T]) front() *T {
	if f.n == 0 {
		return nil
	}
	return &f.ring[f.head]
}
