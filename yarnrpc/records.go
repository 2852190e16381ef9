package yarnrpc

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"goflink/hadooprpc"
	"goflink/hadooprpc/proto/hadoopproto"
	pb "goflink/hadooprpc/proto/yarnproto"
)

// Resource is what a container has or asks for.
type Resource struct {
	MemoryMB int64
	VCores   int32
}

// String is the way Hadoop writes it.
func (r Resource) String() string { return fmt.Sprintf("<memory:%d, vCores:%d>", r.MemoryMB, r.VCores) }

// Fits tells whether r is within limit.
func (r Resource) Fits(limit Resource) bool {
	return r.MemoryMB <= limit.MemoryMB && r.VCores <= limit.VCores
}

func resourceToProto(r Resource) *pb.ResourceProto {
	return &pb.ResourceProto{Memory: proto.Int64(r.MemoryMB), VirtualCores: proto.Int32(r.VCores)}
}

func resourceFromProto(p *pb.ResourceProto) Resource {
	return Resource{MemoryMB: p.GetMemory(), VCores: p.GetVirtualCores()}
}

// Container is an allocated container.
type Container struct {
	ID          ContainerID
	Node        NodeID
	HTTPAddress string // of the NodeManager's web interface
	Resource    Resource
	Priority    int32 // of the ask that it answers
	token       *hadoopproto.TokenProto
}

func containerFromProto(p *pb.ContainerProto) Container {
	return Container{
		ID: containerIDFromProto(p.GetId()), Node: nodeFromProto(p.GetNodeId()), HTTPAddress: p.GetNodeHttpAddress(),
		Resource: resourceFromProto(p.GetResource()), Priority: p.GetPriority().GetPriority(), token: p.GetContainerToken(),
	}
}

func containersFromProto(ps []*pb.ContainerProto) []Container {
	var out []Container
	for _, p := range ps {
		out = append(out, containerFromProto(p))
	}
	return out
}

// Exit statuses that YARN gives to containers that did not end by themselves.
const (
	ExitInvalid           = -1000 // not started: localisation failed, or an invalid request
	ExitAborted           = -100  // released, node lost, or the application is complete
	ExitDisksFailed       = -101
	ExitPreempted         = -102
	ExitVirtualMemory     = -103
	ExitPhysicalMemory    = -104
	ExitKilledByAM        = -105
	ExitKilledByRM        = -106
	ExitAfterAppCompleted = -107
	ExitKilledByScheduler = -108
	ExitLogSize           = -109
)

// ContainerState is what a NodeManager says of a container.
type ContainerState string

// States of a container.
const (
	ContainerNew      ContainerState = "NEW"
	ContainerRunning  ContainerState = "RUNNING"
	ContainerComplete ContainerState = "COMPLETE"
)

// ContainerStatus is the state or the end of a container.
type ContainerStatus struct {
	ID          ContainerID
	State       ContainerState
	ExitStatus  int32
	Diagnostics string
}

func statusFromProto(p *pb.ContainerStatusProto) ContainerStatus {
	s := ContainerStatus{ID: containerIDFromProto(p.GetContainerId()), ExitStatus: p.GetExitStatus(), Diagnostics: p.GetDiagnostics()}
	switch p.GetState() {
	case pb.ContainerStateProto_C_RUNNING:
		s.State = ContainerRunning
	case pb.ContainerStateProto_C_COMPLETE:
		s.State = ContainerComplete
	default:
		s.State = ContainerNew
	}
	return s
}

// AppState is an application's state at the ResourceManager.
type AppState string

// States of an application.
const (
	AppNew       AppState = "NEW"
	AppNewSaving AppState = "NEW_SAVING"
	AppSubmitted AppState = "SUBMITTED"
	AppAccepted  AppState = "ACCEPTED"
	AppRunning   AppState = "RUNNING"
	AppFinished  AppState = "FINISHED"
	AppFailed    AppState = "FAILED"
	AppKilled    AppState = "KILLED"
)

// Ended tells whether the application is over.
func (s AppState) Ended() bool { return s == AppFinished || s == AppFailed || s == AppKilled }

// FinalStatus is an application's own verdict on itself.
type FinalStatus string

// Final statuses.
const (
	FinalUndefined FinalStatus = "UNDEFINED"
	FinalSucceeded FinalStatus = "SUCCEEDED"
	FinalFailed    FinalStatus = "FAILED"
	FinalKilled    FinalStatus = "KILLED"
)

