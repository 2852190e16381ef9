package exchange

import (
	"sync/atomic"
	"time"

	"goflink/dataflow"
)

// debloater bounds what is in flight to a gate. The gate's lock guards it, but
// for what is shown.
type debloater struct {
	remote, local sizer
	bytes, rows   int64 // consumed since the last call
	at            time.Time
	idle          time.Duration
	shownSize     atomic.Int64
	shownTime     atomic.Int64 // milliseconds
}

func newDebloater(o Debloat) *debloater {
	if !o.Enabled {
		return nil
	}
	d := &debloater{remote: newSizer(o, o.MinBytes, dataflow.BufferSize), local: newSizer(o, 1, dataflow.BatchRows)}
	d.shownSize.Store(dataflow.BufferSize)
	return d
}

// Debloat adapts how much senders put into a buffer to what the task consumes;
// idle is the time that the task has waited for input so far. It is called each
// period, on one goroutine that is not the task's. Without debloating it does
// nothing.
//
// Buffers become smaller rather than fewer: a channel keeps its credits, so that a
// sender always has one to fill while another is on its way, and a gate with a
// thousand channels can hold less than a thousand full buffers.
func (g *Gate) Debloat(now time.Time, idle time.Duration) {
	d := g.debloat
	if d == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	elapsed, waited := now.Sub(d.at), idle-d.idle
	first := d.at.IsZero()
	d.at, d.idle = now, idle
	bytes, rows := d.bytes, d.rows
	d.bytes, d.rows = 0, 0
	if g.closed || first || elapsed <= 0 {
		return
	}
	busy := max(0, elapsed-max(0, waited))
	remote, local := g.inFlightLocked()
	if d.remote.step(bytes, busy, elapsed, remote) {
		d.shownSize.Store(int64(d.remote.told))
		for _, c := range g.channels {
			if c.conn != nil && !c.state.ended {
				c.conn.size(c.id, d.remote.told)
			}
		}
	}
	if d.local.step(rows, busy, elapsed, local) {
		for _, c := range g.channels {
			if c.writer != nil {
				c.writer.limit.Store(int32(d.local.told))
			}
		}
	}
	d.shownTime.Store(max(d.remote.drain(remote), d.local.drain(local)).Milliseconds())
}

// inFlightLocked counts the buffers on their way to the task, and the batches.
func (g *Gate) inFlightLocked() (remote, local int) {
	for _, c := range g.channels {
		if c.local != nil {
			local += int(c.credit.inFlight())
		} else {
			remote += int(c.credit.inFlight()) + c.credit.backlog
		}
	}
	return remote, local
}

// drain estimates how long it takes to consume so many buffers.
func (s *sizer) drain(buffers int) time.Duration {
	if s.rate <= 0 || buffers == 0 {
		return 0
	}
	return time.Duration(float64(buffers) * float64(s.told) / s.rate * float64(time.Second))
}

// Debloated tells the size of buffers that the gate has asked for, in bytes, and
// how long it takes to consume what is in flight, in milliseconds; false without
// debloating. Any goroutine may call it.
func (g *Gate) Debloated() (size, timeMS func() int64, ok bool) {
	if g.debloat == nil {
		return nil, nil, false
	}
	return g.debloat.shownSize.Load, g.debloat.shownTime.Load, true
}

// Limit implements dataflow.ChannelWriter.
func (w *Writer) Limit() int { return int(w.limit.Load()) }

// sized takes the size that the receiver asks for.
func (w *Writer) sized(bytes int) { w.limit.Store(int32(min(bytes, dataflow.BufferSize))) }
