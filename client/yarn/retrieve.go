package yarn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"goflink/client/clientlog"
	"goflink/client/program"
	"goflink/client/staging"
	"goflink/control"
	"goflink/yarnrpc"
)

// Retrieve finds a running cluster by its application id.
func (d *Descriptor) Retrieve(ctx context.Context, id string) (*Cluster, error) {
	app, err := yarnrpc.ParseApplicationID(id)
	if err != nil {
		return nil, err
	}
	report, err := d.rm.Report(ctx, app)
	if errors.Is(err, yarnrpc.ErrApplicationNotFound) {
		return nil, fmt.Errorf("the ResourceManager %s knows no application %s: yarn application -list shows those that run: %w", d.rm.Addr(), id, yarnrpc.ErrApplicationNotFound)
	}
	if err != nil {
		return nil, d.reach(err)
	}
	if err := d.ours(report); err != nil {
		return nil, err
	}
	if !report.State.Ended() && !registered(report) {
		if report, err = d.awaitRegistration(ctx, app); err != nil {
			return nil, err
		}
	}
	if report.State.Ended() {
		d.o.Console.Errorf(clientlog.Descriptor, "The application %s doesn't run anymore. It has previously completed with final status: %s", id, report.FinalStatus)
		return nil, sayf("The Yarn application %s doesn't run anymore.", id)
	}
	secret, err := d.readSecret(ctx, id)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("the secret of %s: %w", id, err)
	}
	return d.found(report, secret)
}

// ours tells whether an application is a cluster of this program.
func (d *Descriptor) ours(r yarnrpc.Report) error {
	if slices.Contains(r.Tags, Tag) {
		return nil
	}
	if r.User != d.user && len(r.Tags) == 0 && !registered(r) {
		return fmt.Errorf("the application %s belongs to the user %s, and %s may not view it: have it started with yarn.view.acls and yarn.modify.acls", r.ID, r.User, d.user)
	}
	return fmt.Errorf("the application %s (%q, type %q, of user %s) is no cluster of goflink", r.ID, r.Name, r.Type, r.User)
}

// awaitRegistration waits for an ApplicationMaster that is starting.
func (d *Descriptor) awaitRegistration(ctx context.Context, app yarnrpc.ApplicationID) (yarnrpc.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, max(wait(d.o.Conf), time.Minute))
	defer cancel()
	report, err := d.rm.Wait(ctx, app, func(r yarnrpc.Report) bool { return r.State.Ended() || registered(r) })
	if err != nil {
		return report, fmt.Errorf("the application %s is still starting (state %s): %w", app, report.State, err)
	}
	return report, nil
}

// found makes a cluster of an application's report.
func (d *Descriptor) found(r yarnrpc.Report, secret control.Secret) (*Cluster, error) {
	c := &Cluster{ID: r.ID, URL: r.OriginalTrackingURL, Secret: secret, Owner: r.User}
	if r.State.Ended() {
		c.URL = "" // YARN says N/A
		return c, nil
	}
	u, err := url.Parse(r.OriginalTrackingURL)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("the application %s gives %q as its address, which is none", r.ID, r.OriginalTrackingURL)
	}
	d.o.Console.Infof(clientlog.Descriptor, "Found Web Interface %s of application '%s'.", u.Host, r.ID)
	return c, nil
}

// StageProgram puts the program of a session's job into the cache, and returns
// its URI. It returns "" when the session runs as another user, who cannot read
// our cache: the program goes through REST then.
func (d *Descriptor) StageProgram(ctx context.Context, c *Cluster, f *program.File) (string, error) {
	if c.Owner != d.user {
		return "", nil
	}
	r, n, err := d.area.Put(ctx, f.Path, f.SHA256, f.Name)
	if err != nil {
		return "", err
	}
	d.o.Log.Info("staged", "file", f.Path, "sha256", f.SHA256, "bytes uploaded", n)
	return r.URI, d.area.Refer(ctx, c.ID.String(), f.SHA256)
}

// Kill ends an application the hard way and removes its folder.
func (d *Descriptor) Kill(ctx context.Context, id yarnrpc.ApplicationID, why string) error {
	if err := d.rm.Kill(ctx, id, why); err != nil {
		return err
	}
	return d.area.RemoveApp(ctx, id.String())
}

