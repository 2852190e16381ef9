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
	"goflink/hadooprpc/proto/hadoopproto"
	pb "goflink/hadooprpc/proto/yarnproto"
)

// Java names of YARN's protocols, as the wire carries them.
const (
	ProtocolClient = "org.apache.hadoop.yarn.api.ApplicationClientProtocolPB"
	ProtocolAM     = "org.apache.hadoop.yarn.api.ApplicationMasterProtocolPB"
	ProtocolNM     = "org.apache.hadoop.yarn.api.ContainerManagementProtocolPB"
)

// keyRMPrincipal holds the ResourceManager's Kerberos principal.
const keyRMPrincipal = "yarn.resourcemanager.principal"

// pollInterval is the pause between two looks at an application that changes its state. Java's clients wait
// 200 ms; less makes an interactive command feel faster and costs the ResourceManager nothing it would notice.
const pollInterval = 100 * time.Millisecond

// ClientOptions say where the ResourceManager is and who we are.
type ClientOptions struct {
	// Conf gives addresses and security settings.
	Conf *hadooprpc.Conf

	// User is who we are on a cluster without Kerberos.
	User string

	// Kerberos is the login for a cluster with it.
	Kerberos *hadooprpc.Kerberos

	// Token, an RM_DELEGATION_TOKEN, authenticates instead of a Kerberos login when it is set.
	Token *hadooprpc.Token

	// MaxWait bounds each call, over all ResourceManagers. 0 means hadooprpc's default of two minutes.
	MaxWait time.Duration

	// Poll is the pause between two looks at an application's state. Default 100 ms.
	Poll time.Duration

	// Addresses override those of Conf.
	Addresses []string

	Dial   hadooprpc.DialFunc // nil: TCP
	Logger *slog.Logger       // nil: slog.Default()
}

// Client is a user's access to the ResourceManager. It is safe for concurrent use.
type Client struct {
	rpc  *hadooprpc.Client
	poll time.Duration
}

// NewClient makes a client; it connects with the first call.
func NewClient(o ClientOptions) (*Client, error) {
	addrs := o.Addresses
	var err error
	if len(addrs) == 0 {
		if addrs, err = o.Conf.ResourceManagers(); err != nil {
			return nil, err
		}
	}
	auth, err := userAuth(o)
	if err != nil {
		return nil, err
	}
	rpc, err := hadooprpc.NewClient(hadooprpc.Options{
		Addresses: addrs, Protocol: ProtocolClient, Auth: hadooprpc.StaticAuth(auth), MaxWait: o.MaxWait, Dial: o.Dial, Logger: o.Logger,
	})
	if err != nil {
		return nil, err
	}
	if o.Poll <= 0 {
		o.Poll = pollInterval
	}
	return &Client{rpc: rpc, poll: o.Poll}, nil
}

func userAuth(o ClientOptions) (hadooprpc.Auth, error) {
	protection, err := o.Conf.Protection()
	if err != nil {
		return hadooprpc.Auth{}, err
	}
	auth := hadooprpc.Auth{User: o.User, Token: o.Token, Protection: protection, AllowSimple: o.Conf.AllowSimpleFallback()}
	if !o.Conf.Secure() || o.Token != nil {
		return auth, nil
	}
	if o.Kerberos == nil {
		return auth, errors.New("the cluster authenticates with Kerberos, but there is no login: run kinit, or set security.kerberos.login.keytab and security.kerberos.login.principal")
	}
	auth.Kerberos, auth.Principal = o.Kerberos, o.Conf.Get(keyRMPrincipal)
	return auth, nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.rpc.Close() }

// Addr is the ResourceManager in use, or that will be tried next.
func (c *Client) Addr() string { return c.rpc.Addr() }

// NewApplication is the ResourceManager's invitation to submit.
type NewApplication struct {
	ID      ApplicationID
	Maximum Resource // the largest container
}

// NewApplication asks for an application id.
func (c *Client) NewApplication(ctx context.Context) (NewApplication, error) {
	resp := &pb.GetNewApplicationResponseProto{}
	if err := c.rpc.Call(ctx, "getNewApplication", &pb.GetNewApplicationRequestProto{}, resp); err != nil {
		return NewApplication{}, err
	}
	return NewApplication{ID: appFromProto(resp.GetApplicationId()), Maximum: resourceFromProto(resp.GetMaximumCapability())}, nil
}

