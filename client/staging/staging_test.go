package staging

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"goflink/appmaster/spec"
	"goflink/conf"
	"goflink/hdfsstore"
)

func area(t *testing.T) (*Area, string) {
	t.Helper()
	dir := t.TempDir()
	c := conf.New()
	conf.YarnStagingDirectory.Set(c, "file://"+dir)
	a, err := Open(hdfsstore.NewResolver(hdfsstore.Options{}), c, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return a, filepath.Join(dir, ".flink")
}

func program(t *testing.T, content string) (path, digest string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "job")
	if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(content))
	return path, hex.EncodeToString(sum[:])
}

func TestPutUploadsOnce(t *testing.T) {
	a, root := area(t)
	local, digest := program(t, "some program")
	first, n, err := a.Put(t.Context(), local, digest, "program")
	if err != nil {
		t.Fatal(err)
	}
	if n != int64(len("some program")) {
		t.Errorf("uploaded %d bytes", n)
	}
	second, n, err := a.Put(t.Context(), local, digest, "program")
	if err != nil {
		t.Fatal(err)
	}
	if n != 0 || second != first {
		t.Errorf("again: %d bytes, %+v, want none and %+v", n, second, first)
	}
	for _, dir := range []string{root, filepath.Join(root, "cache")} {
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v %v, want 0700", dir, info.Mode(), err)
		}
	}
	if first.Name != "program" || first.Size != 12 || !strings.HasSuffix(first.URI, "/cache/"+digest) {
		t.Errorf("resource %+v", first)
	}
}

func TestPutAtOnce(t *testing.T) {
	a, root := area(t)
	local, digest := program(t, strings.Repeat("x", 1<<20))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, _, err := a.Put(t.Context(), local, digest, "program"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	files, err := os.ReadDir(filepath.Join(root, "cache"))
	if err != nil || len(files) != 2 {
		t.Errorf("cache holds %v, %v", files, err)
	}
}

func TestPutRefusesWhatChanged(t *testing.T) {
	a, root := area(t)
	local, _ := program(t, "new content")
	_, other := program(t, "old content")
	if _, _, err := a.Put(t.Context(), local, other, "program"); err == nil || !strings.Contains(err.Error(), "changed while it was read") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(root, "cache", other)); !os.IsNotExist(err) {
		t.Errorf("an entry with the wrong content is there: %v", err)
	}
}

const running, over, unknown = "application_1_0001", "application_1_0002", "application_1_0003"

func fates(_ context.Context, id string) (Fate, error) {
	return map[string]Fate{running: Alive, over: Over, unknown: Unknown}[id], nil
}

func writeSpec(t *testing.T, a *Area, id, rm string, digests ...string) {
	t.Helper()
	s := &spec.Application{ApplicationID: id, Mode: spec.SessionMode, Dir: a.AppURI(id), StagingDir: a.URI(), ResourceManager: rm}
	for _, d := range digests {
		s.Resources = append(s.Resources, spec.Resource{Name: "flink", URI: a.URI() + "/cache/" + d})
	}
	data, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := a.MakeApp(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if _, err := a.WriteApp(t.Context(), id, spec.ApplicationFile, data); err != nil {
		t.Fatal(err)
	}
}

func TestSweep(t *testing.T) {
	a, root := area(t)
	var digests []string
	for _, content := range []string{"unused", "referenced", "of a session's job"} {
		local, d := program(t, content)
		if _, _, err := a.Put(t.Context(), local, d, "p"); err != nil {
			t.Fatal(err)
		}
		digests = append(digests, d)
	}
	writeSpec(t, a, running, "rm:1", digests[1])
	writeSpec(t, a, over, "rm:1", digests[0])
	writeSpec(t, a, unknown, "rm:1")
	if err := a.Refer(t.Context(), running, digests[2]); err != nil {
		t.Fatal(err)
	}
	sweep := func(rm string) Swept {
		t.Helper()
		s, err := a.Sweep(t.Context(), rm, fates)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if s := sweep("rm:1"); !slices.Equal(s.Applications, []string{over}) || len(s.Entries) != 0 {
		t.Errorf("fresh: swept %+v", s)
	}
	a.opts.Now = func() time.Time { return time.Now().Add(8 * 24 * time.Hour) }
	if s := sweep("rm:2"); len(s.Applications) != 0 {
		t.Errorf("another cluster's application was swept: %+v", s)
	}
	if _, err := os.Stat(filepath.Join(root, "cache", digests[0])); !os.IsNotExist(err) {
		t.Errorf("the unused entry is still there: %v", err)
	}
	for _, d := range digests[1:] {
		if _, err := os.Stat(filepath.Join(root, "cache", d)); err != nil {
			t.Errorf("an entry in use is gone: %v", err)
		}
	}
	if s := sweep("rm:1"); !slices.Equal(s.Applications, []string{unknown}) {
		t.Errorf("later: swept %+v", s)
	}
}

func TestSweepKeepsWhatIsAskedForMeanwhile(t *testing.T) {
	a, root := area(t)
	local, digest := program(t, "p")
	if _, _, err := a.Put(t.Context(), local, digest, "p"); err != nil {
		t.Fatal(err)
	}
	removed, err := a.sweepEntry(t.Context(), digest, time.Now().Add(-time.Hour))
	if err != nil || removed {
		t.Errorf("removed %v, %v", removed, err)
	}
	if _, err := os.Stat(filepath.Join(root, "cache", digest)); err != nil {
		t.Error(err)
	}
}

// overtaken is a file system on which another client replaces each file that
// this one is writing.
type overtaken struct{ hdfsstore.FS }

func (o overtaken) Create(ctx context.Context, path string, opts hdfsstore.CreateOptions) (hdfsstore.Writer, error) {
	w, err := o.FS.Create(ctx, path, opts)
	return overtakenWriter{w}, err
}

type overtakenWriter struct{ hdfsstore.Writer }

func (w overtakenWriter) Close() error {
	if err := w.Writer.Close(); err != nil {
		return err
	}
	return fs.ErrNotExist
}

// TestNoteUseOvertaken: two clients note the use of a program at once, and one
// loses its file to the other.
func TestNoteUseOvertaken(t *testing.T) {
	a, root := area(t)
	a.fsys = overtaken{a.fsys}
	if err := a.noteUse(t.Context(), filepath.Join(root, "cache", "x")); err != nil {
		t.Fatal(err)
	}
}
