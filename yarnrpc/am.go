package yarnrpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"goflink/hadooprpc"
	"goflink/hadooprpc/proto/hadoopproto"
	pb "goflink/hadooprpc/proto/yarnproto"
)

// AMOptions say where the scheduler is and which token we have for it.
type AMOptions struct {
	// Conf gives the scheduler's addresses and the protection.
	Conf *hadooprpc.Conf

	// Token is the YARN_AM_RM_TOKEN of the container's credentials.
	Token *hadooprpc.Token

	// MaxWait bounds each call over all ResourceManagers. 0 means hadooprpc's default of two minutes. A failed
	// heartbeat loses nothing: the next one sends it again.
	MaxWait time.Duration

	// AttemptTimeout bounds one attempt of a call, so that a ResourceManager that hangs is left. Default 30 s.
	AttemptTimeout time.Duration

	// Addresses override those of Conf.
	Addresses []string

	Dial   hadooprpc.DialFunc // nil: TCP
	Logger *slog.Logger       // nil: slog.Default()
}

// AM is an ApplicationMaster's access to the scheduler: registration, heartbeats with asks and releases, and the
// end. Set asks and releases at any time; one caller at a time makes heartbeats. A ResourceManager that was
// restarted is registered with again and told everything anew, without the caller's doing.
type AM struct {
	rpc    *hadooprpc.Client
	log    *slog.Logger
	beatMu sync.Mutex // one heartbeat at a time

	mu struct {
		sync.Mutex
		token        *hadooprpc.Token
		registration *Registration
		book         *ledger
		responseID   int32
		inflight     *pb.AllocateRequestProto // sent, but its answer has not been seen
		nmTokens     map[NodeID]*hadooprpc.Token
		trackingURL  *string // to be sent with the next heartbeat
		maximum      Resource
	}
}

// NewAM makes the client; it connects with the first call.
func NewAM(o AMOptions) (*AM, error) {
	if o.Token == nil {
		return nil, fmt.Errorf("no token of kind %s in the container's credentials: this is no ApplicationMaster's container", hadooprpc.KindAMRM)
	}
	addrs := o.Addresses
	var err error
	if len(addrs) == 0 {
		if addrs, err = o.Conf.Schedulers(); err != nil {
			return nil, err
		}
	}
	protection, err := o.Conf.Protection()
	if err != nil {
		return nil, err
	}
	a := &AM{log: o.Logger}
	if a.log == nil {
		a.log = slog.Default()
	}
	a.mu.token, a.mu.book, a.mu.nmTokens = o.Token, newLedger(), map[NodeID]*hadooprpc.Token{}
	auth := func(context.Context) (hadooprpc.Auth, error) {
		a.mu.Lock()
		defer a.mu.Unlock()
		return hadooprpc.Auth{Token: a.mu.token, Protection: protection}, nil
	}
	a.rpc, err = hadooprpc.NewClient(hadooprpc.Options{
		Addresses: addrs, Protocol: ProtocolAM, Auth: auth, MaxWait: o.MaxWait, AttemptTimeout: o.AttemptTimeout, Dial: o.Dial, Logger: o.Logger,
	})
	return a, err
}

// Close ends the connection.
func (a *AM) Close() error { return a.rpc.Close() }

// Addr is the scheduler in use, or that will be tried next.
func (a *AM) Addr() string { return a.rpc.Addr() }

// Registration is what an ApplicationMaster tells of itself.
type Registration struct {
	Host        string // where clients reach it
	Port        int32  // its RPC port, -1 for none; Flink's clients take it for the REST port
	TrackingURL string // of its web interface; empty for none
}

// Registered is the ResourceManager's answer to a registration.
type Registered struct {
	Maximum       Resource    // the largest container
	Queue         string      // where the application runs
	Previous      []Container // of earlier attempts, still running
	ClientToAMKey []byte      // makes and verifies clients' tokens; secure clusters only
}

// Register registers this attempt. An attempt whose registration arrived but whose answer was lost is taken as
// registered, without the containers of earlier attempts in the answer.
func (a *AM) Register(ctx context.Context, r Registration) (Registered, error) {
	a.beatMu.Lock()
	defer a.beatMu.Unlock()
	return a.register(ctx, r)
}

