package yarn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sort"
	"strings"
	"time"

	"goflink/client/clientlog"
	"goflink/client/staging"
	"goflink/conf"
	"goflink/hadooprpc"
	"goflink/hdfsstore"
	"goflink/yarnrpc"
)

// defaultWait is how long a client tries to reach the ResourceManager unless
// client.timeout says otherwise: a restart of it takes less, and a person
// waits no longer.
const defaultWait = 30 * time.Second

// Options are what a Descriptor works with.
type Options struct {
	// Conf is the effective configuration.
	Conf *conf.Config
	// Getenv looks up the environment: HADOOP_CONF_DIR, HADOOP_USER_NAME …
	Getenv func(string) string
	// Executable is bin/flink, the binary that containers run.
	Executable string
	// Version is this release's.
	Version string
	// Console prints the lines that Flink's client prints.
	Console *clientlog.Console
	// Log is the client's log.
	Log *slog.Logger
	// Hadoop overrides what is found through the environment; for tests.
	Hadoop *hadooprpc.Conf
}

// Descriptor deploys and finds clusters.
type Descriptor struct {
	o        Options
	hadoop   *hadooprpc.Conf
	rm       *yarnrpc.Client
	resolver *hdfsstore.Resolver
	area     *staging.Area
	user     string
}

// Open reads Hadoop's configuration and prepares clients. It connects to
// nothing yet.
func Open(o Options) (*Descriptor, error) {
	h, err := hadoopConf(o)
	if err != nil {
		return nil, err
	}
	d := &Descriptor{o: o, hadoop: h, user: userName(o.Getenv)}
	kerberos, err := login(o, h)
	if err != nil {
		return nil, err
	}
	if d.rm, err = yarnrpc.NewClient(yarnrpc.ClientOptions{Conf: h, User: d.user, Kerberos: kerberos, MaxWait: wait(o.Conf), Logger: o.Log}); err != nil {
		return nil, err
	}
	d.resolver = hdfsstore.NewResolver(hdfsstore.Options{
		Hadoop: h, User: d.user, DefaultScheme: conf.FSDefaultScheme.Get(o.Conf), TokenFile: o.Getenv(hadooprpc.EnvTokenFile), Logger: o.Log,
	})
	if d.area, err = staging.Open(d.resolver, o.Conf, staging.Options{Log: o.Log}); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	o.Console.Infof(clientlog.RMProxy, "Connecting to ResourceManager at %s", d.rm.Addr())
	return d, nil
}

// wait is the time limit of one call to the ResourceManager.
func wait(c *conf.Config) time.Duration {
	if conf.ClientTimeout.IsSet(c) {
		return conf.ClientTimeout.Get(c)
	}
	return defaultWait
}

// Close ends all connections.
func (d *Descriptor) Close() error { return errors.Join(d.rm.Close(), d.resolver.Close()) }

// User is who Hadoop takes us for.
func (d *Descriptor) User() string { return d.user }

func userName(getenv func(string) string) string {
	if u := getenv("HADOOP_USER_NAME"); u != "" {
		return u
	}
	return hdfsstore.SystemUser()
}

// hadoopConf finds Hadoop's configuration and lays flink.hadoop.* and
// flink.yarn.* over it.
func hadoopConf(o Options) (*hadooprpc.Conf, error) {
	h := o.Hadoop
	if h == nil {
		explicit := conf.FSHadoopConf.Get(o.Conf)
		if explicit == "" {
			explicit = conf.EnvHadoopConfDir.Get(o.Conf)
		}
		if explicit == "" {
			explicit = conf.EnvYarnConfDir.Get(o.Conf)
		}
		var err error
		if h, err = hadooprpc.FindConf(o.Getenv, explicit); err != nil {
			return nil, err
		}
	}
	for k, v := range conf.HadoopOverrides.Get(o.Conf) {
		h.Set(k, v)
	}
	for k, v := range conf.YarnOverrides.Get(o.Conf) {
		h.Set("yarn."+k, v)
	}
	return h, nil
}

