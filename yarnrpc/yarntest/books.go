package yarntest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"goflink/hadooprpc"
	"goflink/hadooprpc/proto/hadoopproto"
	pb "goflink/hadooprpc/proto/yarnproto"
	"goflink/yarnrpc"
)

// app is an application and its current attempt.
type app struct {
	id          yarnrpc.ApplicationID
	user        string
	submitted   *pb.ApplicationSubmissionContextProto
	state       yarnrpc.AppState
	final       pb.FinalApplicationStatusProto
	diagnostics string
	started     time.Time
	finished    time.Time
	failures    int32 // attempts that count
	unregisters int   // calls of finishApplicationMaster
	host        string
	port        int32
	trackingURL string
	progress    float32

	attempt    yarnrpc.AttemptID
	master     yarnrpc.ContainerID
	token      *hadooprpc.Token
	newToken   *hadooprpc.Token // to be sent with the next heartbeat
	registered bool
	responseID int32
	last       *pb.AllocateResponseProto
	asks       map[string]*request
	ready      []*container               // allocated, not handed over yet
	ends       []*pb.ContainerStatusProto // to be reported
	nmTokens   map[yarnrpc.NodeID]bool    // nodes for which this attempt has a token
}

// request is an absolute ask.
type request struct {
	proto *pb.ResourceRequestProto
	count int
	age   int // heartbeats since it was changed
	extra int // over-allocations to come
}

// newAttempt resets what belongs to an attempt.
func (a *app) newAttempt(c *Cluster) {
	a.attempt = yarnrpc.AttemptID{App: a.id, Attempt: a.attempt.Attempt + 1}
	a.token, a.newToken = c.issue(hadooprpc.KindAMRM, amTokenID(a.attempt)), nil
	a.nmTokens = map[yarnrpc.NodeID]bool{}
	a.host, a.port, a.trackingURL = "N/A", -1, ""
	if !a.submitted.GetKeepContainersAcrossApplicationAttempts() {
		a.ends = nil // its containers were the former attempt's affair
	}
	a.state = yarnrpc.AppAccepted
	a.forget()
}

// forget is what a restart of the ResourceManager does to an application.
func (a *app) forget() {
	a.registered, a.responseID, a.last = false, 0, nil
	a.asks, a.ready = map[string]*request{}, nil
	a.nmTokens = map[yarnrpc.NodeID]bool{}
}

func amTokenID(a yarnrpc.AttemptID) string { return "am " + a.String() }

func nmTokenID(a yarnrpc.AttemptID, n yarnrpc.NodeID) string {
	return "nm " + n.String() + " " + a.String()
}

// container is an allocated container.
type container struct {
	id       yarnrpc.ContainerID
	app      *app
	node     *node
	resource yarnrpc.Resource
	priority int32
	state    yarnrpc.ContainerState
	exit     int32
	diag     string
	master   bool
	launch   *pb.ContainerLaunchContextProto
	process  *process
}

func (ct *container) info() Info {
	i := Info{
		ID: ct.id, Node: ct.node.id, State: ct.state, Resource: ct.resource, Priority: ct.priority, Exit: ct.exit, Master: ct.master,
		Env: map[string]string{},
	}
	for _, e := range ct.launch.GetEnvironment() {
		i.Env[e.GetKey()] = e.GetValue()
	}
	if cmd := ct.launch.GetCommand(); len(cmd) > 0 {
		i.Command = cmd[0]
	}
	if ct.process != nil {
		i.Dir, i.PID = ct.process.dir, ct.process.pid()
	}
	return i
}

func (ct *container) proto() *pb.ContainerProto {
	return &pb.ContainerProto{
		Id: containerProto(ct.id), NodeId: nodeProto(ct.node.id), NodeHttpAddress: proto.String(ct.node.id.Host + ":8042"),
		Resource: &pb.ResourceProto{Memory: proto.Int64(ct.resource.MemoryMB), VirtualCores: proto.Int32(ct.resource.VCores)},
		Priority: &pb.PriorityProto{Priority: proto.Int32(ct.priority)},
		ContainerToken: &hadoopproto.TokenProto{
			Identifier: []byte(ct.id.String()), Password: []byte("container password"), Kind: proto.String(hadooprpc.KindContainer),
			Service: proto.String(ct.node.id.String()),
		},
	}
}