func (a *AM) register(ctx context.Context, r Registration) (Registered, error) {
	req := &pb.RegisterApplicationMasterRequestProto{
		Host: proto.String(r.Host), RpcPort: proto.Int32(r.Port), TrackingUrl: proto.String(r.TrackingURL),
	}
	resp := &pb.RegisterApplicationMasterResponseProto{}
	err := a.rpc.Call(ctx, "registerApplicationMaster", req, resp)
	if hadooprpc.IsRemote(err, classAlreadyRegistered) {
		a.log.Warn("the ResourceManager says that this attempt is registered already", "error", err)
		err = nil
	}
	if err != nil {
		return Registered{}, fmt.Errorf("register the ApplicationMaster: %w", classify(err))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mu.registration = &r
	a.mu.responseID, a.mu.inflight = 0, nil
	a.mu.maximum = resourceFromProto(resp.GetMaximumCapability())
	a.storeNMTokens(resp.GetNmTokensFromPreviousAttempts())
	return Registered{
		Maximum: a.mu.maximum, Queue: resp.GetQueue(), ClientToAMKey: resp.GetClientToAmTokenMasterKey(),
		Previous: containersFromProto(resp.GetContainersFromPreviousAttempts()),
	}, nil
}

// storeNMTokens keeps the newest token of each node; mu is held.
func (a *AM) storeNMTokens(tokens []*pb.NMTokenProto) {
	for _, t := range tokens {
		a.mu.nmTokens[nodeFromProto(t.GetNodeId())] = hadooprpc.TokenFromProto(t.GetToken())
	}
}

// NMToken gives the token for a node, nil if none has come.
func (a *AM) NMToken(node NodeID) *hadooprpc.Token {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.mu.nmTokens[node]
}

// SetAsk states how many containers are still wanted under a priority, in all: it replaces the former number.
// Each container that a heartbeat brings takes one off. One priority has one resource.
func (a *AM) SetAsk(priority int32, r Resource, count int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mu.book.set(priority, r, max(count, 0))
}

// Outstanding is how many containers are still wanted under a priority.
func (a *AM) Outstanding(priority int32) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.mu.book.outstanding(priority)
}

// Release gives containers back, whether they were started or not.
func (a *AM) Release(ids ...ContainerID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, id := range ids {
		a.mu.book.giveBack(id)
	}
}

// SetTrackingURL changes the address of the web interface, with the next heartbeat.
func (a *AM) SetTrackingURL(url string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mu.trackingURL = &url
}

// Update is the news of one heartbeat.
type Update struct {
	Allocated    []Container
	Completed    []ContainerStatus
	Previous     []Container   // of earlier attempts, also learnt late after a failover; may repeat known ones
	Preempted    []ContainerID // will be taken away soon
	Nodes        []NodeReport  // whose state changed
	Available    Resource      // head room of the queue
	ClusterNodes int32
	Resynced     bool // the ResourceManager was restarted, and knows everything again
}

// Allocate makes one heartbeat: it sends what has changed and brings what has happened. It must be called well
// within yarn.am.liveness-monitor.expiry-interval-ms. An error other than ErrAttemptEnded and ErrInvalidRequest
// leaves everything to the next heartbeat.
func (a *AM) Allocate(ctx context.Context, progress float32) (Update, error) {
	a.beatMu.Lock()
	defer a.beatMu.Unlock()
	resp, err := a.beat(ctx, progress)
	if !hadooprpc.IsRemote(err, classNotRegistered) {
		return a.update(resp), allocateError(err)
	}
	a.log.Info("the ResourceManager was restarted: registering again", "server", a.Addr())
	registered, err := a.reregister(ctx)
	if err != nil {
		return Update{}, err
	}
	resp, err = a.beat(ctx, progress)
	u := a.update(resp)
	u.Resynced = true
	u.Previous = append(registered.Previous, u.Previous...)
	return u, allocateError(err)
}

func allocateError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("heartbeat to the ResourceManager: %w", classify(err))
}

// errNeverRegistered is a mistake of the caller.
var errNeverRegistered = errors.New("the ApplicationMaster has not registered")

func (a *AM) reregister(ctx context.Context) (Registered, error) {
	a.mu.Lock()
	r := a.mu.registration
	a.mu.book.resync()
	a.mu.inflight = nil
	a.mu.Unlock()
	if r == nil {
		return Registered{}, errNeverRegistered
	}
	return a.register(ctx, *r)
}

