package dataflow

// Combined merges the event times of the logical inputs of one operator, as
// Flink's IndexedCombinedWatermarkStatus does: its output is the minimum over
// the inputs that go on and are not idle, and never goes back. It is a pure core
// like Valve, which merges the channels of one input; package stream drives it.
//
// Two rules differ from a Valve's. An input that wakes up counts at once, with
// the watermark that it had. When the last input falls idle nothing is flushed:
// inputs are of different kinds, and what one reached says nothing of the other.
//
// MaxWatermark of an input is its end. Flink lets such an input count as any
// other, so that the idleness of the other one would end event time while
// records may still come; here the output is MaxWatermark once all inputs ended.
type Combined struct {
	inputs []combinedInput
	out    int64
	idle   bool
}

type combinedInput struct {
	wm   int64
	idle bool
}

// NewCombined returns the merger of n inputs, all active, without a watermark.
func NewCombined(n int) *Combined {
	c := &Combined{inputs: make([]combinedInput, n), out: MinWatermark}
	for i := range c.inputs {
		c.inputs[i].wm = MinWatermark
	}
	return c
}

// Current is the watermark last put out.
func (c *Combined) Current() int64 { return c.out }

// Idle is true while every input that goes on is idle.
func (c *Combined) Idle() bool { return c.idle }

// Watermark takes a watermark of input i, which makes it active, and tells
// whether the output advanced.
func (c *Combined) Watermark(i int, ts int64) (out int64, advanced, statusChanged bool) {
	in := &c.inputs[i]
	in.idle, in.wm = false, max(in.wm, ts)
	return c.update()
}

// Status marks input i idle or active.
func (c *Combined) Status(i int, idle bool) (out int64, advanced, statusChanged bool) {
	c.inputs[i].idle = idle
	return c.update()
}

func (c *Combined) update() (out int64, advanced, statusChanged bool) {
	low, active, ended := int64(MaxWatermark), 0, 0
	for _, in := range c.inputs {
		switch {
		case in.wm == MaxWatermark:
			ended++
		case !in.idle:
			active++
			low = min(low, in.wm)
		}
	}
	over := ended == len(c.inputs)
	if advanced = (active > 0 || over) && low > c.out; advanced {
		c.out = low
	}
	idle := active == 0 && !over
	statusChanged = idle != c.idle
	c.idle = idle
	return c.out, advanced, statusChanged
}
