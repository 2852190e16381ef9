package yarnrpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"goflink/hadooprpc"
	pb "goflink/hadooprpc/proto/yarnproto"
)

// NMOptions say how NodeManagers are called.
type NMOptions struct {
	// Conf gives the protection.
	Conf *hadooprpc.Conf

	// Token gives the NMToken for a node, as AM.NMToken does.
	Token func(NodeID) *hadooprpc.Token

	// MaxWait bounds each call with its repetitions. Default 30 s: a NodeManager that is restarted comes back in
	// some seconds, one that is lost does not, and its containers are replaced.
	MaxWait time.Duration

	Dial   hadooprpc.DialFunc // nil: TCP
	Logger *slog.Logger       // nil: slog.Default()
}

// NM starts and stops containers. Each call uses a connection of its own, as Hadoop's clients do by default:
// an ApplicationMaster talks seldom to each of many nodes. It is safe for concurrent use.
type NM struct {
	o          NMOptions
	protection []string
}

// NewNM makes the client.
func NewNM(o NMOptions) (*NM, error) {
	if o.MaxWait == 0 {
		o.MaxWait = 30 * time.Second
	}
	p, err := o.Conf.Protection()
	if err != nil {
		return nil, err
	}
	return &NM{o: o, protection: p}, nil
}

// Start starts an allocated container. A container that an earlier, unanswered attempt started is no error.
func (n *NM) Start(ctx context.Context, c Container, l LaunchContext) error {
	launch, err := l.proto()
	if err != nil {
		return fmt.Errorf("start %s: %w", c.ID, err)
	}
	req := &pb.StartContainersRequestProto{StartContainerRequest: []*pb.StartContainerRequestProto{
		{ContainerLaunchContext: launch, ContainerToken: c.token},
	}}
	resp := &pb.StartContainersResponseProto{}
	if err := n.call(ctx, c.Node, "startContainers", req, resp); err != nil {
		return fmt.Errorf("start %s on %s: %w", c.ID, c.Node, err)
	}
	err = failure(resp.GetFailedRequests())
	if err != nil && !strings.Contains(err.Error(), "already is running on this node") {
		return fmt.Errorf("start %s on %s: %w", c.ID, c.Node, err)
	}
	return nil
}

// Stop ends a container, at once and whatever its state. One that is gone already is no error.
func (n *NM) Stop(ctx context.Context, node NodeID, id ContainerID) error {
	req := &pb.StopContainersRequestProto{ContainerId: []*pb.ContainerIdProto{containerIDToProto(id)}}
	resp := &pb.StopContainersResponseProto{}
	if err := n.call(ctx, node, "stopContainers", req, resp); err != nil {
		return fmt.Errorf("stop %s on %s: %w", id, node, err)
	}
	if err := failure(resp.GetFailedRequests()); err != nil && !strings.Contains(err.Error(), "is not handled by this NodeManager") {
		return fmt.Errorf("stop %s on %s: %w", id, node, err)
	}
	return nil
}

// Status asks for a container's state.
func (n *NM) Status(ctx context.Context, node NodeID, id ContainerID) (ContainerStatus, error) {
	req := &pb.GetContainerStatusesRequestProto{ContainerId: []*pb.ContainerIdProto{containerIDToProto(id)}}
	resp := &pb.GetContainerStatusesResponseProto{}
	if err := n.call(ctx, node, "getContainerStatuses", req, resp); err != nil {
		return ContainerStatus{}, fmt.Errorf("status of %s on %s: %w", id, node, err)
	}
	if err := failure(resp.GetFailedRequests()); err != nil {
		return ContainerStatus{}, fmt.Errorf("status of %s on %s: %w", id, node, err)
	}
	if len(resp.GetStatus()) != 1 {
		return ContainerStatus{}, fmt.Errorf("status of %s on %s: %d answers", id, node, len(resp.GetStatus()))
	}
	return statusFromProto(resp.GetStatus()[0]), nil
}

// call makes one call over a connection of its own.
func (n *NM) call(ctx context.Context, node NodeID, method string, req, resp proto.Message) error {
	auth := func(context.Context) (hadooprpc.Auth, error) {
		t := n.o.Token(node)
		if t == nil {
			return hadooprpc.Auth{}, fmt.Errorf("%w %s", ErrNoNMToken, node)
		}
		return hadooprpc.Auth{Token: t, Protection: n.protection}, nil
	}
	c, err := hadooprpc.NewClient(hadooprpc.Options{
		Addresses: []string{node.String()}, Protocol: ProtocolNM, Auth: auth, MaxWait: n.o.MaxWait,
		RetryClasses: []string{classNMNotReady}, Dial: n.o.Dial, Logger: n.o.Logger,
	})
	if err != nil {
		return err
	}
	return errors.Join(c.Call(ctx, method, req, resp), c.Close())
}

// failure is the first exception that a NodeManager reports for a single container.
func failure(failed []*pb.ContainerExceptionMapProto) error {
	if len(failed) == 0 {
		return nil
	}
	e := failed[0].GetException()
	msg, _, _ := strings.Cut(e.GetMessage(), "\n\tat ")
	return &hadooprpc.RemoteError{Class: e.GetClassName(), Message: strings.TrimSpace(msg)}
}