// login makes the Kerberos login that a secure cluster needs.
func login(o Options, h *hadooprpc.Conf) (*hadooprpc.Kerberos, error) {
	if !h.Secure() {
		return nil, nil
	}
	krb5 := conf.KerberosConfPath.Get(o.Conf)
	if keytab := conf.KerberosKeytab.Get(o.Conf); keytab != "" {
		return hadooprpc.LoginKeytab(conf.KerberosPrincipal.Get(o.Conf), keytab, krb5)
	}
	if !conf.KerberosUseTicketCache.Get(o.Conf) {
		return nil, errors.New("the cluster authenticates with Kerberos: set security.kerberos.login.keytab and security.kerberos.login.principal, or allow the ticket cache")
	}
	path, err := hadooprpc.TicketCachePath(o.Getenv)
	if err != nil {
		return nil, err
	}
	return hadooprpc.LoginCache(path, krb5)
}

// reach explains an error of the first call to the ResourceManager.
func (d *Descriptor) reach(err error) error {
	var connect *hadooprpc.ConnectError
	if !errors.As(err, &connect) {
		return err
	}
	addrs, _ := d.hadoop.ResourceManagers() // they were good when the client was made
	where := "the environment"
	if dirs := d.hadoop.Dirs(); len(dirs) > 0 {
		where = strings.Join(dirs, ", ")
	}
	return fmt.Errorf("the ResourceManager at %s did not answer within %s (client.timeout): is it running, and is yarn.resourcemanager.address in %s right? %w",
		strings.Join(addrs, ", "), wait(d.o.Conf), where, err)
}

// Query prints what the cluster has, as yarn-session.sh -q does.
func (d *Descriptor) Query(ctx context.Context) (string, error) {
	metrics, err := d.rm.Metrics(ctx)
	if err != nil {
		return "", d.reach(err)
	}
	nodes, err := d.rm.Nodes(ctx)
	if err != nil {
		return "", err
	}
	const rule = "+---------------------------------------+\n"
	var b strings.Builder
	fmt.Fprintf(&b, "NodeManagers in the ClusterClient %d|Property         |Value          \n%s", metrics.NodeManagers, rule)
	var memory int64
	var cores int32
	for _, n := range nodes {
		memory += n.Capability.MemoryMB
		cores += n.Capability.VCores
		fmt.Fprintf(&b, "|%-16s |%-16s \n|%-16s |%-16s \n|%-16s |%-16s \n|%-16s |%-16s \n|%-16s |%-16s \n%s",
			"NodeID", n.Node, "Memory", human(n.Capability.MemoryMB), "vCores", fmt.Sprint(n.Capability.VCores),
			"HealthReport", n.HealthReport, "Containers", fmt.Sprint(n.Containers), rule)
	}
	fmt.Fprintf(&b, "Summary: totalMemory %s totalCores %d\n", human(memory), cores)
	queues, err := d.queues(ctx)
	if err != nil {
		return "", err
	}
	for _, q := range queues {
		apps, err := d.rm.Applications(ctx, yarnrpc.Filter{Queues: []string{q.Name}, States: []yarnrpc.AppState{yarnrpc.AppRunning, yarnrpc.AppAccepted}})
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "Queue: %s, Current Capacity: %s Max Capacity: %s Applications: %d\n", q.Name, javaFloat(q.CurrentCapacity), javaFloat(q.MaximumCapacity), len(apps))
	}
	return b.String(), nil
}

// javaFloat writes a number with a fraction, as Java does.
func javaFloat(f float32) string {
	s := fmt.Sprint(f)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return s
}

// human writes megabytes as Flink's MemorySize does: 8.000gb (8589934592 bytes).
func human(mb int64) string { return conf.Size(mb << 20).Human() }

// queues lists the leaf queues by name.
func (d *Descriptor) queues(ctx context.Context) ([]yarnrpc.QueueInfo, error) {
	root, err := d.rm.Queue(ctx, "root")
	if err != nil || root == nil {
		return nil, err
	}
	var out []yarnrpc.QueueInfo
	var walk func(q yarnrpc.QueueInfo)
	walk = func(q yarnrpc.QueueInfo) {
		if len(q.Children) == 0 && q.Name != "root" {
			out = append(out, q)
		}
		for _, c := range q.Children {
			walk(c)
		}
	}
	walk(*root)
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out, nil
}
