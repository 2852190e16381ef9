package yarnrpc_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/colinmarc/hdfs/v2"

	"goflink/hadooprpc"
	"goflink/yarnrpc"
)

// The tests of this file run on the real cluster whose client configuration GOFLINK_HADOOP_CONF names (a cluster
// of scripts/hadoop). On a secure one GOFLINK_HADOOP_KEYTAB and GOFLINK_HADOOP_PRINCIPAL are the login, and
// KRB5_CONFIG is set.

func liveConf(t *testing.T) *hadooprpc.Conf {
	t.Helper()
	dir := os.Getenv("GOFLINK_HADOOP_CONF")
	if dir == "" {
		t.Skip("GOFLINK_HADOOP_CONF names no cluster")
	}
	conf, err := hadooprpc.LoadConf(dir)
	if err != nil {
		t.Fatal(err)
	}
	return conf
}

func liveUser(t *testing.T) string {
	t.Helper()
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return u.Username
}

func liveKerberos(t *testing.T, conf *hadooprpc.Conf) *hadooprpc.Kerberos {
	t.Helper()
	if !conf.Secure() {
		return nil
	}
	k, err := hadooprpc.LoginKeytab(os.Getenv("GOFLINK_HADOOP_PRINCIPAL"), os.Getenv("GOFLINK_HADOOP_KEYTAB"), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return k
}

// staged is a file in HDFS.
type staged struct {
	uri  string
	info os.FileInfo
}

func (s staged) resource() yarnrpc.LocalResource {
	return yarnrpc.LocalResource{URI: s.uri, Size: s.info.Size(), ModTime: s.info.ModTime()}
}

// stage puts files into a folder of HDFS that goes with the test.
func stage(t *testing.T, conf *hadooprpc.Conf, krb *hadooprpc.Kerberos, files ...string) []staged {
	t.Helper()
	addrs, _, err := conf.NamenodeAddresses("")
	if err != nil {
		t.Fatal(err)
	}
	o := hdfs.ClientOptions{Addresses: addrs, User: liveUser(t)}
	name := o.User
	if krb != nil {
		o.User, o.KerberosClient, name = "", krb.Client(), krb.ShortName()
		o.KerberosServicePrincipleName = strings.SplitN(conf.Get("dfs.namenode.kerberos.principal"), "@", 2)[0]
		o.DataTransferProtection = conf.Get("dfs.data.transfer.protection")
	}
	cl, err := hdfs.NewClient(o)
	if err != nil {
		t.Fatal(err)
	}
	dir := fmt.Sprintf("/user/%s/testam-%d", name, time.Now().UnixNano())
	if err := cl.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cl.RemoveAll(dir); err != nil {
			t.Error(err)
		}
		_ = cl.Close()
	})
	var out []staged
	for _, f := range files {
		remote := dir + "/" + filepath.Base(f)
		if err := cl.CopyToRemote(f, remote); err != nil {
			t.Fatal(err)
		}
		fi, err := cl.Stat(remote)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, staged{uri: strings.TrimSuffix(conf.DefaultFS(), "/") + remote, info: fi})
	}
	return out
}