// Submission describes an application.
type Submission struct {
	ID       ApplicationID // from NewApplication
	Name     string
	Type     string   // such as "Apache Flink"
	Tags     []string // compared without regard to case
	Queue    string   // empty: the cluster's default
	Priority int32    // 0: the queue's default
	AM       LaunchContext
	Resource Resource // of the ApplicationMaster's container

	// MaxAttempts bounds the runs of the ApplicationMaster; 0: the ResourceManager's maximum, which also limits it.
	MaxAttempts int32

	// AttemptFailuresValidity is the age after which a failed attempt no longer counts; 0: it counts for ever.
	AttemptFailuresValidity time.Duration

	// KeepContainers lets workers live on when the ApplicationMaster dies.
	KeepContainers bool

	// NodeLabel restricts the application to nodes with the label; empty: no restriction.
	NodeLabel string

	// RolledLogs is a pattern of log files to be collected while the application runs; empty: none.
	RolledLogs string
}

func (s Submission) proto() (*pb.ApplicationSubmissionContextProto, error) {
	am, err := s.AM.proto()
	if err != nil {
		return nil, err
	}
	p := &pb.ApplicationSubmissionContextProto{
		ApplicationId: appToProto(s.ID), ApplicationName: proto.String(s.Name), ApplicationType: proto.String(s.Type),
		ApplicationTags: lower(s.Tags), AmContainerSpec: am, Resource: resourceToProto(s.Resource),
		KeepContainersAcrossApplicationAttempts: proto.Bool(s.KeepContainers),
	}
	if s.Queue != "" {
		p.Queue = proto.String(s.Queue)
	}
	if s.Priority > 0 {
		p.Priority = &pb.PriorityProto{Priority: proto.Int32(s.Priority)}
	}
	if s.MaxAttempts > 0 {
		p.MaxAppAttempts = proto.Int32(s.MaxAttempts)
	}
	if s.AttemptFailuresValidity > 0 {
		p.AttemptFailuresValidityInterval = proto.Int64(s.AttemptFailuresValidity.Milliseconds())
	}
	if s.NodeLabel != "" {
		p.NodeLabelExpression = proto.String(s.NodeLabel)
	}
	if s.RolledLogs != "" {
		p.LogAggregationContext = &pb.LogAggregationContextProto{RolledLogsIncludePattern: proto.String(s.RolledLogs)}
	}
	return p, nil
}

// lower is what Hadoop's clients make of tags; the ResourceManager compares them as they come.
func lower(tags []string) []string {
	var out []string
	for _, t := range tags {
		out = append(out, strings.ToLower(t))
	}
	return out
}

// Submit submits an application and waits until the ResourceManager has stored it, so that it survives a
// failover; if it was lost in one before, it is submitted again. The report may show that it was rejected.
func (c *Client) Submit(ctx context.Context, s Submission) (Report, error) {
	p, err := s.proto()
	if err != nil {
		return Report{}, fmt.Errorf("submit %s: %w", s.ID, err)
	}
	for {
		req := &pb.SubmitApplicationRequestProto{ApplicationSubmissionContext: p}
		if err := c.rpc.Call(ctx, "submitApplication", req, &pb.SubmitApplicationResponseProto{}); err != nil {
			return Report{}, fmt.Errorf("submit %s: %w", s.ID, classify(err))
		}
		r, err := c.Wait(ctx, s.ID, func(r Report) bool { return r.State != AppNew && r.State != AppNewSaving })
		if !errors.Is(err, ErrApplicationNotFound) {
			return r, err
		}
	}
}

// Wait looks at an application until it is as wanted.
func (c *Client) Wait(ctx context.Context, id ApplicationID, until func(Report) bool) (Report, error) {
	for {
		r, err := c.Report(ctx, id)
		if err != nil {
			return Report{}, err
		}
		if until(r) {
			return r, nil
		}
		if err := sleep(ctx, c.poll); err != nil {
			return r, fmt.Errorf("wait for %s (now %s): %w", id, r.State, err)
		}
	}
}

// sleep waits for d or the context's end.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Report describes one application; ErrApplicationNotFound if there is none.
func (c *Client) Report(ctx context.Context, id ApplicationID) (Report, error) {
	resp := &pb.GetApplicationReportResponseProto{}
	req := &pb.GetApplicationReportRequestProto{ApplicationId: appToProto(id)}
	if err := c.rpc.Call(ctx, "getApplicationReport", req, resp); err != nil {
		return Report{}, fmt.Errorf("report of %s: %w", id, classify(err))
	}
	return reportFromProto(resp.GetApplicationReport()), nil
}

