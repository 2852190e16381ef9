package exchange

import (
	"context"
	"errors"
	"io"
	"slices"

	"goflink/dataflow"
)

// Reserve takes network buffers for what a task keeps beside its channels: need
// of them, or an error, and up to more on top. It returns how many; give them back
// with Unreserve.
func (n *Network) Reserve(need, more int) (int, error) {
	got, err := n.budget.reserve(need, more)
	if err != nil {
		return 0, err
	}
	return need + got, nil
}

// Unreserve gives reserved buffers back.
func (n *Network) Unreserve(buffers int) { n.budget.release(buffers) }

// Feed is where what a channel sends comes from: its next buffer, made by alloc,
// or io.EOF behind the last one.
type Feed func(alloc func(n int) *dataflow.Buffer) (*dataflow.Buffer, error)

// servedBuffers are reserved for channels that are served from files: more are on
// their way only while the network is slower than the disk, and those were
// reserved by their receivers.
const servedBuffers = 16

// feeding is a channel that has not ended.
type feeding struct {
	w    *Writer
	feed Feed
}

// Serve sends what feeds give, by edge and channel, each channel as fast as its
// receiver takes it, and ends the channels. It returns when all have ended, with
// the first error of a feed, or when the context ends. It is for a goroutine that
// is no task's; the channels are Encoded ones and already connected.
func (o *Outputs) Serve(feeds [][]Feed) error {
	var open []feeding
	for i, edge := range o.edges {
		for j, w := range edge {
			open = append(open, feeding{w, feeds[i][j]})
		}
	}
	for len(open) > 0 {
		err := o.waitUntil(func() (bool, error) {
			return slices.ContainsFunc(open, func(f feeding) bool { return f.w.hasRoom() }), context.Cause(o.ctx)
		})
		open = slices.DeleteFunc(open, func(f feeding) (ended bool) {
			if err == nil && f.w.hasRoom() {
				ended, err = f.pass()
			}
			return ended
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// pass sends one buffer, or the end.
func (f *feeding) pass() (ended bool, err error) {
	b, err := f.feed(f.w.NewBuffer)
	switch {
	case errors.Is(err, io.EOF):
		if err = f.w.sendEvent(Event{EndOfData: &EndOfData{Drain: true}}); err == nil {
			err = f.w.sendEvent(Event{EndOfPartition: true})
		}
		return true, err
	case err != nil:
		return false, err
	}
	return false, f.w.SendBuffer(b)
}

// hasRoom tells that the receiver would take a buffer now. Only the goroutine that
// sends takes room away, but for floating credits: then it waits in the send.
func (w *Writer) hasRoom() bool {
	if w.finished {
		return true
	}
	if w.isLocal {
		return w.target.gate.hasRoom(w.target)
	}
	w.out.mu.Lock()
	defer w.out.mu.Unlock()
	return w.conn != nil && w.queue.len() == 0 && w.credit > 0
}

func (g *Gate) hasRoom(c *inputChannel) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := &c.credit
	return g.closed || g.floating > 0 && !c.state.held || b.inFlight() < int64(b.exclusive+b.floating)
}
