package streamtest

import (
	"time"

	"goflink/dataflow"
)

// toEnumerator hands over what a reader sent, between two steps.
func (c *Cluster) toEnumerator(op string, sub int, data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.mail = append(c.mu.mail, func() error {
		e := c.enums[op]
		ev, err := dataflow.ParseEvent(data)
		if err != nil {
			return err
		}
		listener, listens := e.e.(dataflow.ReaderEnumerator)
		switch {
		case ev.Kind == dataflow.EventWatermark:
			c.aligner.Report(op, sub, ev.Watermark)
		case ev.Kind == dataflow.EventRegister && listens:
			return listener.AddReader(sub, string(ev.Data))
		case ev.Kind == dataflow.EventUser && listens:
			return listener.OnEvent(sub, ev.Data)
		}
		return nil
	})
}

// SendEvent hands an event to a reader at once.
func (e *enumerator) SendEvent(sub int, data []byte) {
	t := e.tasks[sub]
	if t.ended {
		return
	}
	if s, ok := t.chain.Source.(dataflow.EventSource); ok {
		if err := s.OnEvent(data); err != nil {
			e.fail(err)
		}
		t.waiting = false
	}
}

// align joins an aligned source to its group.
func (c *Cluster) align(e *enumerator) {
	if al, ok := e.e.(dataflow.AlignedEnumerator); ok {
		e.align = al.Alignment()
		e.alignAt = c.now.Add(e.align.Interval)
		c.aligner.Join(e.id, e.align)
	}
}

// alignDue tells the readers of aligned sources how far they may go, each
// interval.
func (c *Cluster) alignDue() error {
	for _, e := range c.enums {
		if e.align.Group == "" || c.now.Before(e.alignAt) {
			continue
		}
		e.alignAt = c.now.Add(max(e.align.Interval, time.Millisecond))
		if allowed, ok := c.aligner.Allowed(e.id); ok {
			for sub := range e.tasks {
				e.SendEvent(sub, dataflow.WatermarkEvent(allowed))
			}
		}
	}
	return c.failure()
}