// beat sends the heartbeat whose answer was lost, or else a new one.
func (a *AM) beat(ctx context.Context, progress float32) (*pb.AllocateResponseProto, error) {
	a.mu.Lock()
	req := a.mu.inflight
	if req == nil {
		asks, releases := a.mu.book.take()
		req = &pb.AllocateRequestProto{
			Ask: asks, Release: releases, ResponseId: proto.Int32(a.mu.responseID),
			Progress: proto.Float32(min(max(progress, 0), 1)), TrackingUrl: a.mu.trackingURL,
		}
		a.mu.trackingURL, a.mu.inflight = nil, req
	}
	a.mu.Unlock()
	resp := &pb.AllocateResponseProto{}
	if err := a.rpc.Call(ctx, "allocate", req, resp); err != nil {
		a.afterError(err, req)
		return nil, err
	}
	a.mu.Lock()
	a.mu.inflight = nil
	a.mu.responseID = resp.GetResponseId()
	a.mu.Unlock()
	return resp, nil
}

// afterError drops a heartbeat that the ResourceManager refused: sent again, it would be refused for ever.
func (a *AM) afterError(err error, req *pb.AllocateRequestProto) {
	if !hadooprpc.IsRemote(err, classInvalidRequest) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mu.inflight = nil
	for _, r := range req.GetRelease() {
		a.mu.book.release[containerIDFromProto(r)] = release{}
	}
	for _, q := range req.GetAsk() {
		delete(a.mu.book.wanted, q.GetPriority().GetPriority())
	}
}

// update books the answer.
func (a *AM) update(resp *pb.AllocateResponseProto) Update {
	if resp == nil {
		return Update{}
	}
	u := Update{
		Allocated: containersFromProto(resp.GetAllocatedContainers()), Previous: containersFromProto(resp.GetContainersFromPreviousAttempts()),
		Available: resourceFromProto(resp.GetLimit()), ClusterNodes: resp.GetNumClusterNodes(), Preempted: preempted(resp.GetPreempt()),
	}
	for _, s := range resp.GetCompletedContainerStatuses() {
		u.Completed = append(u.Completed, statusFromProto(s))
	}
	for _, n := range resp.GetUpdatedNodes() {
		u.Nodes = append(u.Nodes, nodeReportFromProto(n))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.storeNMTokens(resp.GetNmTokens())
	for _, c := range u.Allocated {
		a.mu.book.received(c.Priority)
	}
	for _, s := range u.Completed {
		a.mu.book.completed(s.ID)
	}
	if t := resp.GetAmRmToken(); t != nil {
		a.replaceToken(t)
	}
	return u
}

// replaceToken keeps a new AMRMToken for the next connection; mu is held.
func (a *AM) replaceToken(t *hadoopproto.TokenProto) {
	a.mu.token = hadooprpc.TokenFromProto(t)
	a.log.Info("the ResourceManager has renewed our token")
}

func preempted(p *pb.PreemptionMessageProto) []ContainerID {
	var out []ContainerID
	for _, c := range p.GetStrictContract().GetContainer() {
		out = append(out, containerIDFromProto(c.GetId()))
	}
	for _, c := range p.GetContract().GetContainer() {
		out = append(out, containerIDFromProto(c.GetId()))
	}
	return out
}

// finishInterval is the pause between two questions whether the end is stored.
const finishInterval = 100 * time.Millisecond

// Finish unregisters with the application's verdict and waits until the ResourceManager has stored it. Only then
// may the process exit: earlier, its end would count as a failed attempt.
func (a *AM) Finish(ctx context.Context, status FinalStatus, diagnostics, trackingURL string) error {
	a.beatMu.Lock()
	defer a.beatMu.Unlock()
	req := &pb.FinishApplicationMasterRequestProto{
		Diagnostics: proto.String(diagnostics), TrackingUrl: proto.String(trackingURL), FinalApplicationStatus: finalToProto[status].Enum(),
	}
	for {
		resp := &pb.FinishApplicationMasterResponseProto{}
		err := a.rpc.Call(ctx, "finishApplicationMaster", req, resp)
		switch {
		case hadooprpc.IsRemote(err, classNotRegistered):
			if _, err := a.reregister(ctx); err != nil {
				return fmt.Errorf("unregister: %w", err)
			}
			continue
		case err != nil:
			return fmt.Errorf("unregister: %w", classify(err))
		case resp.GetIsUnregistered():
			return nil
		}
		if err := sleep(ctx, finishInterval); err != nil {
			return fmt.Errorf("unregister: %w", err)
		}
	}
}

// LocalHost is the address under which this host reaches the ResourceManager: on hosts with several addresses
// the one to tell others.
func (a *AM) LocalHost(ctx context.Context) (string, error) {
	d := net.Dialer{Timeout: 10 * time.Second}
	conn, err := d.DialContext(ctx, "tcp", a.Addr())
	if err != nil {
		return "", fmt.Errorf("find the own address: %w", err)
	}
	defer conn.Close()
	host, _, err := net.SplitHostPort(conn.LocalAddr().String())
	return host, err
}