func (ct *container) status() *pb.ContainerStatusProto {
	s := &pb.ContainerStatusProto{ContainerId: containerProto(ct.id), ExitStatus: proto.Int32(ct.exit), Diagnostics: proto.String(ct.diag)}
	switch ct.state {
	case yarnrpc.ContainerComplete:
		s.State = pb.ContainerStateProto_C_COMPLETE.Enum()
	case yarnrpc.ContainerRunning:
		s.State = pb.ContainerStateProto_C_RUNNING.Enum()
	default:
		s.State = pb.ContainerStateProto_C_NEW.Enum()
	}
	return s
}

// allocate makes a container on the node with the most free memory; nil if none fits. mu is held.
func (c *Cluster) allocate(a *app, r yarnrpc.Resource, priority int32) *container {
	r.MemoryMB = (r.MemoryMB + c.o.Minimum - 1) / c.o.Minimum * c.o.Minimum
	var best *node
	var most int64
	for _, n := range c.mu.nodes {
		free := c.free(n)
		if !n.lost && r.Fits(free) && (best == nil || free.MemoryMB > most) {
			best, most = n, free.MemoryMB
		}
	}
	if best == nil {
		return nil
	}
	c.mu.lastContainer++
	ct := &container{
		id:  yarnrpc.ContainerID{Attempt: a.attempt, ID: c.mu.epoch<<40 | c.mu.lastContainer},
		app: a, node: best, resource: r, priority: priority, state: yarnrpc.ContainerNew,
	}
	c.mu.containers[ct.id] = ct
	return ct
}

// free is what a node has left; mu is held.
func (c *Cluster) free(n *node) yarnrpc.Resource {
	r := c.o.NodeSize
	for _, ct := range c.mu.containers {
		if ct.node == n && ct.state != yarnrpc.ContainerComplete {
			r.MemoryMB -= ct.resource.MemoryMB
			r.VCores -= ct.resource.VCores
		}
	}
	return r
}

// end books the end of a container and kills its process; mu is held. A second end changes nothing.
func (c *Cluster) end(ct *container, exit int32, diagnostics string) {
	if ct == nil || ct.state == yarnrpc.ContainerComplete {
		return
	}
	ct.state, ct.exit, ct.diag = yarnrpc.ContainerComplete, exit, diagnostics
	c.kill(ct)
	a := ct.app
	if ct.master {
		if ct.id == a.master {
			c.masterEnded(a, fmt.Sprintf("AM Container for %s exited with exitCode: %d. %s", a.attempt, exit, diagnostics))
		}
		return
	}
	a.ready = slices.DeleteFunc(a.ready, func(r *container) bool { return r == ct })
	a.ends = append(a.ends, ct.status())
	if c.mu.faults.repeatEnds {
		a.ends = append(a.ends, ct.status())
	}
}

// masterEnded starts the next attempt, or ends the application; mu is held.
func (c *Cluster) masterEnded(a *app, diagnostics string) {
	if a.state.Ended() {
		return
	}
	limit := c.o.Attempts
	if n := a.submitted.GetMaxAppAttempts(); n > 0 {
		limit = min(limit, n)
	}
	a.failures++
	keep := a.submitted.GetKeepContainersAcrossApplicationAttempts() && a.failures < limit
	for _, ct := range c.sortedContainers() {
		if ct.app != a || ct.master || ct.state == yarnrpc.ContainerComplete {
			continue
		}
		if !keep || ct.state != yarnrpc.ContainerRunning {
			c.end(ct, yarnrpc.ExitAborted, "Container of a completed application")
		}
	}
	delete(c.mu.tokens, amTokenID(a.attempt))
	if a.failures >= limit {
		c.finish(a, yarnrpc.AppFailed, pb.FinalApplicationStatusProto_APP_FAILED,
			fmt.Sprintf("Application %s failed %d times due to %s", a.id, a.failures, diagnostics))
		return
	}
	c.startMaster(a)
}

