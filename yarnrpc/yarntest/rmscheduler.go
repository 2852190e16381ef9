package yarntest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"goflink/hadooprpc"
	pb "goflink/hadooprpc/proto/yarnproto"
	"goflink/hadooprpc/rpctest"
	"goflink/yarnrpc"
)

// handleAM answers ApplicationMasters.
func (c *Cluster) handleAM(_ context.Context, call *rpctest.Call) (proto.Message, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, err := c.caller(call)
	if err != nil {
		return nil, err
	}
	switch call.Method {
	case "registerApplicationMaster":
		return c.register(a, call)
	case "allocate":
		return c.heartbeat(a, call)
	case "finishApplicationMaster":
		return c.unregister(a, call)
	}
	return nil, rpctest.Error("org.apache.hadoop.ipc.RpcNoSuchMethodException", "Unknown method "+call.Method)
}

// caller finds the application whose token authenticated the connection. A connection of a former attempt may
// still be open.
func (c *Cluster) caller(call *rpctest.Call) (*app, error) {
	attempt, err := yarnrpc.ParseAttemptID(strings.TrimPrefix(string(call.Token), "am "))
	if err != nil {
		return nil, err
	}
	a := c.mu.apps[attempt.App]
	if a == nil || a.attempt != attempt || a.state.Ended() {
		return nil, rpctest.Error(yarnExceptions+"ApplicationAttemptNotFoundException",
			fmt.Sprintf("Application attempt %s doesn't exist in ApplicationMasterService cache.", attempt))
	}
	return a, nil
}

func (c *Cluster) register(a *app, call *rpctest.Call) (proto.Message, error) {
	req := &pb.RegisterApplicationMasterRequestProto{}
	if err := call.Decode(req); err != nil {
		return nil, err
	}
	if a.registered {
		return nil, rpctest.Error(yarnExceptions+"InvalidApplicationMasterRequestException",
			"Application Master is already registered : "+a.id.String())
	}
	a.registered, a.state = true, yarnrpc.AppRunning
	a.host, a.port, a.trackingURL = req.GetHost(), req.GetRpcPort(), req.GetTrackingUrl()
	resp := &pb.RegisterApplicationMasterResponseProto{MaximumCapability: resourceProto(c.o.Maximum), Queue: proto.String(a.submitted.GetQueue())}
	if !a.submitted.GetKeepContainersAcrossApplicationAttempts() {
		return resp, nil
	}
	for _, ct := range c.sortedContainers() {
		if ct.app == a && !ct.master && ct.state == yarnrpc.ContainerRunning {
			resp.ContainersFromPreviousAttempts = append(resp.ContainersFromPreviousAttempts, ct.proto())
			resp.NmTokensFromPreviousAttempts = append(resp.NmTokensFromPreviousAttempts, c.nmToken(a, ct.node)...)
		}
	}
	return resp, nil
}

// nmToken gives the token for a node the first time an attempt needs it; mu is held.
func (c *Cluster) nmToken(a *app, n *node) []*pb.NMTokenProto {
	if a.nmTokens[n.id] {
		return nil
	}
	a.nmTokens[n.id] = true
	t := c.issue(hadooprpc.KindNM, nmTokenID(a.attempt, n.id))
	return []*pb.NMTokenProto{{NodeId: nodeProto(n.id), Token: t.Proto()}}
}

func (c *Cluster) heartbeat(a *app, call *rpctest.Call) (proto.Message, error) {
	req := &pb.AllocateRequestProto{}
	if err := call.Decode(req); err != nil {
		return nil, err
	}
	c.mu.beats++
	if !a.registered {
		return nil, rpctest.Error(yarnExceptions+"ApplicationMasterNotRegisteredException",
			"AM is not registered for known application attempt: "+a.attempt.String()+" or RM had restarted after AM registered.")
	}
	if req.GetResponseId()+1 == a.responseID && a.last != nil {
		return c.answer(a)
	}
	if req.GetResponseId() != a.responseID {
		return nil, rpctest.Error(yarnExceptions+"InvalidApplicationMasterRequestException",
			fmt.Sprintf("Invalid responseId in AllocateRequest from application attempt: %s, expect responseId to be %d, but get %d", a.attempt, a.responseID, req.GetResponseId()))
	}
	if err := c.book(a, req); err != nil {
		return nil, err
	}
	c.fill(a)
	a.last = c.news(a)
	return c.answer(a)
}

