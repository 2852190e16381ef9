package exchange

import (
	"fmt"
	"sync"

	"goflink/dataflow"
)

// buffers recycles network buffers over all sessions. How many are in use is
// bounded by credits (see Network.reserve), not by this pool.
var buffers = sync.Pool{New: func() any {
	return &dataflow.Buffer{Data: make([]byte, 0, dataflow.BufferSize)}
}}

func newBuffer(n int) *dataflow.Buffer {
	if n > dataflow.BufferSize {
		return &dataflow.Buffer{Data: make([]byte, 0, n)}
	}
	return buffers.Get().(*dataflow.Buffer)
}

// freeBuffer takes a buffer back; jumbo ones are left to the collector.
func freeBuffer(b *dataflow.Buffer) {
	if cap(b.Data) != dataflow.BufferSize {
		return
	}
	b.Data, b.Rows = b.Data[:0], 0
	buffers.Put(b)
}

// budget counts the network buffers that channels were promised.
type budget struct {
	mu struct {
		sync.Mutex
		free int
	}
	total int
}

func newBudget(bytes int64) *budget {
	b := &budget{total: int(bytes / dataflow.BufferSize)}
	b.mu.free = b.total
	return b
}

// reserve takes exactly need buffers and up to more on top; it returns how many
// of the latter it got.
func (b *budget) reserve(need, more int) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if need > b.mu.free {
		return 0, &Error{Domain: "user", Retry: "none", Err: fmt.Errorf("insufficient number of network buffers: required %d, but only %d of %d are free "+
			"(%d bytes each): raise taskmanager.memory.network.min, .max or .fraction, or lower the parallelism",
			need, b.mu.free, b.total, dataflow.BufferSize)}
	}
	got := min(more, b.mu.free-need)
	b.mu.free -= need + got
	return got, nil
}

func (b *budget) release(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.free += n
}
