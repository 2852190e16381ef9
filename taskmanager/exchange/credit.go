package exchange

// creditBook is the receiver's side of a channel's credits. Allotment is
// exclusive + floating; the sender may have sent granted units.
type creditBook struct {
	exclusive int
	floating  int
	granted   int64
	received  int64
	consumed  int64
	backlog   int // buffers that wait at the sender
	over      int // local only: items in the queue beyond the allotment
}

func (c *creditBook) unused() int64 { return c.granted - c.received }

func (c *creditBook) inFlight() int64 { return c.received - c.consumed }

// announced takes a backlog announcement.
func (g *Gate) announced(c *inputChannel, backlog int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c.credit.backlog = backlog
	g.feedLocked(c)
}

// attach gives a remote channel its connection and its first credits.
func (g *Gate) attach(c *inputChannel, to *conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c.conn = to
	c.credit.granted = int64(c.credit.exclusive)
	to.grant(c.id, c.credit.exclusive)
}

// feedLocked moves floating credits to a channel until they cover its backlog.
func (g *Gate) feedLocked(c *inputChannel) {
	if c.state.held {
		return // those that are read first need them
	}
	want := int64(c.credit.backlog) - c.credit.unused()
	if want <= 0 {
		return
	}
	n := min(int(want), g.floating)
	g.floating -= n
	c.credit.floating += n
	if n > 0 {
		c.credit.granted += int64(n)
		c.conn.grant(c.id, n)
	}
	if int64(n) < want && !c.state.hungry {
		c.state.hungry = true
		g.hungry.push(c)
	}
}

// consumedRemoteLocked grants the freed credits again, or lends the floating
// ones among them to channels that wait for some.
func (g *Gate) consumedRemoteLocked(c *inputChannel, n int) {
	b := &c.credit
	for n > 0 && b.floating > 0 && b.unused() >= int64(b.backlog) {
		b.floating--
		g.floating++
		n--
	}
	if n > 0 && !c.state.ended {
		b.granted += int64(n)
		c.conn.grant(c.id, n)
	}
	g.feedHungryLocked()
}

// feedHungryLocked gives free floating credits to the channels that wait.
func (g *Gate) feedHungryLocked() {
	for g.floating > 0 {
		c, ok := g.hungry.pop()
		if !ok {
			return
		}
		c.state.hungry = false
		if c.local == nil && c.conn != nil && !c.state.ended {
			g.feedLocked(c)
		}
	}
}

func (g *Gate) consumedLocalLocked(c *inputChannel) {
	b := &c.credit
	if b.over > 0 {
		b.over--
		c.local.progress(-1)
		return
	}
	if b.floating > 0 && b.inFlight() < int64(b.exclusive) {
		b.floating--
		g.floating++
		g.feedHungryLocked()
	}
	c.local.progress(0)
}