// answer sends the last answer, unless it is to be lost.
func (c *Cluster) answer(a *app) (proto.Message, error) {
	if take(&c.mu.faults.dropAnswers) {
		return nil, rpctest.ErrDrop
	}
	return a.last, nil
}

// book takes asks and releases over.
func (c *Cluster) book(a *app, req *pb.AllocateRequestProto) error {
	a.progress = req.GetProgress()
	if req.TrackingUrl != nil {
		a.trackingURL = req.GetTrackingUrl()
	}
	for _, q := range req.GetAsk() {
		r := q.GetCapability()
		if r.GetMemory() > c.o.Maximum.MemoryMB || r.GetVirtualCores() > c.o.Maximum.VCores || r.GetMemory() < 0 {
			return rpctest.Error(yarnExceptions+"InvalidResourceRequestException", fmt.Sprintf("Invalid resource request! Requested %v, maximum %s", r, c.o.Maximum))
		}
	}
	for _, q := range req.GetAsk() {
		r := q.GetCapability()
		key := fmt.Sprintf("%09d %s %d %d", q.GetPriority().GetPriority(), q.GetResourceName(), r.GetMemory(), r.GetVirtualCores())
		a.asks[key] = &request{proto: q, count: int(q.GetNumContainers()), extra: c.mu.faults.overAllocate}
	}
	for _, id := range req.GetRelease() {
		if ct := c.mu.containers[containerID(id)]; ct != nil && ct.app == a {
			c.end(ct, yarnrpc.ExitAborted, "Container released by application")
		}
	}
	return nil
}

// fill allocates containers for the asks that are old enough: the first heartbeat only leaves its asks.
func (c *Cluster) fill(a *app) {
	if c.mu.faults.holdUp {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(a.asks)) {
		q := a.asks[key]
		q.age++
		if q.age <= 1+c.mu.faults.delay || q.count == 0 {
			continue
		}
		r := q.proto.GetCapability()
		for q.count > 0 || q.extra > 0 {
			ct := c.allocate(a, yarnrpc.Resource{MemoryMB: r.GetMemory(), VCores: r.GetVirtualCores()}, q.proto.GetPriority().GetPriority())
			if ct == nil {
				break
			}
			a.ready = append(a.ready, ct)
			if q.count > 0 {
				q.count--
			} else {
				q.extra--
			}
		}
	}
}

// news is the answer to a heartbeat.
func (c *Cluster) news(a *app) *pb.AllocateResponseProto {
	a.responseID++
	resp := &pb.AllocateResponseProto{
		ResponseId: proto.Int32(a.responseID), NumClusterNodes: proto.Int32(int32(len(c.mu.nodes))),
		Limit: resourceProto(c.o.Maximum), CompletedContainerStatuses: a.ends,
	}
	for _, ct := range a.ready {
		resp.AllocatedContainers = append(resp.AllocatedContainers, ct.proto())
		resp.NmTokens = append(resp.NmTokens, c.nmToken(a, ct.node)...)
	}
	if a.newToken != nil {
		resp.AmRmToken = a.newToken.Proto()
	}
	a.ready, a.ends, a.newToken = nil, nil, nil
	return resp
}

// unregister answers "not yet" once, as a real ResourceManager does while it stores the end.
func (c *Cluster) unregister(a *app, call *rpctest.Call) (proto.Message, error) {
	req := &pb.FinishApplicationMasterRequestProto{}
	if err := call.Decode(req); err != nil {
		return nil, err
	}
	if !a.registered {
		return nil, rpctest.Error(yarnExceptions+"ApplicationMasterNotRegisteredException", "Application Master is trying to unregister before registering for: "+a.id.String())
	}
	a.unregisters++
	if a.unregisters == 1 {
		return &pb.FinishApplicationMasterResponseProto{IsUnregistered: proto.Bool(false)}, nil
	}
	if req.GetTrackingUrl() != "" {
		a.trackingURL = req.GetTrackingUrl()
	}
	c.finish(a, yarnrpc.AppFinished, req.GetFinalApplicationStatus(), req.GetDiagnostics())
	return &pb.FinishApplicationMasterResponseProto{IsUnregistered: proto.Bool(true)}, nil
}
