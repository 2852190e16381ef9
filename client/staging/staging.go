// Package staging owns a user's folder in the cluster's file system through
// which programs and files reach YARN's containers:
//
//	<staging>/cache/<sha256>         content-addressed, shared by all submissions
//	<staging>/cache/<sha256>.used    when the entry was last asked for
//	<staging>/<application id>/      what belongs to one application
//
// Package client/yarn calls it; the ApplicationMaster removes its own folder.
//
// Goroutines and locks: none; several clients work on one area at once, and on
// one entry.
//
// Invariants:
//   - whole-or-absent: an entry appears under its digest by a rename, when all
//     its bytes were written and their digest was right.
//   - untouched: an entry's modification time never changes. YARN compares it
//     with the submitted one whenever it starts a container, for as long as the
//     application lives; use is noted in a file beside the entry.
//   - swept-when-unused: an entry goes when nobody asked for it for a week and
//     no application folder refers to it; an application folder when its
//     application is over.
package staging

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"regexp"
	"strings"
	"time"

	"goflink/appmaster/spec"
	"goflink/conf"
	"goflink/hdfsstore"
)

const (
	// rootName is the folder below the user's home, or below
	// yarn.staging-directory; Flink's own name.
	rootName  = ".flink"
	cacheName = spec.CacheDir
	// programsName is the folder in a session's folder that names the programs
	// of its jobs, so that they stay as long as the session does.
	programsName = "programs"
	// usedSuffix names the file that notes an entry's last use.
	usedSuffix = ".used"
	// unusedFor is the age at which an entry nobody asked for is swept.
	unusedFor = 7 * 24 * time.Hour
	// noteEvery is how precisely use is noted: a submission less than that
	// after another one costs the NameNode nothing.
	noteEvery = 12 * time.Hour
	// private is the permission of all folders here: programs and
	// configurations are nobody else's.
	private fs.FileMode = 0o700
	// privateFile is the permission of files; YARN makes its local copies
	// executable.
	privateFile fs.FileMode = 0o600
)

// Area is a user's staging folder.
type Area struct {
	fsys hdfsstore.FS
	root string
	opts Options
}

// Options tune an area.
type Options struct {
	// Replication is the number of copies of staged files; 0: the default of
	// the file system (yarn.file-replication).
	Replication int
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// Log hears of what is swept; nil: slog.Default.
	Log *slog.Logger
}

// Open finds the area: below yarn.staging-directory, else below the user's home
// folder on the default file system. Nothing is made yet.
func Open(r *hdfsstore.Resolver, c *conf.Config, o Options) (*Area, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if n := conf.YarnFileReplication.Get(c); n > 0 && o.Replication == 0 {
		o.Replication = n
	}
	var fsys hdfsstore.FS
	var base string
	var err error
	if dir := conf.YarnStagingDirectory.Get(c); dir != "" {
		fsys, base, err = r.For(dir)
	} else {
		fsys, base, err = r.Default()
	}
	if err != nil {
		return nil, fmt.Errorf("the staging folder (yarn.staging-directory): %w", err)
	}
	return &Area{fsys: fsys, root: path.Join(base, rootName), opts: o}, nil
}

// URI is the full name of the area's folder.
func (a *Area) URI() string { return hdfsstore.URI(a.fsys, a.root) }

// AppURI is the full name of an application's folder.
func (a *Area) AppURI(id string) string { return hdfsstore.URI(a.fsys, a.appDir(id)) }

func (a *Area) appDir(id string) string { return path.Join(a.root, id) }
func (a *Area) cache() string           { return path.Join(a.root, cacheName) }

// explain adds to an error of the folder itself what the user can do about it.
func (a *Area) explain(err error) error {
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the staging folder %s cannot be made: have the home folder made by the administrator of the file system, or set yarn.staging-directory to a folder you may write to: %w", a.URI(), err)
	}
	return err
}

var digestPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Put makes sure that the local file with this digest is in the cache, and
// returns the entry. uploaded is how many bytes it took.
func (a *Area) Put(ctx context.Context, local, digest, name string) (r spec.Resource, uploaded int64, err error) {
	if !digestPattern.MatchString(digest) {
		return r, 0, fmt.Errorf("%q is no SHA-256 digest", digest)
	}
	file := path.Join(a.cache(), digest)
	// Noted before it is looked for: a sweep that runs meanwhile sees it.
	if err := a.noteUse(ctx, file); err != nil {
		return r, 0, err
	}
	if r, ok, err := a.lookup(ctx, file, local, name); ok || err != nil {
		return r, 0, err
	}
	if uploaded, err = a.upload(ctx, local, digest, file); err != nil {
		return r, 0, fmt.Errorf("staging %s: %w", local, err)
	}
	r, err = a.resource(ctx, file, name)
	return r, uploaded, err
}

// lookup finds an entry of the right length.
func (a *Area) lookup(ctx context.Context, file, local, name string) (spec.Resource, bool, error) {
	want, err := os.Stat(local)
	if err != nil {
		return spec.Resource{}, false, err
	}
	r, err := a.resource(ctx, file, name)
	if errors.Is(err, fs.ErrNotExist) {
		return r, false, nil
	}
	if err == nil && r.Size != want.Size() { // somebody wrote there by hand
		return r, false, a.fsys.Delete(ctx, file, false)
	}
	return r, err == nil, err
}

