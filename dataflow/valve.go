package dataflow

// Valve merges the watermarks of the channels of one logical input: its
// output is the minimum over the channels that are neither idle nor ended,
// and never goes back. It is a pure core; package stream drives it.
type Valve struct {
	channels []valveChannel
	out      int64
	idle     bool
	active   int // channels that are neither idle nor ended
}

type valveChannel struct {
	wm    int64
	idle  bool
	ended bool
}

// NewValve returns a valve over n channels, all active, without a watermark.
func NewValve(n int) *Valve {
	v := &Valve{channels: make([]valveChannel, n), out: MinWatermark, active: n}
	for i := range v.channels {
		v.channels[i].wm = MinWatermark
	}
	return v
}

// Current is the watermark last put out.
func (v *Valve) Current() int64 { return v.out }

// Idle is true while every channel that goes on is idle.
func (v *Valve) Idle() bool { return v.idle }

// Watermark takes a watermark of channel ch and tells whether the output
// advanced. A watermark makes an idle channel active.
func (v *Valve) Watermark(ch int, ts int64) (out int64, advanced, statusChanged bool) {
	c := &v.channels[ch]
	if c.ended || ts <= c.wm && !c.idle {
		return v.out, false, false
	}
	if c.idle {
		c.idle = false
		v.active++
		statusChanged = v.setIdle(false)
	}
	if ts > c.wm {
		c.wm = ts
	}
	out, advanced = v.advance()
	return out, advanced, statusChanged
}

// Status marks channel ch idle or active. An idle channel holds nothing back,
// so the output may advance.
func (v *Valve) Status(ch int, idle bool) (out int64, advanced, statusChanged bool) {
	c := &v.channels[ch]
	if c.ended || c.idle == idle {
		return v.out, false, false
	}
	c.idle = idle
	if !idle {
		v.active++
		return v.out, false, v.setIdle(false)
	}
	v.active--
	return v.released(c.wm)
}

// Ended marks channel ch as ended: it holds nothing back any more.
func (v *Valve) Ended(ch int) (out int64, advanced, statusChanged bool) {
	c := &v.channels[ch]
	if c.ended {
		return v.out, false, false
	}
	c.ended = true
	if c.idle {
		return v.out, false, false
	}
	v.active--
	return v.released(c.wm)
}

// released recomputes the output after a channel stopped to count. When it was
// the last one, the highest watermark that any channel reached counts: nothing
// below it can come any more from those that went idle (they were ahead).
func (v *Valve) released(wm int64) (out int64, advanced, statusChanged bool) {
	if v.active > 0 {
		out, advanced = v.advance()
		return out, advanced, false
	}
	if wm == v.out { // the channel that held us back: flush what the others reached
		for i := range v.channels {
			wm = max(wm, v.channels[i].wm)
		}
		if wm > v.out {
			v.out, advanced = wm, true
		}
	}
	return v.out, advanced, v.allIdle()
}

// Over is true once every channel has ended.
func (v *Valve) Over() bool {
	for i := range v.channels {
		if !v.channels[i].ended {
			return false
		}
	}
	return true
}

// allIdle reports idleness only when a channel still goes on: an input whose
// channels have all ended is not idle, it is over.
func (v *Valve) allIdle() bool {
	for i := range v.channels {
		if !v.channels[i].ended {
			return v.setIdle(true)
		}
	}
	return false
}

func (v *Valve) setIdle(idle bool) bool {
	if v.idle == idle {
		return false
	}
	v.idle = idle
	return true
}

func (v *Valve) advance() (int64, bool) {
	if v.active == 0 {
		return v.out, false
	}
	low := int64(MaxWatermark)
	for i := range v.channels {
		if c := &v.channels[i]; !c.idle && !c.ended && c.wm < low {
			low = c.wm
		}
	}
	if low <= v.out {
		return v.out, false
	}
	v.out = low
	return low, true
}
