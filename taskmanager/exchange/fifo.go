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

// at is the item i places behind the front.
func (f *fifo[T]) at(i int) *T { return &f.ring[(f.head+i)%len(f.ring)] }

// remove takes the item i places behind the front out.
func (f *fifo[T]) remove(i int) T {
	v := *f.at(i)
	for ; i > 0; i-- {
		*f.at(i) = *f.at(i - 1)
	}
	f.pop()
	return v
}

// pushFront puts items before all others, the first of them first.
func (f *fifo[T]) pushFront(items []T) {
	var next fifo[T]
	for _, v := range items {
		next.push(v)
	}
	for v, ok := f.pop(); ok; v, ok = f.pop() {
		next.push(v)
	}
	*f = next
}
