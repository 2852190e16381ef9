//go:build bench

package yarn

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"goflink/internal/testbed"
)

// product is who is measured.
type product interface {
	name() string
	// prepare sets up the user's configuration.
	prepare(b *testbed.Bed)
	// flink and session start the two commands.
	flink(b *testbed.Bed, args ...string) *testbed.Process
	session(b *testbed.Bed, stdin string, args ...string) *testbed.Process
	// program is the path of an example.
	program(name string) string
	// programBytes is how much of what lies in an application's folder are
	// programs.
	programBytes(app int64) int64
}

type ours struct{}

func (ours) name() string         { return "goflink" }
func (ours) prepare(*testbed.Bed) {}

func (ours) flink(b *testbed.Bed, args ...string) *testbed.Process {
	return b.Start(testbed.Command{}, b.Bin("flink"), args...)
}

func (ours) session(b *testbed.Bed, stdin string, args ...string) *testbed.Process {
	return b.Start(testbed.Command{Stdin: stdin}, b.Bin("yarn-session.sh"), args...)
}

func (ours) program(name string) string {
	return filepath.Join(testbed.Root(), "bin", "examples", "streaming", name)
}

func (ours) programBytes(int64) int64 { return 0 } // they are in the cache

// peer is a real Flink. Its client is started as its own bin/flink does.
type peer struct {
	home string
	opts []string // of the JVM
	t    testing.TB
}

func (*peer) name() string                      { return "Flink 1.20" }
func (*peer) programBytes(inFolder int64) int64 { return inFolder }

var optsLine = regexp.MustCompile(`(?m)^env\.java\.opts\.all: "?(.*?)"?$`)

func (p *peer) prepare(b *testbed.Bed) {
	p.t = b.T
	conf := filepath.Join(b.Home, "conf")
	b.Must(os.RemoveAll(conf))
	b.Must(os.CopyFS(conf, os.DirFS(filepath.Join(p.home, "conf"))))
	file := filepath.Join(conf, "config.yaml")
	text, err := os.ReadFile(file)
	b.Must(err)
	if m := optsLine.FindSubmatch(text); m != nil {
		p.opts = strings.Fields(string(m[1]))
	}
	text = fmt.Appendf(text, "\nyarn.tags: %s\nyarn.properties-file.location: %s\n", b.Name, filepath.Join(b.Home, "notes"))
	b.Must(os.WriteFile(file, text, 0o644))
}

func (p *peer) java(b *testbed.Bed, stdin string, args ...string) *testbed.Process {
	lib := filepath.Join(p.home, "lib")
	logs := filepath.Join(b.Home, "log")
	full := append(append([]string{}, p.opts...), "-Dlog.file="+filepath.Join(logs, "peer-client.log"), "-Djava.io.tmpdir="+filepath.Join(b.Home, "tmp"),
		"-Dlog4j.configurationFile=file:"+filepath.Join(b.Home, "conf", "log4j-cli.properties"),
		"-classpath", lib+"/*:"+b.Cluster.Getenv("HADOOP_CLASSPATH_JARS")+"/*:"+b.Cluster.ConfDir())
	return b.Start(testbed.Command{Stdin: stdin, Env: []string{"FLINK_LIB_DIR=" + lib, "FLINK_PLUGINS_DIR=" + filepath.Join(p.home, "plugins"),
		"FLINK_OPT_DIR=" + filepath.Join(p.home, "opt"), "HADOOP_CLASSPATH=" + b.Cluster.Getenv("HADOOP_CLASSPATH_JARS") + "/*"}},
		filepath.Join(b.Cluster.Getenv("JAVA_HOME"), "bin", "java"), append(full, args...)...)
}

func (p *peer) flink(b *testbed.Bed, args ...string) *testbed.Process {
	return p.java(b, "", append([]string{"org.apache.flink.client.cli.CliFrontend"}, args...)...)
}

func (p *peer) session(b *testbed.Bed, stdin string, args ...string) *testbed.Process {
	return p.java(b, stdin, append([]string{"org.apache.flink.yarn.cli.FlinkYarnSessionCli", "-j", p.find("lib", "flink-dist-*.jar")}, args...)...)
}

func (p *peer) program(name string) string {
	return p.find(filepath.Join("examples", "streaming"), "*"+name+".jar")
}

// find is the file that matches; of several the one with the shortest name:
// WordCount, not SocketWindowWordCount.
func (p *peer) find(dir, pattern string) string {
	files, err := filepath.Glob(filepath.Join(p.home, dir, pattern))
	if err != nil || len(files) == 0 {
		p.t.Fatalf("no %s in %s of %s", pattern, dir, p.home)
	}
	best := files[0]
	for _, f := range files {
		if len(f) < len(best) {
			best = f
		}
	}
	return best
}
