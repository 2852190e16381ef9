package hdfsstore

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goflink/hadooprpc"
)

func TestResolver(t *testing.T) {
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	ha := hadooprpc.NewConf(map[string]string{
		"fs.defaultFS": "hdfs://ns1", "dfs.ha.namenodes.ns1": "a,b",
		"dfs.namenode.rpc-address.ns1.a": "h1:1", "dfs.namenode.rpc-address.ns1.b": "h2:2",
	})
	for _, c := range []struct {
		uri, scheme string // of fs.default-scheme
		conf        *hadooprpc.Conf
		want        string // the full URI, or the error
	}{
		{uri: "/a/b", want: "file:///a/b"},
		{uri: "a/../b", want: "file://" + filepath.Join(wd, "b")},
		{uri: "file:///a//b/", want: "file:///a/b"},
		{uri: "file:/a%20b", want: "file:///a b"},
		{uri: "file://localhost/a", want: "file:///a"},
		{uri: "file://other/a", want: "names a host"},
		{uri: "hdfs://h:9000/a/./b", want: "hdfs://h:9000/a/b"},
		{uri: "HDFS://h/a", want: "hdfs://h/a"},
		{uri: "hdfs://h", want: "hdfs://h/"},
		{uri: "hdfs://ns1/a", conf: ha, want: "hdfs://ns1/a"},
		{uri: "hdfs:///a", conf: ha, want: "hdfs://ns1/a"},
		{uri: "hdfs:a", conf: ha, want: "hdfs://ns1/user/eve/a"},
		{uri: "hdfs:///a", want: "HADOOP_CONF_DIR"},
		{uri: "hdfs:///a", conf: hadooprpc.NewConf(map[string]string{"fs.defaultFS": "s3://b"}), want: "fs.defaultFS is s3://b, which is not HDFS"},
		{uri: "hdfs://h:x:y/a", want: "host:port"},
		{uri: "/a", scheme: "hdfs://h:1/", want: "hdfs://h:1/a"},
		{uri: "a", scheme: "hdfs:///", conf: ha, want: "hdfs://ns1/user/eve/a"},
		{uri: "/a", scheme: "file:///", want: "file:///a"},
		{uri: "/a", scheme: "abfs://x/", want: `unknown file system scheme "abfs"`},
		{uri: "s3://bucket/x", want: `unknown file system scheme "s3" in s3://bucket/x: goflink reads and writes file:// and hdfs://`},
		{uri: "", want: "empty path"},
		{uri: "a\x00b", want: "zero byte"},
	} {
		r := NewResolver(Options{User: "eve", DefaultScheme: c.scheme, Hadoop: c.conf})
		got := ""
		fsys, p, err := r.For(c.uri)
		if err != nil {
			got = err.Error()
		} else {
			got = URI(fsys, p)
			again, _, err := r.For(c.uri)
			if err != nil || again != fsys {
				t.Errorf("%q gives another file system the second time (%v)", c.uri, err)
			}
		}
		if err == nil && got != c.want || err != nil && !strings.Contains(got, c.want) {
			t.Errorf("%q gives %s, want %s", c.uri, got, c.want)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestSystemUser(t *testing.T) {
	t.Setenv("HADOOP_USER_NAME", "")
	t.Setenv("USER", "u")
	if got := SystemUser(); got != "u" {
		t.Errorf("user %q", got)
	}
	t.Setenv("HADOOP_USER_NAME", "h")
	if got := NewResolver(Options{}).User(); got != "h" {
		t.Errorf("user %q", got)
	}
	t.Setenv("HADOOP_USER_NAME", "")
	t.Setenv("USER", "")
	if got := SystemUser(); got == "" {
		t.Error("no user")
	}
}

func TestTokens(t *testing.T) {
	token := func(service string) *hadooprpc.Token {
		return &hadooprpc.Token{Kind: hadooprpc.KindHDFSDelegation, Service: service, Identifier: []byte(service)}
	}
	var creds hadooprpc.Credentials
	creds.AddToken("a", token("127.0.0.1:8020"))
	creds.AddToken("b", token("ha-hdfs:NS1"))
	creds.AddToken("c", &hadooprpc.Token{Kind: hadooprpc.KindAMRM})
	file := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(file, creds.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		authority string
		addresses []string
		logical   bool
		want      string
	}{
		{"localhost:8020", []string{"localhost:8020"}, false, "127.0.0.1:8020"},
		{"localhost:9000", []string{"localhost:9000"}, false, ""},
		{"ns1", []string{"127.0.0.3:1"}, true, "ha-hdfs:NS1"},
	} {
		r := NewResolver(Options{TokenFile: file, User: "eve"})
		a, err := r.auth(c.authority, c.addresses, c.logical)(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if a.Token != nil {
			got = a.Token.Service
		}
		if got != c.want || a.User != "eve" {
			t.Errorf("%s: token %q of %q, want %q", c.authority, got, a.User, c.want)
		}
	}
	secure := hadooprpc.NewConf(map[string]string{"hadoop.security.authentication": "kerberos"})
	_, err := NewResolver(Options{Hadoop: secure}).auth("h", []string{"127.0.0.9:1"}, false)(t.Context())
	if err == nil || !strings.Contains(err.Error(), "kinit") {
		t.Errorf("without any credential: %v", err)
	}
}