// buildAM compiles the test's ApplicationMaster and writes the configuration it is shipped with.
func buildAM(t *testing.T, conf *hadooprpc.Conf) (binary, site string) {
	t.Helper()
	dir := t.TempDir()
	binary, site = filepath.Join(dir, "testam"), filepath.Join(dir, "core-site.xml")
	cmd := exec.Command("go", "build", "-o", binary, "./internal/testam")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	f, err := os.Create(site)
	if err != nil {
		t.Fatal(err)
	}
	if err := conf.WriteXML(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return binary, site
}

const (
	trickyEnv = "a \"b\" $HOME `id` \\n {{PWD}} }}} {\"x\":{\"y\":1}} 'q'"
	trickyArg = "a'b \"c\" $HOME `id` \\ {{PWD}} }}} *"
)

// hdfsToken gets a token for the NameNode, which a secure cluster's NodeManagers and workers need.
func hdfsToken(ctx context.Context, t *testing.T, conf *hadooprpc.Conf, krb *hadooprpc.Kerberos, creds *hadooprpc.Credentials) {
	t.Helper()
	if krb == nil {
		return
	}
	renewer, err := conf.Principal("yarn.resourcemanager.principal", conf.Get("yarn.resourcemanager.address"))
	if err != nil {
		t.Fatal(err)
	}
	tok, err := hadooprpc.HDFSDelegationToken(ctx, conf, krb, "", renewer)
	if err != nil {
		t.Fatal(err)
	}
	creds.AddToken(tok.Service, tok)
}

type liveApp struct {
	client *yarnrpc.Client
	id     yarnrpc.ApplicationID
}

// stager puts files where NodeManagers can fetch them.
type stager func(files ...string) []staged

func stageLive(t *testing.T, conf *hadooprpc.Conf) stager {
	return func(files ...string) []staged { return stage(t, conf, liveKerberos(t, conf), files...) }
}

// submitAM submits the test's application.
func submitAM(ctx context.Context, t *testing.T, conf *hadooprpc.Conf, put stager, linger time.Duration) liveApp {
	t.Helper()
	krb := liveKerberos(t, conf)
	client, err := yarnrpc.NewClient(yarnrpc.ClientOptions{Conf: conf, User: liveUser(t), Kerberos: krb})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	binary, site := buildAM(t, conf)
	files := put(binary, site)
	app, err := client.NewApplication(ctx)
	if err != nil {
		t.Fatal(err)
	}
	creds := &hadooprpc.Credentials{}
	creds.AddSecret("cluster-secret", []byte("s3cret"))
	hdfsToken(ctx, t, conf, krb, creds)
	_, err = client.Submit(ctx, yarnrpc.Submission{
		ID: app.ID, Name: "testam", Type: "Test", Tags: []string{"Tag-" + app.ID.String()}, Queue: "default",
		Resource: yarnrpc.Resource{MemoryMB: 128, VCores: 1}, MaxAttempts: 2, AttemptFailuresValidity: time.Minute,
		AM: yarnrpc.LaunchContext{
			Resources: map[string]yarnrpc.LocalResource{"testam": files[0].resource(), "core-site.xml": files[1].resource()},
			Env: map[string]string{
				"TRICKY": trickyEnv, "TESTAM_URI": files[0].uri, "TESTAM_SIZE": fmt.Sprint(files[0].info.Size()),
				"TESTAM_MTIME": fmt.Sprint(files[0].info.ModTime().UnixMilli()), "TESTAM_LINGER": linger.String(),
			},
			Command:     yarnrpc.ShellCommand([]string{"./testam", "am", trickyArg}, "am.out", "am.err"),
			Credentials: creds,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("submitted %s", app.ID)
	return liveApp{client: client, id: app.ID}
}

func (app liveApp) wantSucceeded(ctx context.Context, t *testing.T) {
	t.Helper()
	r, err := app.client.Wait(ctx, app.id, func(r yarnrpc.Report) bool { return r.State.Ended() })
	if err != nil {
		t.Fatal(err)
	}
	if r.State != yarnrpc.AppFinished || r.FinalStatus != yarnrpc.FinalSucceeded || !strings.HasSuffix(r.Diagnostics, "all is well") {
		t.Fatalf("application ended as %s %s: %s", r.State, r.FinalStatus, r.Diagnostics)
	}
}

func TestLiveApplication(t *testing.T) {
	conf := liveConf(t)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	app := submitAM(ctx, t, conf, stageLive(t, conf), 0)
	app.check(ctx, t)
}

// check is the part of the test that holds for a real cluster and for the one of yarntest.
func (app liveApp) check(ctx context.Context, t *testing.T) {
	t.Helper()
	app.wantSucceeded(ctx, t)
	found, err := app.client.Applications(ctx, yarnrpc.Filter{Tags: []string{"Tag-" + app.id.String()}, Types: []string{"Test"}, States: []yarnrpc.AppState{yarnrpc.AppFinished}})
	if err != nil || len(found) != 1 || found[0].ID != app.id {
		t.Errorf("found by tag: %v, %v", found, err)
	}
	if err := app.client.Kill(ctx, app.id, ""); err != nil {
		t.Errorf("kill of a finished application: %v", err)
	}
}

func TestLiveQueries(t *testing.T) {
	conf := liveConf(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, err := yarnrpc.NewClient(yarnrpc.ClientOptions{Conf: conf, User: liveUser(t), Kerberos: liveKerberos(t, conf)})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	m, err := client.Metrics(ctx)
	if err != nil || m.Active < 1 {
		t.Errorf("metrics: %+v, %v", m, err)
	}
	nodes, err := client.Nodes(ctx)
	if err != nil || len(nodes) != int(m.Active) || nodes[0].Capability.MemoryMB == 0 {
		t.Errorf("nodes: %+v, %v", nodes, err)
	}
	q, err := client.Queue(ctx, "default")
	if err != nil || q == nil || !q.Running || q.Capacity != 0.5 {
		t.Errorf("queue: %+v, %v", q, err)
	}
	q, err = client.Queue(ctx, "nonesuch")
	t.Logf("unknown queue: %v, %v", q, err)
	_, err = client.Report(ctx, yarnrpc.ApplicationID{ClusterTimestamp: 1, ID: 1})
	if err == nil || !strings.Contains(err.Error(), "application not found") {
		t.Errorf("unknown application: %v", err)
	}
}

// GOFLINK_HADOOP_FAULT is a command that disturbs the cluster, such as "hadoop-local restart rm" or "hadoop-local
// kill active-rm": the application that runs meanwhile must not notice.
func TestLiveFault(t *testing.T) {
	conf := liveConf(t)
	fault := os.Getenv("GOFLINK_HADOOP_FAULT")
	if fault == "" {
		t.Skip("GOFLINK_HADOOP_FAULT names no command")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	app := submitAM(ctx, t, conf, stageLive(t, conf), 25*time.Second)
	if _, err := app.client.Wait(ctx, app.id, func(r yarnrpc.Report) bool { return r.State == yarnrpc.AppRunning }); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(ctx, "/bin/sh", "-c", fault).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", fault, err, out)
	}
	app.wantSucceeded(ctx, t)
	r, err := app.client.Report(ctx, app.id)
	if err != nil || r.Attempt.Attempt != 1 {
		t.Errorf("it took attempt %s, %v", r.Attempt, err)
	}
}
