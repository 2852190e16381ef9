// Package faultconn makes connections that fail: for tests of what goes over
// them. It goes into exchange.Options.Wrap.
//
// What happens to a connection is drawn from a seed when it is made: it may be
// slow, arrive in pieces, and at some byte fail in one way. With the same seed and
// the same order of connections the same is drawn; what then happens depends on
// the schedule of goroutines, too.
//
// Locks: Net.mu for draws and counts, conn.mu for a connection's position; none is
// held while the network is read or written.
package faultconn

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

// Fault is a way in which a connection fails.
type Fault string

// The faults. Delays and pieces are no failures: a connection bears them.
const (
	None       Fault = ""
	WriteError Fault = "write error"      // nothing is written
	ShortWrite Fault = "short write"      // a part is written, then an error comes
	ReadError  Fault = "read error"       // though the other side has written
	Lost       Fault = "lost connection"  // closed under both sides
	Silent     Fault = "silent half-lost" // what is written is swallowed, then the connection is lost
	Delay      Fault = "delay"
	Pieces     Fault = "pieces"
)

// fatal are the faults that end a connection.
var fatal = []Fault{WriteError, ShortWrite, ReadError, Lost, Silent}

// Rates say how often what is drawn.
type Rates struct {
	// Fail is the share of connections that fail.
	Fail float64
	// Bytes bounds where a connection fails: at one of its first bytes, read or
	// written. 0: 1 MiB.
	Bytes int64
	// Delay is the share of reads and writes that wait, each up to MostDelay.
	Delay     float64
	MostDelay time.Duration
	// Pieces is the share of writes that go out in pieces.
	Pieces float64
}

// ErrInjected is in every error that a fault makes.
var ErrInjected = errors.New("injected fault")

// Net draws the fates of connections.
type Net struct {
	rates Rates
	mu    struct {
		sync.Mutex
		rand  *rand.Rand
		off   bool
		count map[Fault]int
	}
}

// New makes one.
func New(seed uint64, r Rates) *Net {
	if r.Bytes <= 0 {
		r.Bytes = 1 << 20
	}
	n := &Net{rates: r}
	n.mu.rand, n.mu.count = rand.New(rand.NewPCG(seed, 9)), map[Fault]int{}
	return n
}

// Off lets all connections, also those there are, do no further harm.
func (n *Net) Off(off bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.off = off
}

// Counts tells how often each fault came: "delay 12, lost connection 1".
func (n *Net) Counts() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var parts []string
	for _, f := range slices.Sorted(maps.Keys(n.mu.count)) {
		parts = append(parts, fmt.Sprintf("%s %d", f, n.mu.count[f]))
	}
	return strings.Join(parts, ", ")
}

// Failed is how many connections failed.
func (n *Net) Failed() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := 0
	for _, f := range fatal {
		all += n.mu.count[f]
	}
	return all
}

// Wrap draws a connection's fate.
func (n *Net) Wrap(nc net.Conn) net.Conn {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := &conn{Conn: nc, net: n}
	if n.mu.rand.Float64() < n.rates.Fail {
		c.fate, c.mu.left = fatal[n.mu.rand.IntN(len(fatal))], 1+n.mu.rand.Int64N(n.rates.Bytes)
	}
	return c
}

// drawn is what is drawn for one read or write.
type drawn struct {
	off    bool
	delay  time.Duration
	pieces bool
}

func (n *Net) draw(write bool) (d drawn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mu.off {
		return drawn{off: true}
	}
	if n.rates.MostDelay > 0 && n.mu.rand.Float64() < n.rates.Delay {
		d.delay = time.Duration(n.mu.rand.Int64N(int64(n.rates.MostDelay)))
		n.mu.count[Delay]++
	}
	if d.pieces = write && n.mu.rand.Float64() < n.rates.Pieces; d.pieces {
		n.mu.count[Pieces]++
	}
	return d
}

func (n *Net) happened(f Fault) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.count[f]++
}

// conn is a connection with a fate.
type conn struct {
	net.Conn
	net  *Net
	fate Fault
	mu   struct {
		sync.Mutex
		left int64 // bytes until it fails
		gone Fault // it has failed
		mute bool  // what is written is swallowed
	}
}

// pass counts bytes; due tells that the connection fails within them, at the byte
// at.
func (c *conn) pass(n int, fails ...Fault) (at int, due bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fate == None || c.mu.gone != None {
		return n, false
	}
	at = int(min(int64(n), c.mu.left))
	c.mu.left -= int64(at)
	if c.mu.left > 0 || !slices.Contains(fails, c.fate) {
		return n, false
	}
	c.mu.gone = c.fate
	c.net.happened(c.fate)
	return at, true
}

func (c *conn) failed(what string) error {
	return fmt.Errorf("%s of %s: %w", what, c.RemoteAddr(), ErrInjected)
}

// Write implements net.Conn.
func (c *conn) Write(b []byte) (int, error) {
	d := c.net.draw(true)
	if d.off {
		return c.Conn.Write(b)
	}
	wait(d.delay)
	if c.swallow() {
		return len(b), nil
	}
	at, due := c.pass(len(b), WriteError, ShortWrite, Lost, Silent)
	if !due {
		return c.write(b, d.pieces)
	}
	switch c.fate {
	case ShortWrite:
		n, err := c.Conn.Write(b[:at])
		return n, errors.Join(err, c.failed("short write"))
	case Lost:
		c.Conn.Close()
	case Silent:
		c.mu.Lock()
		defer c.mu.Unlock()
		c.mu.mute = true
		time.AfterFunc(silence, func() { c.Conn.Close() })
		return len(b), nil
	}
	return 0, c.failed("write")
}

// swallow is true while a half-lost connection takes what it is given.
func (c *conn) swallow() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.mute
}

// silence is how long a half-lost connection takes to be lost: long enough for
// much to be swallowed, short enough for a thousand runs.
const silence = 5 * time.Millisecond

func (c *conn) write(b []byte, pieces bool) (int, error) {
	const piece = 1000 // smaller than most frames
	done := 0
	for pieces && len(b)-done > piece {
		n, err := c.Conn.Write(b[done : done+piece])
		if done += n; err != nil {
			return done, err
		}
	}
	n, err := c.Conn.Write(b[done:])
	return done + n, err
}

// Read implements net.Conn.
func (c *conn) Read(b []byte) (int, error) {
	d := c.net.draw(false)
	if !d.off {
		wait(d.delay)
	}
	n, err := c.Conn.Read(b)
	if d.off || err != nil {
		return n, err
	}
	if _, due := c.pass(n, ReadError, Lost); due {
		if c.fate == Lost {
			c.Conn.Close()
		}
		return 0, c.failed("read")
	}
	return n, nil
}

func wait(d time.Duration) {
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		<-t.C
	}
}
