package hdfsstore

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"goflink/hadooprpc/proto/hdfsproto"
)

// probeTimeout bounds the check whether a DataNode works. Short,
// because the file that failed waits for it; a live node in a data centre
// answers within milliseconds.
const probeTimeout = 2 * time.Second

// nodeWatch remembers DataNodes that failed, to keep them out of new files until
// the NameNode has noticed.
type nodeWatch struct {
	o        HDFSOptions
	hostname bool // connect by name, dfs.client.use.datanode.hostname
	mu       struct {
		sync.Mutex
		failed map[string]failedNode // by address
	}
}

type failedNode struct {
	info  *hdfsproto.DatanodeInfoProto
	until time.Time
}

func newNodeWatch(o HDFSOptions, hostname bool) *nodeWatch {
	w := &nodeWatch{o: o, hostname: hostname}
	w.mu.failed = map[string]failedNode{}
	return w
}

// address is where a DataNode takes data.
func (w *nodeWatch) address(n *hdfsproto.DatanodeInfoProto) string {
	host := n.GetId().GetIpAddr()
	if w.hostname {
		host = n.GetId().GetHostName()
	}
	return net.JoinHostPort(host, strconv.Itoa(int(n.GetId().GetXferPort())))
}

// excluded are the nodes to keep away from now.
func (w *nodeWatch) excluded() []*hdfsproto.DatanodeInfoProto {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []*hdfsproto.DatanodeInfoProto
	for addr, n := range w.mu.failed {
		if time.Now().After(n.until) {
			delete(w.mu.failed, addr)
			continue
		}
		out = append(out, n.info)
	}
	return out
}

// forget gives all nodes another chance.
func (w *nodeWatch) forget() {
	w.mu.Lock()
	clear(w.mu.failed)
	w.mu.Unlock()
}

// suspect finds out which nodes of a failed pipeline do not work. The library
// tells only that the pipeline failed, not which of its nodes did.
func (w *nodeWatch) suspect(ctx context.Context, pipeline []*hdfsproto.DatanodeInfoProto) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	var group errgroup.Group
	for _, node := range pipeline {
		group.Go(func() error {
			if w.alive(ctx, w.address(node)) {
				return nil
			}
			w.mu.Lock()
			w.mu.failed[w.address(node)] = failedNode{info: node, until: time.Now().Add(w.o.ExcludeFor)}
			w.mu.Unlock()
			return nil
		})
	}
	_ = group.Wait() // probes return no errors
}

// alive tells whether a DataNode reacts: to a request of protocol version 0 (or,
// where SASL is demanded, of a wrong magic number) a live one closes the
// connection at once. That it accepts connections means nothing, as the system
// does that for a process that hangs.
func (w *nodeWatch) alive(ctx context.Context, addr string) bool {
	conn, err := w.o.Dial(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := conn.Write(make([]byte, 4)); err != nil {
		return ctx.Err() == nil
	}
	_, err = conn.Read(make([]byte, 64))
	return err == nil || ctx.Err() == nil
}

// dialNode is the library's way to a DataNode.
func (b *bridge) dialNode(ctx context.Context, network, addr string) (net.Conn, error) {
	if err := b.ctx.Err(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, b.h.o.DialTimeout)
	defer cancel()
	stop := context.AfterFunc(b.ctx, cancel)
	defer stop()
	conn, err := b.h.o.Dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	n := &nodeConn{Conn: conn, timeout: b.h.o.IOTimeout, swallow: b.file.write}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.abandoned {
		n.fail(errAbandoned)
	}
	// The library keeps at most one connection of a file at a time; earlier ones
	// that it has closed, or forgot to close, are of no use.
	for _, old := range b.mu.nodes {
		old.fail(errAbandoned)
	}
	b.mu.nodes = append(b.mu.nodes[:0], n)
	return n, nil
}

var errAbandoned = errors.New("the file was given up")

// abandon cuts the connections to DataNodes.
func (b *bridge) abandon() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.abandoned = true
	for _, n := range b.mu.nodes {
		n.fail(errAbandoned)
	}
}

// nodeError is the first error of the connection to the current DataNode.
func (b *bridge) nodeError() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range b.mu.nodes {
		if err := n.failure(); err != nil {
			return err
		}
	}
	return nil
}

// nodeConn is a connection to a DataNode with a bound on every wait.
//
// For writers, a failed Write is kept to itself and swallows what follows: the
// library leaves goroutines behind when a write fails in the middle of a block,
// but ends in order when only the acknowledgements fail, as they do then, too.
// The owner of the file asks nodeError after each write.
type nodeConn struct {
	net.Conn
	timeout time.Duration
	swallow bool
	mu      struct {
		sync.Mutex
		err error
	}
}

func (n *nodeConn) fail(err error) {
	n.mu.Lock()
	if n.mu.err == nil {
		n.mu.err = err
	}
	n.mu.Unlock()
	_ = n.Conn.Close() // it is given up; nothing is lost by an error of Close
}

func (n *nodeConn) failure() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mu.err
}

// Read bounds the wait.
func (n *nodeConn) Read(p []byte) (int, error) {
	if err := n.failure(); err != nil {
		return 0, err
	}
	_ = n.SetReadDeadline(time.Now().Add(n.timeout)) // fails only when closed, as Read then does
	k, err := n.Conn.Read(p)
	if err != nil {
		n.fail(err)
	}
	return k, err
}

// Write bounds the wait.
func (n *nodeConn) Write(p []byte) (int, error) {
	err := n.failure()
	if err == nil {
		_ = n.SetWriteDeadline(time.Now().Add(n.timeout)) // fails only when closed, as Write then does
		if _, err = n.Conn.Write(p); err != nil {
			n.fail(err)
		}
	}
	if err != nil && !n.swallow {
		return 0, err
	}
	return len(p), nil
}

// Close ends the connection in order.
func (n *nodeConn) Close() error { return n.Conn.Close() }

// SetDeadline is ignored: the library sets none that means anything here.
func (n *nodeConn) SetDeadline(time.Time) error { return nil }
