package yarntest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	pb "goflink/hadooprpc/proto/yarnproto"
	"goflink/hadooprpc/rpctest"
	"goflink/yarnrpc"
)

const yarnExceptions = "org.apache.hadoop.yarn.exceptions."

// handleClient answers users.
func (c *Cluster) handleClient(_ context.Context, call *rpctest.Call) (proto.Message, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch call.Method {
	case "getNewApplication":
		c.mu.lastApp++
		id := yarnrpc.ApplicationID{ClusterTimestamp: clusterTimestamp, ID: c.mu.lastApp}
		return &pb.GetNewApplicationResponseProto{ApplicationId: appProto(id), MaximumCapability: resourceProto(c.o.Maximum)}, nil
	case "submitApplication":
		return c.submit(call)
	case "getApplicationReport":
		return c.report(call)
	case "forceKillApplication":
		return c.forceKill(call)
	case "getApplications":
		return c.list(call)
	case "getClusterNodes":
		return c.nodeReports(), nil
	case "getClusterMetrics":
		return c.metrics(), nil
	case "getQueueInfo":
		return c.queue(call)
	}
	return nil, rpctest.Error("org.apache.hadoop.ipc.RpcNoSuchMethodException", "Unknown method "+call.Method)
}

func resourceProto(r yarnrpc.Resource) *pb.ResourceProto {
	return &pb.ResourceProto{Memory: proto.Int64(r.MemoryMB), VirtualCores: proto.Int32(r.VCores)}
}

func (c *Cluster) submit(call *rpctest.Call) (proto.Message, error) {
	req := &pb.SubmitApplicationRequestProto{}
	if err := call.Decode(req); err != nil {
		return nil, err
	}
	s := req.GetApplicationSubmissionContext()
	id := appID(s.GetApplicationId())
	if c.mu.apps[id] != nil {
		return &pb.SubmitApplicationResponseProto{}, nil
	}
	r := s.GetResource()
	if r.GetMemory() > c.o.Maximum.MemoryMB || int64(r.GetVirtualCores()) > int64(c.o.Maximum.VCores) {
		return nil, rpctest.Error(yarnExceptions+"InvalidResourceRequestException",
			fmt.Sprintf("Invalid resource request! Cannot allocate containers as requested resource is greater than maximum allowed allocation. Requested memory %d, maximum %d", r.GetMemory(), c.o.Maximum.MemoryMB))
	}
	a := &app{id: id, user: call.User, submitted: s, started: time.Now(), final: pb.FinalApplicationStatusProto_APP_UNDEFINED}
	c.mu.apps[id] = a
	if q := s.GetQueue(); q != "" && !slices.Contains(c.o.Queues, q) {
		c.finish(a, yarnrpc.AppFailed, pb.FinalApplicationStatusProto_APP_FAILED,
			fmt.Sprintf("Application %s submitted by user %s to unknown queue: %s", id, call.User, q))
		return &pb.SubmitApplicationResponseProto{}, nil
	}
	c.startMaster(a)
	return &pb.SubmitApplicationResponseProto{}, nil
}

func (c *Cluster) find(id *pb.ApplicationIdProto) (*app, error) {
	if a := c.mu.apps[appID(id)]; a != nil {
		return a, nil
	}
	return nil, rpctest.Error(yarnExceptions+"ApplicationNotFoundException",
		fmt.Sprintf("Application with id '%s' doesn't exist in RM. Please check that the job submission was successful.", appID(id)))
}

func (c *Cluster) report(call *rpctest.Call) (proto.Message, error) {
	req := &pb.GetApplicationReportRequestProto{}
	if err := call.Decode(req); err != nil {
		return nil, err
	}
	a, err := c.find(req.GetApplicationId())
	if err != nil {
		return nil, err
	}
	return &pb.GetApplicationReportResponseProto{ApplicationReport: a.report()}, nil
}

func (a *app) report() *pb.ApplicationReportProto {
	state := pb.YarnApplicationStateProto(pb.YarnApplicationStateProto_value[string(a.state)])
	r := &pb.ApplicationReportProto{
		ApplicationId: appProto(a.id), User: proto.String(a.user), Queue: proto.String(a.submitted.GetQueue()),
		Name: proto.String(a.submitted.GetApplicationName()), Host: proto.String(a.host), RpcPort: proto.Int32(a.port),
		YarnApplicationState: state.Enum(), Diagnostics: proto.String(a.diagnostics), StartTime: proto.Int64(a.started.UnixMilli()),
		FinalApplicationStatus: a.final.Enum(), OriginalTrackingUrl: proto.String(a.trackingURL),
		TrackingUrl:                 proto.String("http://127.0.0.1:8088/proxy/" + a.id.String() + "/"),
		CurrentApplicationAttemptId: attemptProto(a.attempt), Progress: proto.Float32(a.progress),
		ApplicationType: proto.String(a.submitted.GetApplicationType()), ApplicationTags: a.submitted.GetApplicationTags(),
	}
	if !a.finished.IsZero() {
		r.FinishTime = proto.Int64(a.finished.UnixMilli())
	}
	return r
}