// finish ends an application with all its containers; mu is held.
func (c *Cluster) finish(a *app, state yarnrpc.AppState, final pb.FinalApplicationStatusProto, diagnostics string) {
	a.state, a.final, a.diagnostics, a.finished = state, final, diagnostics, time.Now()
	delete(c.mu.tokens, amTokenID(a.attempt))
	for _, ct := range c.sortedContainers() {
		// A real process that has unregistered may end by itself.
		if ct.app == a && !(ct.master && state == yarnrpc.AppFinished && c.o.Processes) {
			c.end(ct, yarnrpc.ExitAfterAppCompleted, "Container of a completed application")
		}
	}
}

// startMaster begins a new attempt; mu is held.
func (c *Cluster) startMaster(a *app) {
	a.newAttempt(c)
	r := a.submitted.GetResource()
	ct := c.allocate(a, yarnrpc.Resource{MemoryMB: r.GetMemory(), VCores: r.GetVirtualCores()}, 0)
	if ct == nil {
		return // it waits for room for ever, as on a real cluster that stays full
	}
	ct.master, a.master = true, ct.id
	launch := proto.CloneOf(a.submitted.GetAmContainerSpec())
	if err := addToken(launch, a.token); err != nil {
		c.finish(a, yarnrpc.AppFailed, pb.FinalApplicationStatusProto_APP_FAILED, err.Error())
		return
	}
	c.startContainer(ct, launch)
}

// addToken appends the AMRMToken to the tokens of a launch context, under an empty alias.
func addToken(l *pb.ContainerLaunchContextProto, t *hadooprpc.Token) error {
	creds := &hadooprpc.Credentials{}
	if len(l.GetTokens()) > 0 {
		var err error
		if creds, err = hadooprpc.ParseCredentials(l.GetTokens()); err != nil {
			return err
		}
	}
	creds.AddToken("", t)
	l.Tokens = creds.Bytes()
	return nil
}

func (c *Cluster) sortedContainers() []*container {
	return slices.SortedFunc(maps.Values(c.mu.containers), func(a, b *container) int {
		return cmp.Or(cmp.Compare(a.id.Attempt.App.ID, b.id.Attempt.App.ID), cmp.Compare(a.id.ID, b.id.ID))
	})
}

func appProto(a yarnrpc.ApplicationID) *pb.ApplicationIdProto {
	return &pb.ApplicationIdProto{Id: proto.Int32(a.ID), ClusterTimestamp: proto.Int64(a.ClusterTimestamp)}
}

func attemptProto(a yarnrpc.AttemptID) *pb.ApplicationAttemptIdProto {
	return &pb.ApplicationAttemptIdProto{ApplicationId: appProto(a.App), AttemptId: proto.Int32(a.Attempt)}
}

func containerProto(id yarnrpc.ContainerID) *pb.ContainerIdProto {
	return &pb.ContainerIdProto{AppAttemptId: attemptProto(id.Attempt), Id: proto.Int64(id.ID)}
}

func nodeProto(n yarnrpc.NodeID) *pb.NodeIdProto {
	return &pb.NodeIdProto{Host: proto.String(n.Host), Port: proto.Int32(n.Port)}
}

func appID(p *pb.ApplicationIdProto) yarnrpc.ApplicationID {
	return yarnrpc.ApplicationID{ClusterTimestamp: p.GetClusterTimestamp(), ID: p.GetId()}
}

func containerID(p *pb.ContainerIdProto) yarnrpc.ContainerID {
	at := p.GetAppAttemptId()
	return yarnrpc.ContainerID{Attempt: yarnrpc.AttemptID{App: appID(at.GetApplicationId()), Attempt: at.GetAttemptId()}, ID: p.GetId()}
}
