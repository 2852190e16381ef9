package yarnrpc

import (
	"os/exec"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	pb "goflink/hadooprpc/proto/yarnproto"
)

var awkward = []string{
	"plain", "", "a b", `a"b`, "a'b", `a\b`, `a\\`, "$HOME", "`id`", "$(id)", "{{PWD}}", "{{{a}}}", `{"a":{"b":{}}}`, "}}}}", "a\nb", "*", "!x", "ü€",
	`'"'"'`, `\'`, `\"`, "~", "a;b|c&d>e<f#g",
}

// nodeManagerScript is what a NodeManager makes of an environment value and a command.
func nodeManagerScript(env, command string) string {
	expand := strings.NewReplacer("{{", "$", "}}", "")
	return "#!/bin/bash\nexport V=\"" + expand.Replace(env) + "\"\nexec /bin/bash -c \"" + expand.Replace(command) + "\"\n"
}

func TestLiteralsSurviveTheScript(t *testing.T) {
	for _, v := range awkward {
		command := `printf '%s\n--\n%s\n' \"\$V\" ` + Quote(v)
		cmd := exec.Command("/bin/bash", "-c", nodeManagerScript(escapeEnv(v), command))
		out, err := cmd.CombinedOutput()
		if want := v + "\n--\n" + v + "\n"; err != nil || string(out) != want {
			t.Errorf("%q came through as %q, %v", v, out, err)
		}
	}
}

func TestShellCommand(t *testing.T) {
	got := ShellCommand([]string{"./bin", "a b"}, "x.out", "x.err")
	if want := "exec './bin' 'a b' 1>><LOG_DIR>/x.out 2>><LOG_DIR>/x.err"; got != want {
		t.Errorf("got %s", got)
	}
}

func TestResourceURL(t *testing.T) {
	for uri, want := range map[string]*pb.URLProto{
		"hdfs://nn:8020/a/b":    {Scheme: proto.String("hdfs"), Host: proto.String("nn"), Port: proto.Int32(8020), File: proto.String("/a/b")},
		"hdfs://service1/a%20b": {Scheme: proto.String("hdfs"), Host: proto.String("service1"), Port: proto.Int32(-1), File: proto.String("/a b")},
		"file:///x":             {Scheme: proto.String("file"), Port: proto.Int32(-1), File: proto.String("/x")},
	} {
		got, err := resourceURL(uri)
		if err != nil || !proto.Equal(got, want) {
			t.Errorf("%s became %v, %v", uri, got, err)
		}
	}
	for _, uri := range []string{"", "/a", "hdfs://nn", "hdfs://nn:x/a", "a/b"} {
		if got, err := resourceURL(uri); err == nil {
			t.Errorf("%q became %v", uri, got)
		}
	}
}

func TestLaunchContext(t *testing.T) {
	l := LaunchContext{
		Resources: map[string]LocalResource{"b": {URI: "hdfs://n/b", Visibility: VisibilityPublic}, "a": {URI: "hdfs://n/a", Archive: true}},
		Env:       map[string]string{"B": "$x", "A": "1"}, EnvExpanded: map[string]string{"L": "<LOG_DIR>"},
		ViewACL: "*", ModifyACL: "bob",
	}
	p, err := l.proto()
	if err != nil {
		t.Fatal(err)
	}
	if p.LocalResources[0].GetKey() != "a" || p.LocalResources[0].GetValue().GetType() != pb.LocalResourceTypeProto_ARCHIVE ||
		p.LocalResources[0].GetValue().GetVisibility() != pb.LocalResourceVisibilityProto_APPLICATION ||
		p.LocalResources[1].GetValue().GetVisibility() != pb.LocalResourceVisibilityProto_PUBLIC {
		t.Errorf("resources %v", p.LocalResources)
	}
	if p.Environment[1].GetValue() != `\$x` || p.Environment[2].GetValue() != "<LOG_DIR>" || len(p.Application_ACLs) != 2 {
		t.Errorf("context %v", p)
	}
	l.EnvExpanded["A"] = "x"
	if _, err := l.proto(); err == nil {
		t.Error("a variable given twice was accepted")
	}
	delete(l.EnvExpanded, "A")
	l.Resources["c"] = LocalResource{URI: "hdfs://n/c", Visibility: "ODD"}
	if _, err := l.proto(); err == nil {
		t.Error("an unknown visibility was accepted")
	}
}
