//go:build e2e

package hdfsstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"goflink/hadooprpc"
	"goflink/hdfsstore"
	"goflink/hdfsstore/fstest"
	"goflink/internal/hadooptest"
)

// The same suite and more on a real HDFS with three DataNodes.

func TestMain(m *testing.M) { os.Exit(hadooptest.Main(m)) }

func cluster(t *testing.T) *hadooptest.Cluster {
	t.Helper()
	return hadooptest.Start(t, hadooptest.Options{Nodes: 3})
}

// quick is the cluster's HDFS with short time-outs, and a check that nothing
// leaks.
func quick(t *testing.T, c *hadooptest.Cluster) hdfsstore.FS {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	r := hdfsstore.NewResolver(hdfsstore.Options{Hadoop: c.Conf(), HDFS: hdfsstore.HDFSOptions{IOTimeout: 3 * time.Second}})
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	fsys, _, err := r.For(c.URI("/"))
	if err != nil {
		t.Fatal(err)
	}
	return fsys
}

func TestHDFS(t *testing.T) {
	fstest.Run(t, quick(t, cluster(t)), "/tmp")
}

// pattern is a megabyte that tells its place.
func pattern(file, block int) []byte {
	line := fmt.Sprintf("file %4d block %4d.", file, block)
	return bytes.Repeat([]byte(line), 1<<20/len(line))
}

const blocks = 6

// publishMany publishes files until told to stop, each of some megabytes, by
// three goroutines, and returns how many there are.
func publishMany(t *testing.T, fsys hdfsstore.FS, dir string, stop <-chan struct{}) func() int {
	var wg sync.WaitGroup
	counts := make([]int, 3)
	for g := range counts {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				n := g*1000 + counts[g]
				err := hdfsstore.Publish(t.Context(), fsys, fmt.Sprintf("%s/%d", dir, n), hdfsstore.PublishOptions{}, func(w io.Writer) error {
					for b := range blocks {
						if _, err := w.Write(pattern(n, b)); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					t.Errorf("file %d: %v", n, err)
					return
				}
				counts[g]++
			}
		})
	}
	return func() int {
		wg.Wait()
		return counts[0] + counts[1] + counts[2]
	}
}

