// Package yarntest is a small YARN cluster in one process: a ResourceManager and NodeManagers that speak the wire
// (over hadooprpc/rpctest), for fast tests of clients and ApplicationMasters without Java. It keeps the rules
// that a real cluster keeps (registration, response ids, absolute asks, tokens, attempts), and it can be told to
// misbehave as real ones do: over-allocate, be late, repeat, forget, restart, lose containers and nodes.
//
// Containers exist in the books only, and end when the test says so (Complete), or, with Options.Processes, are
// real local processes started as a NodeManager starts them.
//
// Goroutines: those of the RPC servers, and one for each process, which waits for its end. Close ends and waits
// for all. Lock: Cluster.mu guards all books; no call leaves the package while it is held, except the start of a
// process.
package yarntest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"

	"google.golang.org/protobuf/proto"

	"goflink/hadooprpc"
	"goflink/hadooprpc/rpctest"
	"goflink/yarnrpc"
)

// Options configure a cluster.
type Options struct {
	Nodes     int              // default 2
	NodeSize  yarnrpc.Resource // of each node; default 8192 MB, 8 vcores
	Maximum   yarnrpc.Resource // largest container; default NodeSize
	Minimum   int64            // containers are rounded up to multiples of so many MB; default 1
	Queues    []string         // default "default"
	Attempts  int32            // the ResourceManager's maximum of attempts; default 2
	Processes bool             // run containers, the ApplicationMaster's too, as local processes
	Dir       string           // with Processes: where their folders are made
}

func (o *Options) setDefaults() {
	if o.Nodes == 0 {
		o.Nodes = 2
	}
	if o.NodeSize == (yarnrpc.Resource{}) {
		o.NodeSize = yarnrpc.Resource{MemoryMB: 8192, VCores: 8}
	}
	if o.Maximum == (yarnrpc.Resource{}) {
		o.Maximum = o.NodeSize
	}
	if len(o.Queues) == 0 {
		o.Queues = []string{"default"}
	}
	if o.Attempts == 0 {
		o.Attempts = 2
	}
	o.Minimum = max(o.Minimum, 1)
}

// clusterTimestamp is the start of every test cluster, for ids that read well.
const clusterTimestamp = 1700000000000

// Cluster is a running cluster.
type Cluster struct {
	o         Options
	processes sync.WaitGroup

	mu struct {
		sync.Mutex
		rm, scheduler         *rpctest.Server // nil while the ResourceManager is down
		rmAddr, schedulerAddr string
		nodes                 []*node
		apps                  map[yarnrpc.ApplicationID]*app
		containers            map[yarnrpc.ContainerID]*container
		tokens                map[string][]byte // password by identifier
		lastApp               int32
		lastContainer         int64
		epoch                 int64
		beats                 int // heartbeats of all ApplicationMasters
		faults                faults
		closed                bool
	}
}

// node is a NodeManager.
type node struct {
	id     yarnrpc.NodeID
	server *rpctest.Server
	lost   bool
}