// upload publishes the local file under its digest.
func (a *Area) upload(ctx context.Context, local, digest, file string) (int64, error) {
	var n int64
	err := hdfsstore.Publish(ctx, a.fsys, file, hdfsstore.PublishOptions{CreateOptions: a.create()}, func(w io.Writer) error {
		in, err := os.Open(local)
		if err != nil {
			return err
		}
		defer in.Close()
		sum := sha256.New()
		if n, err = io.CopyBuffer(io.MultiWriter(w, sum), struct{ io.Reader }{in}, make([]byte, 1<<20)); err != nil {
			return err
		}
		if got := hex.EncodeToString(sum.Sum(nil)); got != digest {
			return fmt.Errorf("%s changed while it was read (its digest was %s and is %s now): submit again", local, digest, got)
		}
		return nil
	})
	if errors.Is(err, fs.ErrExist) {
		return 0, nil // another client was faster with the same bytes
	}
	return n, err
}

func (a *Area) create() hdfsstore.CreateOptions {
	return hdfsstore.CreateOptions{Perm: privateFile, Replication: a.opts.Replication}
}

// resource describes a staged file as YARN wants it.
func (a *Area) resource(ctx context.Context, file, name string) (spec.Resource, error) {
	info, err := a.fsys.Stat(ctx, file)
	if err != nil {
		return spec.Resource{}, err
	}
	return spec.Resource{Name: name, URI: hdfsstore.URI(a.fsys, file), Size: info.Size, ModTimeMS: info.ModTime.UnixMilli()}, nil
}

// noteUse writes down that an entry is asked for.
func (a *Area) noteUse(ctx context.Context, file string) error {
	note := file + usedSuffix
	fresh, err := a.noted(ctx, note)
	if fresh || err != nil && !errors.Is(err, fs.ErrNotExist) {
		return a.explain(err)
	}
	if err != nil {
		if err := a.fsys.Mkdir(ctx, a.root, private); err != nil {
			return a.explain(err)
		}
		if err := a.fsys.Mkdir(ctx, a.cache(), private); err != nil {
			return a.explain(err)
		}
	}
	w, err := a.fsys.Create(ctx, note, hdfsstore.CreateOptions{Overwrite: true, Perm: privateFile})
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		// Another client that notes the same takes the file from under us.
		if fresh, _ := a.noted(ctx, note); fresh {
			return nil
		}
	}
	return a.explain(err)
}

// noted tells whether a note of use is fresh enough.
func (a *Area) noted(ctx context.Context, note string) (bool, error) {
	info, err := a.fsys.Stat(ctx, note)
	return err == nil && a.opts.Now().Sub(info.ModTime) < noteEvery, err
}

// WriteApp writes a small file into an application's folder.
func (a *Area) WriteApp(ctx context.Context, id, name string, data []byte) (spec.Resource, error) {
	file := path.Join(a.appDir(id), name)
	w, err := a.fsys.Create(ctx, file, func() hdfsstore.CreateOptions { o := a.create(); o.Overwrite = true; return o }())
	if err == nil {
		_, err = w.Write(data)
		if err != nil {
			err = errors.Join(err, w.Abort())
		} else {
			err = w.Close()
		}
	}
	if err != nil {
		return spec.Resource{}, fmt.Errorf("writing %s: %w", hdfsstore.URI(a.fsys, file), err)
	}
	return a.resource(ctx, file, name)
}

// PutApp uploads a local file into an application's folder.
func (a *Area) PutApp(ctx context.Context, id, local, name string) (spec.Resource, error) {
	in, err := os.Open(local)
	if err != nil {
		return spec.Resource{}, fmt.Errorf("shipping %s: %w", local, err)
	}
	defer in.Close()
	file := path.Join(a.appDir(id), name)
	w, err := a.fsys.Create(ctx, file, a.create())
	if err != nil {
		return spec.Resource{}, fmt.Errorf("shipping %s: %w", local, err)
	}
	if _, err = io.CopyBuffer(w, struct{ io.Reader }{in}, make([]byte, 1<<20)); err != nil {
		return spec.Resource{}, fmt.Errorf("shipping %s: %w", local, errors.Join(err, w.Abort()))
	}
	if err := w.Close(); err != nil {
		return spec.Resource{}, fmt.Errorf("shipping %s: %w", local, err)
	}
	return a.resource(ctx, file, name)
}

// Refer notes that a job of a session needs an entry of the cache.
func (a *Area) Refer(ctx context.Context, id, digest string) error {
	w, err := a.fsys.Create(ctx, path.Join(a.appDir(id), programsName, digest), hdfsstore.CreateOptions{Perm: privateFile})
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return fmt.Errorf("noting the program of a job of %s: %w", id, err)
	}
	return nil
}

// MakeApp makes an application's folder.
func (a *Area) MakeApp(ctx context.Context, id string) error {
	if err := a.fsys.Mkdir(ctx, a.root, private); err != nil {
		return a.explain(err)
	}
	if err := a.fsys.Mkdir(ctx, a.appDir(id), private); err != nil {
		return a.explain(err)
	}
	return nil
}

// RemoveApp removes an application's folder with all in it.
func (a *Area) RemoveApp(ctx context.Context, id string) error {
	if !appPattern.MatchString(id) {
		return fmt.Errorf("%q is no application id", id)
	}
	return a.fsys.Delete(ctx, a.appDir(id), true)
}

var appPattern = regexp.MustCompile(`^application_\d+_\d+$`)

// isEntry tells whether a name in the cache is that of an entry.
func isEntry(name string) bool { return digestPattern.MatchString(name) }

// entryOf cuts the suffix of a note.
func entryOf(name string) (string, bool) {
	entry, ok := strings.CutSuffix(name, usedSuffix)
	return entry, ok && isEntry(entry)
}
