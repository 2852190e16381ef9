package yarntest

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	"goflink/hadooprpc"
	pb "goflink/hadooprpc/proto/yarnproto"
	"goflink/hadooprpc/rpctest"
	"goflink/yarnrpc"
)

// handleNM answers as the NodeManager of a node.
func (c *Cluster) handleNM(n *node, call *rpctest.Call) (proto.Message, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if take(&c.mu.faults.notReady) {
		return nil, rpctest.Error(yarnExceptions+"NMNotYetReadyException", "Rejecting new containers as NodeManager has not yet connected with ResourceManager")
	}
	_, attemptText, _ := strings.Cut(strings.TrimPrefix(string(call.Token), "nm "), " ")
	attempt, err := yarnrpc.ParseAttemptID(attemptText)
	if err != nil || string(call.Token) != nmTokenID(attempt, n.id) {
		return nil, rpctest.Error("org.apache.hadoop.security.token.SecretManager$InvalidToken", "Given NMToken is not valid for this node")
	}
	switch call.Method {
	case "startContainers":
		return c.startContainers(n, attempt, call)
	case "stopContainers":
		return c.stopContainers(n, attempt, call)
	case "getContainerStatuses":
		return c.statuses(n, attempt, call)
	}
	return nil, rpctest.Error("org.apache.hadoop.ipc.RpcNoSuchMethodException", "Unknown method "+call.Method)
}

func failed(id *pb.ContainerIdProto, err error) *pb.ContainerExceptionMapProto {
	class, msg := "org.apache.hadoop.yarn.exceptions.YarnException", err.Error()
	var re *hadooprpc.RemoteError
	if errors.As(err, &re) {
		class, msg = re.Class, re.Message
	}
	return &pb.ContainerExceptionMapProto{
		ContainerId: id, Exception: &pb.SerializedExceptionProto{ClassName: proto.String(class), Message: proto.String(msg)},
	}
}

// yarnError is an exception with Hadoop's own words, which clients look into.
func yarnError(msg string) error { return rpctest.Error(yarnExceptions+"YarnException", msg) }

func (c *Cluster) startContainers(n *node, attempt yarnrpc.AttemptID, call *rpctest.Call) (proto.Message, error) {
	req := &pb.StartContainersRequestProto{}
	if err := call.Decode(req); err != nil {
		return nil, err
	}
	resp := &pb.StartContainersResponseProto{}
	for _, r := range req.GetStartContainerRequest() {
		id, err := c.startOne(n, attempt, r)
		if err != nil {
			resp.FailedRequests = append(resp.FailedRequests, failed(containerProto(id), err))
			continue
		}
		resp.SucceededRequests = append(resp.SucceededRequests, containerProto(id))
	}
	return resp, nil
}

func (c *Cluster) startOne(n *node, attempt yarnrpc.AttemptID, r *pb.StartContainerRequestProto) (yarnrpc.ContainerID, error) {
	id, err := yarnrpc.ParseContainerID(string(r.GetContainerToken().GetIdentifier()))
	if err != nil {
		return id, err
	}
	ct := c.mu.containers[id]
	switch {
	case ct == nil || ct.node != n || ct.id.Attempt.App != attempt.App:
		return id, rpctest.Error(yarnExceptions+"InvalidContainerException", "Container "+id.String()+" rejected as it is not for this node")
	case ct.state == yarnrpc.ContainerRunning:
		return id, yarnError(fmt.Sprintf("Container %s already is running on this node!!", id))
	case ct.state == yarnrpc.ContainerComplete:
		return id, yarnError(fmt.Sprintf("Attempt to relaunch the same container with id %s.", id))
	case take(&c.mu.faults.failStarts):
		return id, c.mu.faults.startError
	}
	c.startContainer(ct, r.GetContainerLaunchContext())
	return id, nil
}

func (c *Cluster) stopContainers(n *node, attempt yarnrpc.AttemptID, call *rpctest.Call) (proto.Message, error) {
	req := &pb.StopContainersRequestProto{}
	if err := call.Decode(req); err != nil {
		return nil, err
	}
	resp := &pb.StopContainersResponseProto{}
	for _, id := range req.GetContainerId() {
		ct, err := c.onNode(n, attempt, id)
		if err != nil {
			resp.FailedRequests = append(resp.FailedRequests, failed(id, err))
			continue
		}
		c.end(ct, yarnrpc.ExitKilledByAM, "Container killed by the ApplicationMaster.")
		resp.SucceededRequests = append(resp.SucceededRequests, id)
	}
	return resp, nil
}

func (c *Cluster) onNode(n *node, attempt yarnrpc.AttemptID, id *pb.ContainerIdProto) (*container, error) {
	ct := c.mu.containers[containerID(id)]
	if ct == nil || ct.node != n || ct.app.id != attempt.App || ct.state == yarnrpc.ContainerNew {
		return nil, yarnError(fmt.Sprintf("Container %s is not handled by this NodeManager", containerID(id)))
	}
	return ct, nil
}

func (c *Cluster) statuses(n *node, attempt yarnrpc.AttemptID, call *rpctest.Call) (proto.Message, error) {
	req := &pb.GetContainerStatusesRequestProto{}
	if err := call.Decode(req); err != nil {
		return nil, err
	}
	resp := &pb.GetContainerStatusesResponseProto{}
	for _, id := range req.GetContainerId() {
		ct, err := c.onNode(n, attempt, id)
		if err != nil {
			resp.FailedRequests = append(resp.FailedRequests, failed(id, err))
			continue
		}
		resp.Status = append(resp.Status, ct.status())
	}
	return resp, nil
}

// startContainer books a container as running and starts its process if there are any; mu is held.
func (c *Cluster) startContainer(ct *container, launch *pb.ContainerLaunchContextProto) {
	ct.state, ct.launch = yarnrpc.ContainerRunning, launch
	if !c.o.Processes || c.mu.closed {
		return
	}
	p, err := startProcess(c.o.Dir, ct)
	if err != nil {
		c.end(ct, yarnrpc.ExitInvalid, err.Error())
		return
	}
	ct.process = p
	c.processes.Go(func() {
		exit := p.wait()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.end(ct, exit, fmt.Sprintf("Exception from container-launch.\nContainer id: %s\nExit code: %d\n", ct.id, exit))
	})
}

// kill ends the process of a container; mu is held.
func (c *Cluster) kill(ct *container) {
	if ct.process == nil || ct.process.killed {
		return
	}
	p := ct.process
	p.killed = true
	c.processes.Go(p.kill)
}