func (c *Cluster) forceKill(call *rpctest.Call) (proto.Message, error) {
	req := &pb.KillApplicationRequestProto{}
	if err := call.Decode(req); err != nil {
		return nil, err
	}
	a, err := c.find(req.GetApplicationId())
	if err != nil {
		return nil, err
	}
	done := a.state.Ended()
	if !done {
		c.finish(a, yarnrpc.AppKilled, pb.FinalApplicationStatusProto_APP_KILLED, "Application "+a.id.String()+" was killed by user "+call.User)
	}
	return &pb.KillApplicationResponseProto{IsKillCompleted: proto.Bool(done)}, nil
}

func (c *Cluster) list(call *rpctest.Call) (proto.Message, error) {
	req := &pb.GetApplicationsRequestProto{}
	if err := call.Decode(req); err != nil {
		return nil, err
	}
	resp := &pb.GetApplicationsResponseProto{}
	for n := int32(1); n <= c.mu.lastApp; n++ {
		a := c.mu.apps[yarnrpc.ApplicationID{ClusterTimestamp: clusterTimestamp, ID: n}]
		if a == nil || !matches(req, a.report()) {
			continue
		}
		resp.Applications = append(resp.Applications, a.report())
	}
	return resp, nil
}

func matches(req *pb.GetApplicationsRequestProto, r *pb.ApplicationReportProto) bool {
	tagged := len(req.GetApplicationTags()) == 0
	for _, t := range req.GetApplicationTags() {
		tagged = tagged || slices.Contains(r.GetApplicationTags(), t)
	}
	return tagged && among(req.GetApplicationTypes(), r.GetApplicationType()) && among(req.GetUsers(), r.GetUser()) &&
		among(req.GetQueues(), r.GetQueue()) && among(req.GetApplicationStates(), r.GetYarnApplicationState())
}

// among tells whether v is in a list, or the list is empty.
func among[T comparable](list []T, v T) bool { return len(list) == 0 || slices.Contains(list, v) }

func (c *Cluster) nodeReports() proto.Message {
	resp := &pb.GetClusterNodesResponseProto{}
	for _, n := range c.mu.nodes {
		if n.lost {
			continue
		}
		free := c.free(n)
		used := yarnrpc.Resource{MemoryMB: c.o.NodeSize.MemoryMB - free.MemoryMB, VCores: c.o.NodeSize.VCores - free.VCores}
		resp.NodeReports = append(resp.NodeReports, &pb.NodeReportProto{
			NodeId: nodeProto(n.id), HttpAddress: proto.String(n.id.Host + ":8042"), RackName: proto.String("/default-rack"),
			Used: resourceProto(used), Capability: resourceProto(c.o.NodeSize), NodeState: pb.NodeStateProto_NS_RUNNING.Enum(),
		})
	}
	return resp
}

func (c *Cluster) metrics() proto.Message {
	var active, lost int32
	for _, n := range c.mu.nodes {
		if n.lost {
			lost++
		} else {
			active++
		}
	}
	return &pb.GetClusterMetricsResponseProto{ClusterMetrics: &pb.YarnClusterMetricsProto{
		NumNodeManagers: proto.Int32(active), NumActiveNms: proto.Int32(active), NumLostNms: proto.Int32(lost),
	}}
}

func (c *Cluster) queue(call *rpctest.Call) (proto.Message, error) {
	req := &pb.GetQueueInfoRequestProto{}
	if err := call.Decode(req); err != nil {
		return nil, err
	}
	resp := &pb.GetQueueInfoResponseProto{}
	switch name := req.GetQueueName(); {
	case slices.Contains(c.o.Queues, name):
		resp.QueueInfo = c.leaf(name)
	case name == "root":
		resp.QueueInfo = &pb.QueueInfoProto{
			QueueName: proto.String(name), QueuePath: proto.String(name), State: pb.QueueStateProto_Q_RUNNING.Enum(),
			Capacity: proto.Float32(1), MaximumCapacity: proto.Float32(1), CurrentCapacity: proto.Float32(0),
		}
		for _, q := range c.o.Queues {
			resp.QueueInfo.ChildQueues = append(resp.QueueInfo.ChildQueues, c.leaf(q))
		}
	}
	return resp, nil
}

func (c *Cluster) leaf(name string) *pb.QueueInfoProto {
	return &pb.QueueInfoProto{
		QueueName: proto.String(name), QueuePath: proto.String("root." + name), State: pb.QueueStateProto_Q_RUNNING.Enum(),
		Capacity: proto.Float32(1 / float32(len(c.o.Queues))), MaximumCapacity: proto.Float32(1), CurrentCapacity: proto.Float32(0),
	}
}
