package hadooprpc

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func writeFiles(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, body := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func property(kv ...string) string {
	var b strings.Builder
	b.WriteString("<?xml version=\"1.0\"?>\n<!-- comment --><configuration>")
	for i := 0; i < len(kv); i += 2 {
		b.WriteString("<property><name>" + kv[i] + "</name><value>" + kv[i+1] + "</value></property>")
	}
	return b.String() + "</configuration>"
}

func TestConfFiles(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"core-site.xml": `<configuration xmlns:xi="http://www.w3.org/2001/XInclude">
			<property><name>fs.defaultFS</name><value> hdfs://nn:9000 </value></property>
			<property><name>locked</name><value>first</value><final>true</final></property>
			<property name="attr" value="v"/>
			<property><name>path</name><value>${base}/x/${env.UNSET_VARIABLE_OF_TEST:-d}/${unknown}</value></property>
			<property><name>loop</name><value>${loop}</value></property>
			<xi:include href="more.xml"/>
			<xi:include href="absent.xml"><xi:fallback><property><name>fell</name><value>back</value></property></xi:fallback></xi:include>
			</configuration>`,
		"more.xml":      property("base", "/b"),
		"hdfs-site.xml": property("locked", "second", "plain", "1"),
		"yarn-site.xml": property("plain", "2", "wait", "1500", "wait2", "2s", "flag", "TRUE", "list", " a, ,b "),
	})
	c, err := LoadConf(dir)
	if err != nil {
		t.Fatal(err)
	}
	for k, want := range map[string]string{
		"fs.defaultFS": "hdfs://nn:9000", "locked": "first", "attr": "v", "path": "/b/x/d/${unknown}", "base": "/b", "fell": "back",
		"plain": "2", "loop": "${loop}", "yarn.resourcemanager.address": "0.0.0.0:8032", "absent": "",
	} {
		if got := c.Get(k); got != want {
			t.Errorf("%s is %q, want %q", k, got, want)
		}
	}
	if c.Millis("wait", 0) != 1500*time.Millisecond || c.Millis("wait2", 0) != 2*time.Second || c.Millis("plain?", time.Hour) != time.Hour {
		t.Error("durations")
	}
	if !c.Bool("flag", false) || !c.Bool("absent", true) || c.Int("plain", 0) != 2 || c.Int("attr", 5) != 5 {
		t.Error("typed values")
	}
	if got := c.Strings("list"); !reflect.DeepEqual(got, []string{"a", "b"}) {
		t.Errorf("list %q", got)
	}
}

