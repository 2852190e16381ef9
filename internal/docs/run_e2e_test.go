//go:build e2e

package docs

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"goflink/internal/hadooptest"
	"goflink/internal/testbed"
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if _, err := os.Stat(filepath.Join(root, "bin", "flink")); err != nil {
		fmt.Fprintln(os.Stderr, "run `make build` first:", err)
		return 1
	}
	stop, err := testbed.StartReaper()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer stop()
	return hadooptest.Main(m)
}

// TestShellBlocks runs the shell blocks of each page as a reader would, in one
// shell, and looks for the output that the page shows.
func TestShellBlocks(t *testing.T) {
	for _, p := range pages(t) {
		kinds := map[string]bool{}
		for _, b := range p.blocks {
			if b.lang == "sh" {
				kinds[b.attrs["run"]] = true
			}
		}
		delete(kinds, "no")
		if len(kinds) == 0 {
			continue
		}
		t.Run(strings.NewReplacer("/", "-", ".md", "").Replace(p.name), func(t *testing.T) {
			t.Parallel()
			o := testbed.Options{Conf: ports(t)}
			if kinds["yarn"] {
				o.Hadoop = hadooptest.Start(t, hadooptest.Options{})
			}
			runPage(t, p, testbed.New(t, o))
		})
	}
}

// ports keep the clusters of pages apart that use the default ones.
func ports(t *testing.T) map[string]string {
	out := map[string]string{"taskmanager.numberOfTaskSlots": "1"}
	for _, key := range []string{"rest.port", "jobmanager.rpc.port"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		out[key] = fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
	}
	return out
}

// folders are what the pages make in the user's HDFS home.
var folders = map[string]string{"docs/first-job.md": "clicks", "docs/yarn.md": "yarn-doc", "docs/state-and-recovery.md": "state-doc"}

// pageLimit bounds a page. On an idle machine the longest one takes 25 s, most of
// it compiling; beside other work several times that.
const pageLimit = 4 * time.Minute

func runPage(t *testing.T, p *page, b *testbed.Bed) {
	work := filepath.Join(b.Home, "work")
	env := []string{"PATH=" + wrappers(t, b) + ":" + os.Getenv("PATH"), "USER=" + testbed.User}
	b.Must(os.Mkdir(work, 0o755))
	if f := folders[p.name]; f != "" {
		t.Cleanup(func() { b.Must(b.FS().Delete(context.Background(), "/user/"+testbed.User+"/"+f, true)) })
	}
	r := b.Run(testbed.Command{Limit: pageLimit, Env: env}, "bash", "-c", script(p, work))
	outputs := map[int]string{}
	for _, part := range strings.Split(r.Stdout, mark)[1:] {
		var line, seconds int
		head, text, _ := strings.Cut(part, "\n")
		fmt.Sscan(head, &line, &seconds)
		t.Logf("%s:%d begins after %d s", p.name, line, seconds)
		outputs[line] = text
	}
	if r.Code != 0 {
		t.Errorf("%s: the commands failed\n%s", p.name, r)
	}
	check(t, p, outputs)
	if b.Cluster != nil { // a killed application's folder goes with the next command
		if apps := b.Applications(); len(apps) > 0 {
			b.Flink("list", "-t", "yarn-session", "-Dyarn.application.id="+apps[len(apps)-1].ID)
		}
	}
}

// mark stands before the output of a block, with its line and the seconds of
// the shell.
const mark = "--- block "

// script is all that the page has its reader do. It begins in the repository;
// pages in docs go on in a folder of their own after their first block, which
// sets variables.
func script(p *page, work string) string {
	var s strings.Builder
	s.WriteString("set -eo pipefail; exec 2>&1\n")
	moved := p.name == "README.md"
	for _, b := range p.blocks {
		_, fails := b.attrs["fails"]
		switch {
		case b.lang == "go" && b.attrs["file"] != "":
			fmt.Fprintf(&s, "cat >%s <<'END OF BLOCK'\n%sEND OF BLOCK\n", b.attrs["file"], b.text)
		case b.lang != "sh" || b.attrs["run"] == "no":
		case fails:
			fmt.Fprintf(&s, "echo \"%s%d $SECONDS\"\nif ( %s ); then echo 'it should have failed'; exit 1; fi\n", mark, b.line, strings.TrimSpace(b.text))
		default:
			fmt.Fprintf(&s, "echo \"%s%d $SECONDS\"\n%s", mark, b.line, b.text)
			if !moved {
				fmt.Fprintf(&s, "cd '%s'\n", work)
				moved = true
			}
		}
	}
	return s.String()
}

// wrappers is a folder with the commands hdfs and yarn of the cluster, and a
// free way to everything else.
func wrappers(t *testing.T, b *testbed.Bed) string {
	t.Helper()
	dir := t.TempDir()
	if b.Cluster == nil {
		return dir
	}
	tool, err := filepath.Abs(filepath.Join(testbed.Root(), "scripts", "hadoop", "hadoop-local"))
	b.Must(err)
	for _, name := range []string{"hdfs", "yarn"} {
		text := fmt.Sprintf("#!/bin/sh\nexec '%s' --base-port %d --as %s %s \"$@\"\n", tool, b.Cluster.BasePort(), testbed.User, name)
		b.Must(os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755))
	}
	return dir
}

// check looks for the lines that stand in the text block below a shell block.
func check(t *testing.T, p *page, outputs map[int]string) {
	t.Helper()
	for i, b := range p.blocks {
		if b.lang != "text" || i == 0 || p.blocks[i-1].lang != "sh" || p.blocks[i-1].attrs["run"] == "no" {
			continue
		}
		lines := strings.Split(outputs[p.blocks[i-1].line], "\n")
		at := 0
		for _, want := range strings.Split(strings.TrimSpace(b.text), "\n") {
			re := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(want), "…", ".*") + "$")
			from := at
			for at < len(lines) && !re.MatchString(lines[at]) {
				at++
			}
			if at == len(lines) {
				t.Errorf("%s:%d: no line %q, or not behind the one above, in\n%s", p.name, b.line, want, strings.Join(lines[from:], "\n"))
				break
			}
			at++
		}
	}
}
