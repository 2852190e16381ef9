package exchange

// In BATCH an input may be read to its end before the others (GateInput.First): a
// broadcast stream. The channels of the others are held: they take what their
// exclusive credits allow, and give nothing out.

// holdBack holds the channels that are not First, if any is.
func (g *Gate) holdBack() {
	for _, c := range g.channels {
		if g.o.Inputs[c.input].First {
			g.firsts++
		}
	}
	for _, c := range g.channels {
		c.state.held = g.firsts > 0 && !g.o.Inputs[c.input].First
	}
}

// firstEndedLocked counts down the channels of First inputs; after the last one
// the others are read.
func (g *Gate) firstEndedLocked() {
	if g.firsts--; g.firsts > 0 {
		return
	}
	for _, c := range g.channels {
		if !c.state.held {
			continue
		}
		c.state.held = false
		g.enqueueLocked(c)
		switch {
		case c.local != nil:
			c.local.progress(0)
		case c.conn != nil && !c.state.ended:
			g.feedLocked(c)
		}
	}
}