func TestConfErrors(t *testing.T) {
	for name, body := range map[string]string{
		"malformed": "<configuration><property>", "include": `<configuration><include href="absent.xml"/></configuration>`,
		"self": `<configuration><include href="core-site.xml"/></configuration>`, "remote": `<configuration><include href="http://x/y"/></configuration>`,
	} {
		dir := writeFiles(t, map[string]string{"core-site.xml": body})
		if _, err := LoadConf(dir); err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := LoadConf(t.TempDir()); err == nil {
		t.Error("an empty folder was accepted")
	}
}

func TestFindConf(t *testing.T) {
	a := writeFiles(t, map[string]string{"core-site.xml": property("who", "a"), "yarn-site.xml": property("y", "a")})
	b := writeFiles(t, map[string]string{"core-site.xml": property("who", "b")})
	home := writeFiles(t, map[string]string{"etc/hadoop/core-site.xml": property("who", "home")})
	empty := t.TempDir()
	for _, c := range []struct {
		env      map[string]string
		explicit string
		who, y   string
	}{
		{map[string]string{"HADOOP_CONF_DIR": a}, "", "a", "a"},
		{map[string]string{"HADOOP_CONF_DIR": b, "YARN_CONF_DIR": a}, "", "b", "a"},
		{map[string]string{"HADOOP_CONF_DIR": a}, b, "b", "a"},
		{map[string]string{"HADOOP_HOME": home}, "", "home", ""},
		{map[string]string{"HADOOP_HOME": home, "YARN_CONF_DIR": a}, "", "a", "a"},
		{map[string]string{"HADOOP_CONF_DIR": empty, "HADOOP_HOME": home}, "", "home", ""},
	} {
		conf, err := FindConf(func(k string) string { return c.env[k] }, c.explicit)
		if err != nil || conf.Get("who") != c.who || conf.Get("y") != c.y {
			t.Errorf("%v %q: who=%q y=%q, %v", c.env, c.explicit, conf.Get("who"), conf.Get("y"), err)
		}
	}
	_, err := FindConf(func(string) string { return "" }, "")
	if !errors.Is(err, ErrNoConf) || !strings.Contains(err.Error(), "HADOOP_CONF_DIR") {
		t.Errorf("error %v", err)
	}
	_, err = FindConf(func(k string) string { return map[string]string{"YARN_CONF_DIR": empty}[k] }, "")
	if !errors.Is(err, ErrNoConf) || !strings.Contains(err.Error(), empty) {
		t.Errorf("error %v", err)
	}
}

func TestWriteXML(t *testing.T) {
	c := NewConf(map[string]string{
		"a<b": "x&\"y'>", "base": "/b", "ref": "${base}/c", "fs.s3a.secret.key": "hidden", "ssl.server.keystore.password": "hidden",
		"hadoop.security.credential.provider.path": "jceks://x",
	})
	var out bytes.Buffer
	if err := c.WriteXML(&out); err != nil {
		t.Fatal(err)
	}
	dir := writeFiles(t, map[string]string{"core-site.xml": out.String()})
	got, err := LoadConfFile(filepath.Join(dir, "core-site.xml"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"a<b": "x&\"y'>", "base": "/b", "ref": "/b/c", "hadoop.security.credential.provider.path": "jceks://x"}
	if !reflect.DeepEqual(got.props, want) {
		t.Errorf("got %q", got.props)
	}
}

func TestAddresses(t *testing.T) {
	ha := NewConf(map[string]string{
		"fs.defaultFS": "hdfs://ns1/x", "dfs.nameservices": "ns1", "dfs.ha.namenodes.ns1": "a,b",
		"dfs.namenode.rpc-address.ns1.a": "h1:8020", "dfs.namenode.rpc-address.ns1.b": "h2", "dfs.namenode.rpc-address.single": "h3:1",
		"yarn.resourcemanager.ha.enabled": "true", "yarn.resourcemanager.ha.rm-ids": "r1, r2",
		"yarn.resourcemanager.hostname.r1": "rm1", "yarn.resourcemanager.address.r2": "rm2:99", "yarn.resourcemanager.hostname.r2": "rm2",
		"yarn.resourcemanager.principal": "yarn/_HOST@R",
	})
	for authority, want := range map[string][]string{"": {"h1:8020", "h2:8020"}, "ns1": {"h1:8020", "h2:8020"}, "single": {"h3:1"}, "x": {"x:8020"}, "x:1": {"x:1"}, "[::1]": {"[::1]:8020"}} {
		got, logical, err := ha.NamenodeAddresses(authority)
		if err != nil || !reflect.DeepEqual(got, want) || logical != (authority == "" || authority == "ns1" || authority == "single") {
			t.Errorf("%q: %v, %v, %v", authority, got, logical, err)
		}
	}
	if got, err := ha.ResourceManagers(); err != nil || !reflect.DeepEqual(got, []string{"rm1:8032", "rm2:99"}) {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := ha.Schedulers(); err != nil || !reflect.DeepEqual(got, []string{"rm1:8030", "rm2:8030"}) {
		t.Errorf("%v, %v", got, err)
	}
	if scheme, got, err := ha.ResourceManagerWeb(); err != nil || scheme != "http" || !reflect.DeepEqual(got, []string{"rm1:8088", "rm2:8088"}) {
		t.Errorf("%v, %v, %v", scheme, got, err)
	}
	if p, err := ha.Principal("yarn.resourcemanager.principal", "RM1:8032"); err != nil || p != "yarn/rm1@R" {
		t.Errorf("%s, %v", p, err)
	}
	if s, err := HDFSTokenService(ha, ""); err != nil || s != "ha-hdfs:ns1" {
		t.Errorf("%s, %v", s, err)
	}
	plain := NewConf(map[string]string{"yarn.resourcemanager.hostname": "h"})
	if got, err := plain.Schedulers(); err != nil || !reflect.DeepEqual(got, []string{"h:8030"}) {
		t.Errorf("%v, %v", got, err)
	}
	if _, _, err := plain.NamenodeAddresses(""); err == nil || !strings.Contains(err.Error(), "fs.defaultFS") {
		t.Errorf("error %v", err)
	}
}

func TestProtection(t *testing.T) {
	c := NewConf(map[string]string{"hadoop.rpc.protection": "privacy,integrity, authentication"})
	if got, err := c.Protection(); err != nil || !reflect.DeepEqual(got, []string{"auth-conf", "auth-int", "auth"}) {
		t.Errorf("%v, %v", got, err)
	}
	c.Set("hadoop.rpc.protection", "secret")
	if _, err := c.Protection(); err == nil {
		t.Error("an unknown protection was accepted")
	}
}

func FuzzConf(f *testing.F) {
	f.Add([]byte(property("a", "${b}", "b", "${a}")))
	f.Add([]byte(`<configuration><property name="a" value="b" final="true"/></configuration>`))
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := writeFiles(t, map[string]string{"core-site.xml": string(b)})
		c, err := LoadConf(dir)
		if err != nil {
			return
		}
		for _, k := range c.Keys() {
			c.Get(k)
		}
	})
}