// verifyMany reads what publishMany wrote, and demands that nothing else is there.
func verifyMany(t *testing.T, fsys hdfsstore.FS, dir string, want int) {
	t.Helper()
	infos, err := fsys.List(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(infos) != want {
		t.Errorf("%d files in %s, want %d", len(infos), dir, want)
	}
	for _, i := range infos {
		var n int
		if _, err := fmt.Sscan(i.Name, &n); err != nil {
			t.Errorf("left behind: %s", i.Name)
			continue
		}
		data, err := hdfsstore.ReadFile(t.Context(), fsys, i.Path, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		for b := range blocks {
			p := pattern(n, b)
			if !bytes.HasPrefix(data, p) {
				t.Fatalf("%s differs in block %d", i.Path, b)
			}
			data = data[len(p):]
		}
	}
	if err := fsys.Delete(t.Context(), dir, true); err != nil {
		t.Fatal(err)
	}
}

// disturb publishes files while something happens to the cluster.
func disturb(t *testing.T, c *hadooptest.Cluster, what func()) {
	fsys := quick(t, c)
	dir := "/tmp/disturbed-" + strings.ReplaceAll(t.Name(), "/", "-")
	stop := make(chan struct{})
	wait := publishMany(t, fsys, dir, stop)
	what()
	close(stop)
	n := wait()
	t.Logf("%d files", n)
	verifyMany(t, fsys, dir, n)
}

// after lets some time pass for the writers; what matters is that many files are
// written before and after, not how many.
func after(t *testing.T, d time.Duration) {
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

func TestHDFSDataNodeKilled(t *testing.T) {
	c := cluster(t)
	disturb(t, c, func() {
		after(t, time.Second)
		c.Kill("dn", "2")
		after(t, 5*time.Second)
		c.Restart("dn", "2")
		after(t, time.Second)
	})
}

func TestHDFSDataNodePaused(t *testing.T) {
	c := cluster(t)
	disturb(t, c, func() {
		after(t, time.Second)
		c.Pause("dn", "1")
		after(t, 10*time.Second)
		c.Resume("dn", "1")
		after(t, time.Second)
	})
}

func TestHDFSNameNodeRestarted(t *testing.T) {
	c := cluster(t)
	disturb(t, c, func() {
		after(t, time.Second)
		c.Kill("nn")
		after(t, time.Second)
		c.Restart("nn")
		after(t, 2*time.Second)
	})
}

func TestHDFSNameNodeFailover(t *testing.T) {
	c := hadooptest.Start(t, hadooptest.Options{HA: true})
	disturb(t, c, func() {
		after(t, time.Second)
		c.Kill("active-nn")
		after(t, 5*time.Second)
	})
}

// TestHDFSReaders reads on, in both ways, while each DataNode in turn is killed.
func TestHDFSReaders(t *testing.T) {
	c := cluster(t)
	fsys := quick(t, c)
	const file = "/tmp/readers/1"
	var data []byte
	for b := range 12 {
		data = append(data, pattern(1, b)...)
	}
	if err := hdfsstore.WriteFile(t.Context(), fsys, file, data, hdfsstore.PublishOptions{}); err != nil {
		t.Fatal(err)
	}
	f, err := fsys.Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got := make([]byte, 0, len(data))
	piece := make([]byte, len(data)/6)
	for i := range 3 {
		node := fmt.Sprint(i + 1)
		n, err := io.ReadFull(f, piece)
		got = append(got, piece[:n]...)
		if err != nil {
			t.Fatal(err)
		}
		c.Kill("dn", node)
		n, err = io.ReadFull(f, piece)
		got = append(got, piece[:n]...)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := f.ReadAt(piece, int64(i)*777777); n != len(piece) || !bytes.Equal(piece, data[i*777777:][:n]) {
			t.Fatalf("ReadAt gives %d bytes, %v", n, err)
		}
		c.Restart("dn", node)
	}
	rest, err := io.ReadAll(f)
	if err != nil || !bytes.Equal(append(got, rest...), data) {
		t.Fatalf("other content, or %v", err)
	}
}

func TestHDFSErrors(t *testing.T) {
	c := cluster(t)
	fsys := quick(t, c)
	ctx := t.Context()
	small := []byte("some bytes")
	for _, e := range []struct {
		what string
		kind error
		text string
		err  func() error
	}{
		{"a folder without permission", fs.ErrPermission, "Permission denied: user=bob", func() error {
			_, err := c.As("bob").FS().List(ctx, "/user/alice")
			return err
		}},
		{"a file in a folder without permission", fs.ErrPermission, "Permission denied: user=bob", func() error {
			return hdfsstore.WriteFile(ctx, c.As("bob").FS(), "/user/alice/x", small, hdfsstore.PublishOptions{})
		}},
		{"a space quota", hdfsstore.ErrNoSpace, "quota", func() error {
			if err := fsys.Mkdir(ctx, "/tmp/quota", 0o755); err != nil {
				return err
			}
			c.As("hdfs").HDFS("dfsadmin", "-setSpaceQuota", "1m", "/tmp/quota")
			return hdfsstore.WriteFile(ctx, fsys, "/tmp/quota/x", small, hdfsstore.PublishOptions{})
		}},
		{"safe mode", hdfsstore.ErrReadOnly, "safe mode", func() error {
			c.As("hdfs").HDFS("dfsadmin", "-safemode", "enter")
			defer c.As("hdfs").HDFS("dfsadmin", "-safemode", "leave")
			return fsys.Mkdir(ctx, "/tmp/safe", 0o755)
		}},
		{"a NameNode that is not there", nil, "127.0.0.1:1", func() error {
			r := hdfsstore.NewResolver(hdfsstore.Options{HDFS: hdfsstore.HDFSOptions{CallTimeout: time.Second}})
			defer r.Close()
			there, p, err := r.For("hdfs://127.0.0.1:1/tmp")
			if err != nil {
				return err
			}
			_, err = there.Stat(ctx, p)
			return err
		}},
	} {
		t.Run(e.what, func(t *testing.T) {
			err := e.err()
			t.Log(err)
			if err == nil || e.kind != nil && !errors.Is(err, e.kind) {
				t.Fatalf("got %v, want %v", err, e.kind)
			}
			if s := err.Error(); !strings.Contains(s, e.text) || strings.Contains(s, "\n") || strings.Contains(s, "org.apache") || strings.Contains(s, "java.") {
				t.Fatalf("unfit for a user: %q", s)
			}
		})
	}
}

// TestHDFSLease writes a file for longer than the NameNode leaves it to a writer
// that is silent (the soft limit, 60 s), while another one wants it.
func TestHDFSLease(t *testing.T) {
	c := cluster(t)
	fsys := quick(t, c)
	if testing.Short() {
		t.Skip("takes 70 s")
	}
	w, err := fsys.Create(t.Context(), "/tmp/lease", hdfsstore.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(pattern(1, 1)); err != nil {
		t.Fatal(err)
	}
	after(t, 70*time.Second)
	_, err = fsys.Create(t.Context(), "/tmp/lease", hdfsstore.CreateOptions{Overwrite: false})
	if !errors.Is(err, fs.ErrExist) {
		t.Fatalf("a second writer gets %v", err)
	}
	if _, err := w.Write(pattern(1, 2)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestHDFSToken acts as alice with nothing but her token: it is another user who
// runs the file system.
func TestHDFSToken(t *testing.T) {
	c := hadooptest.Start(t, hadooptest.Options{Nodes: 1, Settings: map[string]string{"dfs.namenode.delegation.token.always-use": "true"}})
	alice := hdfsstore.NewResolver(hdfsstore.Options{Hadoop: c.Conf(), User: "alice"})
	defer alice.Close()
	h, _, err := alice.HDFSFor(c.URI("/user/alice"))
	if err != nil {
		t.Fatal(err)
	}
	token, err := h.DelegationToken(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	var creds hadooprpc.Credentials
	creds.AddToken(token.Service, token)
	file := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(file, creds.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	bearer := hdfsstore.NewResolver(hdfsstore.Options{Hadoop: c.Conf(), User: "nobody", TokenFile: file})
	defer bearer.Close()
	fsys, dir, err := bearer.For(c.URI("/user/alice"))
	if err != nil {
		t.Fatal(err)
	}
	if err := hdfsstore.WriteFile(t.Context(), fsys, dir+"/file", pattern(1, 1), hdfsstore.PublishOptions{}); err != nil {
		t.Fatal(err)
	}
	info, err := fsys.Stat(t.Context(), dir+"/file")
	if err != nil || info.Owner != "alice" {
		t.Fatalf("%+v, %v", info, err)
	}
	if err := errors.Join(h.RenewToken(t.Context(), token), h.CancelToken(t.Context(), token)); err != nil {
		t.Fatal(err)
	}
}