// AwaitEnd waits until an application is over and returns its report.
func (d *Descriptor) AwaitEnd(ctx context.Context, id yarnrpc.ApplicationID) (yarnrpc.Report, error) {
	return d.rm.Wait(ctx, id, func(r yarnrpc.Report) bool { return r.State.Ended() })
}

// Report is the state of an application.
func (d *Descriptor) Report(ctx context.Context, id yarnrpc.ApplicationID) (yarnrpc.Report, error) {
	return d.rm.Report(ctx, id)
}

// Sweep removes what killed applications and old submissions left in the
// user's staging folder. It is done beside other work and never a reason to
// fail: what went wrong goes to the log.
func (d *Descriptor) Sweep(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, sweepTime)
	defer cancel()
	swept, err := d.area.Sweep(ctx, d.identity(), d.fate)
	if err != nil {
		d.o.Log.Warn("sweeping the staging folder", "folder", d.area.URI(), "error", err)
	}
	if len(swept.Applications)+len(swept.Entries) > 0 {
		d.o.Log.Info("swept the staging folder", "applications", swept.Applications, "programs", swept.Entries)
	}
}

// sweepTime bounds Sweep: the next command goes on where this one stopped.
const sweepTime = 10 * time.Second

func (d *Descriptor) fate(ctx context.Context, id string) (staging.Fate, error) {
	app, err := yarnrpc.ParseApplicationID(id)
	if err != nil {
		return staging.Alive, nil // not a name that we gave
	}
	report, err := d.rm.Report(ctx, app)
	switch {
	case errors.Is(err, yarnrpc.ErrApplicationNotFound):
		return staging.Unknown, nil
	case err != nil:
		return staging.Alive, err
	case report.State.Ended():
		return staging.Over, nil
	}
	return staging.Alive, nil
}

// Find makes a cluster of a report, without a word; an application whose
// ApplicationMaster is not there is an error.
func (d *Descriptor) Find(ctx context.Context, r yarnrpc.Report) (*Cluster, error) {
	if !registered(r) {
		return nil, fmt.Errorf("the ApplicationMaster of %s is not there (state %s)", r.ID, r.State)
	}
	secret, err := d.readSecret(ctx, r.ID.String())
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("the secret of %s: %w", r.ID, err)
	}
	return &Cluster{ID: r.ID, URL: r.OriginalTrackingURL, Secret: secret, Owner: r.User}, nil
}

// registered tells whether an ApplicationMaster has given its address. YARN
// writes "N/A" where there is none.
func registered(r yarnrpc.Report) bool {
	u, err := url.Parse(r.OriginalTrackingURL)
	return r.State == yarnrpc.AppRunning && err == nil && u.Host != ""
}

// CheckSavepoint refuses a savepoint in HDFS that does not exist. Other paths
// are the cluster's to look at.
func (d *Descriptor) CheckSavepoint(ctx context.Context, uri string) error {
	if !strings.HasPrefix(uri, "hdfs:") {
		return nil
	}
	fsys, p, err := d.resolver.For(uri)
	if err != nil {
		return fmt.Errorf("the savepoint: %w", err)
	}
	if _, err = fsys.Stat(ctx, p); errors.Is(err, fs.ErrNotExist) {
		return sayf("Cannot find checkpoint or savepoint file/directory '%s' on file system 'hdfs'.", uri)
	}
	return err
}

// Downloaded is a copy of a program on this host.
type Downloaded struct {
	// Dir is a temporary folder, to be removed; Path the program in it.
	Dir, Path string
}

// Download copies a program from the cluster's file system.
func (d *Descriptor) Download(ctx context.Context, uri string) (_ *Downloaded, err error) {
	fsys, p, err := d.resolver.For(uri)
	if err != nil {
		return nil, fmt.Errorf("the program: %w", err)
	}
	in, err := fsys.Open(ctx, p)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the program %s does not exist: %w", uri, fs.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("the program %s: %w", uri, err)
	}
	defer in.Close()
	dir, err := os.MkdirTemp("", "goflink-program-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	out := &Downloaded{Dir: dir, Path: filepath.Join(dir, path.Base(p))}
	f, err := os.OpenFile(out.Path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o700)
	if err != nil {
		return nil, err
	}
	if _, err = io.CopyBuffer(f, struct{ io.Reader }{in}, make([]byte, 1<<20)); err != nil {
		return nil, fmt.Errorf("copying the program %s: %w", uri, errors.Join(err, f.Close()))
	}
	return out, f.Close()
}