// Kill ends an application and waits until the ResourceManager says that it is done. Ending one that is over
// already is no error.
func (c *Client) Kill(ctx context.Context, id ApplicationID, diagnostics string) error {
	req := &pb.KillApplicationRequestProto{ApplicationId: appToProto(id)}
	if diagnostics != "" {
		req.Diagnostics = proto.String(diagnostics)
	}
	for {
		resp := &pb.KillApplicationResponseProto{}
		if err := c.rpc.Call(ctx, "forceKillApplication", req, resp); err != nil {
			return fmt.Errorf("kill %s: %w", id, classify(err))
		}
		if resp.GetIsKillCompleted() {
			return nil
		}
		if err := sleep(ctx, c.poll); err != nil {
			return fmt.Errorf("kill %s: %w", id, err)
		}
	}
}

// Filter selects applications; empty fields select all.
type Filter struct {
	Types  []string
	Tags   []string
	States []AppState
	Users  []string
	Queues []string
}

// Applications lists applications.
func (c *Client) Applications(ctx context.Context, f Filter) ([]Report, error) {
	req := &pb.GetApplicationsRequestProto{ApplicationTypes: f.Types, Users: f.Users, Queues: f.Queues, ApplicationTags: lower(f.Tags)}
	for _, s := range f.States {
		v, ok := pb.YarnApplicationStateProto_value[string(s)]
		if !ok {
			return nil, fmt.Errorf("application state %q is unknown", s)
		}
		req.ApplicationStates = append(req.ApplicationStates, pb.YarnApplicationStateProto(v))
	}
	resp := &pb.GetApplicationsResponseProto{}
	if err := c.rpc.Call(ctx, "getApplications", req, resp); err != nil {
		return nil, err
	}
	var out []Report
	for _, a := range resp.GetApplications() {
		out = append(out, reportFromProto(a))
	}
	return out, nil
}

// Nodes lists the NodeManagers that run.
func (c *Client) Nodes(ctx context.Context) ([]NodeReport, error) {
	req := &pb.GetClusterNodesRequestProto{NodeStates: []pb.NodeStateProto{pb.NodeStateProto_NS_RUNNING}}
	resp := &pb.GetClusterNodesResponseProto{}
	if err := c.rpc.Call(ctx, "getClusterNodes", req, resp); err != nil {
		return nil, err
	}
	var out []NodeReport
	for _, n := range resp.GetNodeReports() {
		out = append(out, nodeReportFromProto(n))
	}
	return out, nil
}

// Metrics counts the NodeManagers.
func (c *Client) Metrics(ctx context.Context) (ClusterMetrics, error) {
	resp := &pb.GetClusterMetricsResponseProto{}
	if err := c.rpc.Call(ctx, "getClusterMetrics", &pb.GetClusterMetricsRequestProto{}, resp); err != nil {
		return ClusterMetrics{}, err
	}
	m := resp.GetClusterMetrics()
	return ClusterMetrics{
		NodeManagers: m.GetNumNodeManagers(), Active: m.GetNumActiveNms(), Lost: m.GetNumLostNms(),
		Unhealthy: m.GetNumUnhealthyNms(), Rebooted: m.GetNumRebootedNms(), Decommissioned: m.GetNumDecommissionedNms(),
	}, nil
}

// Queue describes a queue and those below it; nil if there is none of that name.
func (c *Client) Queue(ctx context.Context, name string) (*QueueInfo, error) {
	req := &pb.GetQueueInfoRequestProto{
		QueueName: proto.String(name), IncludeApplications: proto.Bool(false), IncludeChildQueues: proto.Bool(true), Recursive: proto.Bool(true),
	}
	resp := &pb.GetQueueInfoResponseProto{}
	if err := c.rpc.Call(ctx, "getQueueInfo", req, resp); err != nil {
		return nil, fmt.Errorf("queue %s: %w", name, err)
	}
	if resp.GetQueueInfo().GetQueueName() == "" {
		return nil, nil
	}
	q := queueFromProto(resp.GetQueueInfo())
	return &q, nil
}

// DelegationToken gets a token for the ResourceManager, which only a Kerberos login may. The renewer is who may
// prolong it.
func (c *Client) DelegationToken(ctx context.Context, renewer string) (*hadooprpc.Token, error) {
	req := &hadoopproto.GetDelegationTokenRequestProto{Renewer: proto.String(renewer)}
	resp := &hadoopproto.GetDelegationTokenResponseProto{}
	if err := c.rpc.Call(ctx, "getDelegationToken", req, resp); err != nil {
		return nil, fmt.Errorf("delegation token of the ResourceManager: %w", err)
	}
	t := hadooprpc.TokenFromProto(resp.GetToken())
	if t != nil {
		t.Service = c.Addr()
	}
	return t, nil
}