var finalToProto = map[FinalStatus]pb.FinalApplicationStatusProto{
	FinalUndefined: pb.FinalApplicationStatusProto_APP_UNDEFINED, FinalSucceeded: pb.FinalApplicationStatusProto_APP_SUCCEEDED,
	FinalFailed: pb.FinalApplicationStatusProto_APP_FAILED, FinalKilled: pb.FinalApplicationStatusProto_APP_KILLED,
}

func finalFromProto(p pb.FinalApplicationStatusProto) FinalStatus {
	for s, v := range finalToProto {
		if v == p {
			return s
		}
	}
	return FinalUndefined
}

// Report is what the ResourceManager knows of an application. Without the right to view it most fields are
// empty or "N/A".
type Report struct {
	ID                  ApplicationID
	Attempt             AttemptID // the current one
	User, Queue, Name   string
	Type                string
	Tags                []string
	State               AppState
	FinalStatus         FinalStatus
	Host                string // the ApplicationMaster's, "N/A" before it registered
	RPCPort             int32  // of the ApplicationMaster, -1 before it registered
	TrackingURL         string // through the ResourceManager's proxy
	OriginalTrackingURL string // the ApplicationMaster's own
	Diagnostics         string
	StartTime           time.Time
	FinishTime          time.Time // zero while it runs
	Progress            float32   // 0 to 1
	Used                Resource
	UsedContainers      int32
	ClientToAMToken     *hadooprpc.Token // secure clusters only
}

func reportFromProto(p *pb.ApplicationReportProto) Report {
	return Report{
		ID: appFromProto(p.GetApplicationId()), Attempt: attemptFromProto(p.GetCurrentApplicationAttemptId()),
		User: p.GetUser(), Queue: p.GetQueue(), Name: p.GetName(), Type: p.GetApplicationType(), Tags: p.GetApplicationTags(),
		State: AppState(p.GetYarnApplicationState().String()), FinalStatus: finalFromProto(p.GetFinalApplicationStatus()),
		Host: p.GetHost(), RPCPort: p.GetRpcPort(), TrackingURL: p.GetTrackingUrl(), OriginalTrackingURL: p.GetOriginalTrackingUrl(),
		Diagnostics: p.GetDiagnostics(), StartTime: millis(p.GetStartTime()), FinishTime: millis(p.GetFinishTime()),
		Progress: p.GetProgress(), Used: resourceFromProto(p.GetAppResource_Usage().GetUsedResources()),
		UsedContainers:  p.GetAppResource_Usage().GetNumUsedContainers(),
		ClientToAMToken: hadooprpc.TokenFromProto(p.GetClientToAmToken()),
	}
}

// millis reads Hadoop's time stamps, where 0 is none.
func millis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// NodeReport describes a NodeManager.
type NodeReport struct {
	Node         NodeID
	HTTPAddress  string
	Rack         string
	State        string // "RUNNING", "LOST", "UNHEALTHY", …
	Used         Resource
	Capability   Resource
	Containers   int32
	HealthReport string
}

func nodeReportFromProto(p *pb.NodeReportProto) NodeReport {
	return NodeReport{
		Node: nodeFromProto(p.GetNodeId()), HTTPAddress: p.GetHttpAddress(), Rack: p.GetRackName(),
		State: trimPrefix(p.GetNodeState().String(), "NS_"), Used: resourceFromProto(p.GetUsed()),
		Capability: resourceFromProto(p.GetCapability()), Containers: p.GetNumContainers(), HealthReport: p.GetHealthReport(),
	}
}

func trimPrefix(s, prefix string) string {
	if len(s) > len(prefix) && s[:len(prefix)] == prefix {
		return s[len(prefix):]
	}
	return s
}

// ClusterMetrics counts the NodeManagers by state.
type ClusterMetrics struct {
	NodeManagers, Active, Lost, Unhealthy, Rebooted, Decommissioned int32
}

// QueueInfo describes a scheduler queue.
type QueueInfo struct {
	Name            string
	Path            string
	Running         bool
	Capacity        float32 // share of the parent, 0 to 1
	MaximumCapacity float32
	CurrentCapacity float32 // used share of its capacity
	Children        []QueueInfo
}

func queueFromProto(p *pb.QueueInfoProto) QueueInfo {
	q := QueueInfo{
		Name: p.GetQueueName(), Path: p.GetQueuePath(), Running: p.GetState() == pb.QueueStateProto_Q_RUNNING,
		Capacity: p.GetCapacity(), MaximumCapacity: p.GetMaximumCapacity(), CurrentCapacity: p.GetCurrentCapacity(),
	}
	for _, c := range p.GetChildQueues() {
		q.Children = append(q.Children, queueFromProto(c))
	}
	return q
}
