package yarnrpc

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	pb "goflink/hadooprpc/proto/yarnproto"
)

// ApplicationID names an application: application_<cluster start in ms>_<number>.
type ApplicationID struct {
	ClusterTimestamp int64
	ID               int32
}

// String formats the id as Hadoop does.
func (a ApplicationID) String() string {
	return fmt.Sprintf("application_%d_%04d", a.ClusterTimestamp, a.ID)
}

// IsZero tells whether there is no id.
func (a ApplicationID) IsZero() bool { return a == ApplicationID{} }

// AttemptID names one run of an ApplicationMaster.
type AttemptID struct {
	App     ApplicationID
	Attempt int32
}

// String formats the id as Hadoop does: appattempt_<ts>_<app>_<attempt>.
func (a AttemptID) String() string {
	return fmt.Sprintf("appattempt_%d_%04d_%06d", a.App.ClusterTimestamp, a.App.ID, a.Attempt)
}

// epochShift splits a container number into the ResourceManager's epoch (its restarts) and a count.
const epochShift = 40

// ContainerID names a container. It keeps the attempt under which the container was born.
type ContainerID struct {
	Attempt AttemptID
	ID      int64 // the epoch in the bits from 40 up
}

// Epoch counts the restarts of the ResourceManager that allocated the container.
func (c ContainerID) Epoch() int64 { return c.ID >> epochShift }

// String formats the id as Hadoop does: container_[e<epoch>_]<ts>_<app>_<attempt>_<number>.
func (c ContainerID) String() string {
	epoch := ""
	if e := c.Epoch(); e > 0 {
		epoch = fmt.Sprintf("e%02d_", e)
	}
	a := c.Attempt
	return fmt.Sprintf("container_%s%d_%04d_%02d_%06d", epoch, a.App.ClusterTimestamp, a.App.ID, a.Attempt, c.ID&(1<<epochShift-1))
}

// ParseApplicationID reads "application_1700000000000_0001".
func ParseApplicationID(s string) (ApplicationID, error) {
	p := newIDParser(s, "application")
	id := ApplicationID{ClusterTimestamp: p.number(63), ID: int32(p.number(31))}
	return id, p.end("application_1700000000000_0001")
}

// ParseAttemptID reads "appattempt_1700000000000_0001_000001".
func ParseAttemptID(s string) (AttemptID, error) {
	p := newIDParser(s, "appattempt")
	id := AttemptID{App: ApplicationID{ClusterTimestamp: p.number(63), ID: int32(p.number(31))}, Attempt: int32(p.number(31))}
	return id, p.end("appattempt_1700000000000_0001_000001")
}

// ParseContainerID reads "container_1700000000000_0001_01_000001", with or without an epoch.
func ParseContainerID(s string) (ContainerID, error) {
	p := newIDParser(s, "container")
	var epoch int64
	if len(p.parts) > 0 && strings.HasPrefix(p.parts[0], "e") {
		p.parts[0] = p.parts[0][1:]
		epoch = p.number(22)
	}
	app := ApplicationID{ClusterTimestamp: p.number(63), ID: int32(p.number(31))}
	attempt := AttemptID{App: app, Attempt: int32(p.number(31))}
	id := ContainerID{Attempt: attempt, ID: epoch<<epochShift | p.number(epochShift)}
	return id, p.end("container_1700000000000_0001_01_000001")
}

// idParser takes the parts of an id one by one; the first error sticks.
type idParser struct {
	text  string
	parts []string
	bad   bool
}

func newIDParser(s, prefix string) *idParser {
	p := &idParser{text: s, parts: strings.Split(strings.TrimSpace(s), "_")}
	p.bad = p.parts[0] != prefix
	p.parts = p.parts[1:]
	return p
}

// number reads the next part, a number of so many bits.
func (p *idParser) number(bits int) int64 {
	if p.bad || len(p.parts) == 0 {
		p.bad = true
		return 0
	}
	n, err := strconv.ParseUint(p.parts[0], 10, bits)
	p.parts = p.parts[1:]
	p.bad = p.bad || err != nil
	return int64(n)
}

func (p *idParser) end(example string) error {
	if p.bad || len(p.parts) > 0 {
		return fmt.Errorf("%q is no id of the form %s", p.text, example)
	}
	return nil
}

// NodeID is a NodeManager's address.
type NodeID struct {
	Host string
	Port int32
}

// String is the address to dial.
func (n NodeID) String() string { return net.JoinHostPort(n.Host, strconv.Itoa(int(n.Port))) }

func appToProto(a ApplicationID) *pb.ApplicationIdProto {
	return &pb.ApplicationIdProto{Id: proto.Int32(a.ID), ClusterTimestamp: proto.Int64(a.ClusterTimestamp)}
}

func appFromProto(p *pb.ApplicationIdProto) ApplicationID {
	return ApplicationID{ClusterTimestamp: p.GetClusterTimestamp(), ID: p.GetId()}
}

func attemptToProto(a AttemptID) *pb.ApplicationAttemptIdProto {
	return &pb.ApplicationAttemptIdProto{ApplicationId: appToProto(a.App), AttemptId: proto.Int32(a.Attempt)}
}

func attemptFromProto(p *pb.ApplicationAttemptIdProto) AttemptID {
	return AttemptID{App: appFromProto(p.GetApplicationId()), Attempt: p.GetAttemptId()}
}

func containerIDToProto(c ContainerID) *pb.ContainerIdProto {
	return &pb.ContainerIdProto{AppAttemptId: attemptToProto(c.Attempt), Id: proto.Int64(c.ID)}
}

func containerIDFromProto(p *pb.ContainerIdProto) ContainerID {
	return ContainerID{Attempt: attemptFromProto(p.GetAppAttemptId()), ID: p.GetId()}
}

func nodeFromProto(p *pb.NodeIdProto) NodeID { return NodeID{Host: p.GetHost(), Port: p.GetPort()} }
