package hadooprpc

import (
	"context"
	"errors"
	"os"
	"os/user"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"goflink/hadooprpc/proto/hdfsproto"
)

// The tests of this file run on the real cluster whose client configuration GOFLINK_HADOOP_CONF names (a cluster
// of scripts/hadoop; with --secure also GOFLINK_HADOOP_KEYTAB, GOFLINK_HADOOP_PRINCIPAL and KRB5_CONFIG).

func liveConf(t *testing.T) *Conf {
	t.Helper()
	dir := os.Getenv("GOFLINK_HADOOP_CONF")
	if dir == "" {
		t.Skip("GOFLINK_HADOOP_CONF names no cluster")
	}
	conf, err := LoadConf(dir)
	if err != nil {
		t.Fatal(err)
	}
	return conf
}

// tryNamenode makes a small call, and one whose request takes several wrapped pieces.
func tryNamenode(ctx context.Context, t *testing.T, conf *Conf, auth Auth) {
	t.Helper()
	c, err := NewNamenodeClient(conf, "", auth)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 3 {
		resp := &hdfsproto.GetFileInfoResponseProto{}
		if err := c.Call(ctx, "getFileInfo", &hdfsproto.GetFileInfoRequestProto{Src: proto.String("/")}, resp); err != nil || resp.GetFs() == nil {
			t.Fatalf("%v: %v", auth.Protection, err)
		}
	}
	long := "/" + strings.Repeat("x/", 200000)
	err = c.Call(ctx, "getFileInfo", &hdfsproto.GetFileInfoRequestProto{Src: proto.String(long)}, &hdfsproto.GetFileInfoResponseProto{})
	var re *RemoteError
	if err != nil && !errors.As(err, &re) {
		t.Errorf("%v: a long request: %v", auth.Protection, err)
	}
}

func TestLiveSimple(t *testing.T) {
	conf := liveConf(t)
	if conf.Secure() {
		t.Skip("the cluster is secure")
	}
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	tryNamenode(ctx, t, conf, Auth{User: u.Username})
}

// The protections tried are those of hadoop.rpc.protection: start the cluster with all three.
func TestLiveProtections(t *testing.T) {
	conf := liveConf(t)
	if !conf.Secure() {
		t.Skip("the cluster is not secure")
	}
	krb, err := LoginKeytab(os.Getenv("GOFLINK_HADOOP_PRINCIPAL"), os.Getenv("GOFLINK_HADOOP_KEYTAB"), "")
	if err != nil {
		t.Fatal(err)
	}
	defer krb.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	token, err := HDFSDelegationToken(ctx, conf, krb, "", "yarn")
	if err != nil {
		t.Fatal(err)
	}
	protections, err := conf.Protection()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range protections {
		tryNamenode(ctx, t, conf, Auth{Kerberos: krb, Protection: []string{p}})
		tryNamenode(ctx, t, conf, Auth{Token: token, Protection: []string{p}})
	}
	wrong := *token
	wrong.Password = []byte("guess")
	c, err := NewNamenodeClient(conf, "", Auth{Token: &wrong})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	err = c.Call(ctx, "getFileInfo", &hdfsproto.GetFileInfoRequestProto{Src: proto.String("/")}, &hdfsproto.GetFileInfoResponseProto{})
	if err == nil {
		t.Error("a wrong token was accepted")
	}
	t.Logf("wrong token: %v", err)
}