// Start starts a cluster.
func Start(o Options) (*Cluster, error) {
	o.setDefaults()
	if o.Processes {
		if _, err := os.Stat(o.Dir); err != nil {
			return nil, fmt.Errorf("yarntest: folder for containers: %w", err)
		}
	}
	c := &Cluster{o: o}
	c.mu.apps = map[yarnrpc.ApplicationID]*app{}
	c.mu.containers = map[yarnrpc.ContainerID]*container{}
	c.mu.tokens = map[string][]byte{}
	c.mu.rmAddr, c.mu.schedulerAddr = "127.0.0.1:0", "127.0.0.1:0"
	if err := c.StartRM(); err != nil {
		return nil, err
	}
	for range o.Nodes {
		if err := c.addNode(); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	return c, nil
}

func (c *Cluster) addNode() error {
	n := &node{}
	s, err := rpctest.Start(rpctest.Options{
		Methods: []string{rpctest.Token}, Password: c.password,
		Handle: func(_ context.Context, call *rpctest.Call) (proto.Message, error) { return c.handleNM(n, call) },
	})
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(s.Addr())
	if err != nil {
		return err
	}
	p, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n.id, n.server = yarnrpc.NodeID{Host: host, Port: int32(p)}, s
	c.mu.nodes = append(c.mu.nodes, n)
	return nil
}

// StartRM starts the ResourceManager after StopRM, under its former addresses.
func (c *Cluster) StartRM() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.rm != nil || c.mu.closed {
		return errors.New("yarntest: the ResourceManager runs already, or the cluster is closed")
	}
	rm, err := rpctest.Start(rpctest.Options{Addr: c.mu.rmAddr, Handle: c.handleClient})
	if err != nil {
		return err
	}
	scheduler, err := rpctest.Start(rpctest.Options{
		Addr: c.mu.schedulerAddr, Methods: []string{rpctest.Token}, Password: c.password, Handle: c.handleAM,
	})
	if err != nil {
		return errors.Join(err, rm.Close())
	}
	c.mu.rm, c.mu.scheduler = rm, scheduler
	c.mu.rmAddr, c.mu.schedulerAddr = rm.Addr(), scheduler.Addr()
	return nil
}

// StopRM stops the ResourceManager. With its restart it forgets, as a real one does: who is registered, what was
// asked for, and the containers that no NodeManager has started. The applications and the containers that run
// are known again.
func (c *Cluster) StopRM() error {
	c.mu.Lock()
	rm, scheduler := c.mu.rm, c.mu.scheduler
	c.mu.rm, c.mu.scheduler = nil, nil
	c.mu.epoch++
	c.mu.lastContainer = 0
	for _, a := range c.mu.apps {
		a.forget()
	}
	for id, ct := range c.mu.containers {
		if ct.state == yarnrpc.ContainerNew && !ct.master {
			delete(c.mu.containers, id)
		}
	}
	c.mu.Unlock()
	if rm == nil {
		return nil
	}
	return errors.Join(rm.Close(), scheduler.Close())
}

// RestartRM is StopRM and StartRM.
func (c *Cluster) RestartRM() error {
	if err := c.StopRM(); err != nil {
		return err
	}
	return c.StartRM()
}

// Close ends everything, processes too.
func (c *Cluster) Close() error {
	err := c.StopRM()
	c.mu.Lock()
	c.mu.closed = true
	nodes := slices.Clone(c.mu.nodes)
	for _, ct := range c.mu.containers {
		c.kill(ct)
	}
	c.mu.Unlock()
	for _, n := range nodes {
		if !n.lost {
			err = errors.Join(err, n.server.Close())
		}
	}
	c.processes.Wait()
	return err
}

// Conf is the configuration of the cluster's clients.
func (c *Cluster) Conf() *hadooprpc.Conf {
	c.mu.Lock()
	defer c.mu.Unlock()
	return hadooprpc.NewConf(map[string]string{
		"yarn.resourcemanager.address":           c.mu.rmAddr,
		"yarn.resourcemanager.scheduler.address": c.mu.schedulerAddr,
	})
}

// password looks a token up for the RPC servers.
func (c *Cluster) password(identifier []byte) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, ok := c.mu.tokens[string(identifier)]
	return p, ok
}

// issue makes a token; mu is held. Issued again, it has another password.
func (c *Cluster) issue(kind, identifier string) *hadooprpc.Token {
	pass := []byte(rand.Text())
	c.mu.tokens[identifier] = pass
	return &hadooprpc.Token{Identifier: []byte(identifier), Password: pass, Kind: kind}
}

// Nodes lists the nodes, lost ones too.
func (c *Cluster) Nodes() []yarnrpc.NodeID {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []yarnrpc.NodeID
	for _, n := range c.mu.nodes {
		out = append(out, n.id)
	}
	return out
}
