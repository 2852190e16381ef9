package yarntest

import (
	"fmt"
	"slices"

	"goflink/hadooprpc"
	"goflink/yarnrpc"
)

// faults are the ways in which the cluster misbehaves from now on.
type faults struct {
	overAllocate int
	delay        int
	repeatEnds   bool
	failStarts   int
	startError   *hadooprpc.RemoteError
	notReady     int
	dropAnswers  int
	holdUp       bool
}

// OverAllocate makes the ResourceManager give n containers more with the next answer to each ask, once an ask.
func (c *Cluster) OverAllocate(n int) { c.setFault(func(f *faults) { f.overAllocate = n }) }

// DelayAllocations makes an ask wait for n more heartbeats than the one that real clusters need at least.
func (c *Cluster) DelayAllocations(n int) { c.setFault(func(f *faults) { f.delay = n }) }

// HoldAllocations makes the ResourceManager give no containers at all while it is on, as a full queue does.
func (c *Cluster) HoldAllocations(on bool) { c.setFault(func(f *faults) { f.holdUp = on }) }

// RepeatEnds makes the end of each container be reported twice.
func (c *Cluster) RepeatEnds(on bool) { c.setFault(func(f *faults) { f.repeatEnds = on }) }

// FailStarts makes the next n starts of containers fail with an exception.
func (c *Cluster) FailStarts(n int, class, msg string) {
	c.setFault(func(f *faults) {
		f.failStarts, f.startError = n, &hadooprpc.RemoteError{Class: class, Message: msg}
	})
}

// NodesNotReady makes the next n calls to NodeManagers fail with NMNotYetReadyException.
func (c *Cluster) NodesNotReady(n int) { c.setFault(func(f *faults) { f.notReady = n }) }

// DropAnswers makes the connection break n times after a heartbeat was carried out, before its answer, also when
// it is asked for again.
func (c *Cluster) DropAnswers(n int) { c.setFault(func(f *faults) { f.dropAnswers = n }) }

func (c *Cluster) setFault(set func(*faults)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	set(&c.mu.faults)
}

// take counts a fault down and tells whether it strikes; mu is held.
func take(n *int) bool {
	if *n == 0 {
		return false
	}
	*n--
	return true
}

// Complete ends a container with an exit status, as if its process had ended. With Processes it is killed.
func (c *Cluster) Complete(id yarnrpc.ContainerID, exit int32, diagnostics string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	ct := c.mu.containers[id]
	if ct == nil {
		return fmt.Errorf("yarntest: no container %s", id)
	}
	c.end(ct, exit, diagnostics)
	return nil
}

// LoseNode makes a node vanish with all its containers.
func (c *Cluster) LoseNode(id yarnrpc.NodeID) error {
	c.mu.Lock()
	i := slices.IndexFunc(c.mu.nodes, func(n *node) bool { return n.id == id })
	if i < 0 {
		c.mu.Unlock()
		return fmt.Errorf("yarntest: no node %s", id)
	}
	n := c.mu.nodes[i]
	n.lost = true
	for _, ct := range c.sortedContainers() {
		if ct.node == n {
			c.end(ct, yarnrpc.ExitAborted, "Container released on a *lost* node")
		}
	}
	c.mu.Unlock()
	return n.server.Close()
}

// RollAMRMToken gives an application's attempt a new token with its next heartbeat. The old one is no longer
// good for new connections.
func (c *Cluster) RollAMRMToken(id yarnrpc.ApplicationID) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.mu.apps[id]
	if a == nil {
		return fmt.Errorf("yarntest: no application %s", id)
	}
	a.newToken = c.issue(hadooprpc.KindAMRM, amTokenID(a.attempt))
	a.token = a.newToken
	return nil
}

// FailAttempt ends an application's attempt as if its ApplicationMaster had died.
func (c *Cluster) FailAttempt(id yarnrpc.ApplicationID) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.mu.apps[id]
	if a == nil || a.state.Ended() {
		return fmt.Errorf("yarntest: no running application %s", id)
	}
	c.end(c.mu.containers[a.master], 1, "killed by the test")
	return nil
}

// DropConnections breaks all connections to the ResourceManager, which stays as it is.
func (c *Cluster) DropConnections() {
	c.mu.Lock()
	rm, scheduler := c.mu.rm, c.mu.scheduler
	c.mu.Unlock()
	if rm != nil {
		rm.DropConnections()
		scheduler.DropConnections()
	}
}

// AMToken gives the token of an application's current attempt, with which a test plays its ApplicationMaster.
func (c *Cluster) AMToken(id yarnrpc.ApplicationID) (yarnrpc.AttemptID, *hadooprpc.Token, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.mu.apps[id]
	if a == nil {
		return yarnrpc.AttemptID{}, nil, fmt.Errorf("yarntest: no application %s", id)
	}
	return a.attempt, a.token, nil
}

// Info describes a container, for tests.
type Info struct {
	ID       yarnrpc.ContainerID
	Node     yarnrpc.NodeID
	State    yarnrpc.ContainerState // NEW until it is started
	Resource yarnrpc.Resource
	Priority int32
	Exit     int32
	Master   bool // it is the ApplicationMaster's
	Command  string
	Env      map[string]string
	Dir      string // its folder, with Processes
	PID      int    // of its shell, with Processes
}

// Containers lists all containers that ever were, in the order of their ids.
func (c *Cluster) Containers() []Info {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Info
	for _, ct := range c.sortedContainers() {
		out = append(out, ct.info())
	}
	return out
}

// Live lists the workers' containers that have not ended, started or not.
func (c *Cluster) Live() []Info {
	return slices.DeleteFunc(c.Containers(), func(i Info) bool { return i.Master || i.State == yarnrpc.ContainerComplete })
}

// Outstanding is how many containers an application still wants, by the ResourceManager's books.
func (c *Cluster) Outstanding(id yarnrpc.ApplicationID) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	if a := c.mu.apps[id]; a != nil {
		for _, q := range a.asks {
			n += q.count
		}
	}
	return n
}

// Heartbeats counts the heartbeats of all ApplicationMasters.
func (c *Cluster) Heartbeats() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.beats
}
