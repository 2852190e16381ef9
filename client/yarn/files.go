package yarn

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"
	"gopkg.in/yaml.v3"

	"goflink/appmaster/spec"
	"goflink/client/clientlog"
	"goflink/conf"
	"goflink/control"
	"goflink/graph"
	"goflink/hdfsstore"
)

// secretFile is the file in the application's folder from which later clients
// of the same user read the cluster's secret.
const secretFile = "secret"

// maxSecret bounds what is read of it.
const maxSecret = 4096

// stage uploads the files of the containers and writes the application's
// folder: the large ones first, all at once.
func (a *application) stage(ctx context.Context) (err error) {
	if a.secret, err = control.NewSecret(); err != nil {
		return err
	}
	a.made = true // RemoveApp of a folder that was never made is no error
	if err := a.d.area.MakeApp(ctx, a.id.String()); err != nil {
		return err
	}
	var flink, job, shipped []spec.Resource
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		r, err := a.flinkBinary(gctx)
		flink = append(flink, r)
		return err
	})
	g.Go(func() error {
		if a.dep.Program == nil {
			return nil
		}
		r, err := a.put(gctx, a.dep.Program.Path, a.dep.Program.SHA256, spec.ProgramBinary)
		job = append(job, r)
		return err
	})
	g.Go(func() (err error) {
		shipped, err = a.ship(gctx)
		return err
	})
	if err := g.Wait(); err != nil {
		return err
	}
	a.resources = append(append(flink, job...), shipped...)
	return a.describe(ctx, job)
}

// put stages one binary and tells what it took.
func (a *application) put(ctx context.Context, local, digest, name string) (spec.Resource, error) {
	r, n, err := a.d.area.Put(ctx, local, digest, name)
	if err == nil {
		a.d.o.Log.Info("staged", "file", local, "as", name, "sha256", digest, "bytes uploaded", n)
	}
	return r, err
}

// flinkBinary stages bin/flink, or finds the one that yarn.flink-dist-jar names.
func (a *application) flinkBinary(ctx context.Context) (spec.Resource, error) {
	local := a.d.o.Executable
	if other := conf.YarnFlinkDistJar.Get(a.conf); other != "" {
		if strings.HasPrefix(other, "hdfs:") {
			return a.inPlace(ctx, other, spec.FlinkBinary)
		}
		local = strings.TrimPrefix(other, "file://")
	}
	digest, err := digestOf(local)
	if err != nil {
		return spec.Resource{}, fmt.Errorf("the flink binary: %w", err)
	}
	return a.put(ctx, local, digest, spec.FlinkBinary)
}

func digestOf(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.CopyBuffer(h, struct{ io.Reader }{f}, make([]byte, 1<<20)); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// inPlace describes a file that is in the file system already.
func (a *application) inPlace(ctx context.Context, uri, name string) (spec.Resource, error) {
	fsys, p, err := a.d.resolver.For(uri)
	if err != nil {
		return spec.Resource{}, err
	}
	info, err := fsys.Stat(ctx, p)
	if err != nil {
		return spec.Resource{}, err
	}
	if info.IsDir {
		return spec.Resource{}, fmt.Errorf("%s is a folder: name a file", uri)
	}
	return spec.Resource{Name: name, URI: hdfsstore.URI(fsys, p), Size: info.Size, ModTimeMS: info.ModTime.UnixMilli()}, nil
}

// reserved are names that ship files may not take.
var reserved = map[string]bool{
	spec.ApplicationFile: true, spec.FlinkBinary: true, spec.ProgramBinary: true, spec.ConfigFile: true, spec.HadoopConfFile: true, spec.JobGraphFile: true,
	secretFile: true,
}

// ship stages what yarn.ship-files and yarn.ship-archives name.
func (a *application) ship(ctx context.Context) ([]spec.Resource, error) {
	var out []spec.Resource
	add := func(r spec.Resource, err error) error {
		out = append(out, r)
		return err
	}
	for i, p := range append(conf.YarnShipFiles.Get(a.conf), conf.YarnShipArchives.Get(a.conf)...) {
		archive := i >= len(conf.YarnShipFiles.Get(a.conf))
		from := len(out)
		if strings.HasPrefix(p, "hdfs:") {
			if err := add(a.inPlace(ctx, p, path.Base(p))); err != nil {
				return nil, fmt.Errorf("shipping %s: %w", p, err)
			}
		} else if err := a.shipLocal(ctx, strings.TrimPrefix(p, "file://"), add); err != nil {
			return nil, err
		}
		for j := from; j < len(out); j++ {
			out[j].Archive = archive
			if reserved[out[j].Name] {
				return nil, fmt.Errorf("shipping %s: the name %s is the cluster's own: rename the file", p, out[j].Name)
			}
		}
	}
	return out, nil
}

// shipLocal stages a file, or a folder with all below it.
func (a *application) shipLocal(ctx context.Context, local string, add func(spec.Resource, error) error) error {
	base := filepath.Dir(filepath.Clean(local))
	return filepath.WalkDir(local, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("shipping %s: %w", local, err)
		}
		if e.IsDir() {
			return ctx.Err()
		}
		name, err := filepath.Rel(base, p)
		if err != nil {
			return fmt.Errorf("shipping %s: %w", local, err)
		}
		return add(a.d.area.PutApp(ctx, a.id.String(), p, filepath.ToSlash(name)))
	})
}

// describe writes the small files of the application's folder.
func (a *application) describe(ctx context.Context, job []spec.Resource) error {
	a.effective()
	config, err := encodeConfig(a.conf)
	if err != nil {
		return err
	}
	var hadoop bytes.Buffer
	if err := a.d.hadoop.WriteXML(&hadoop); err != nil {
		return err
	}
	files := []file{{name: spec.ConfigFile, data: config}, {name: spec.HadoopConfFile, data: hadoop.Bytes()}}
	if a.dep.Graph != nil {
		a.dep.Graph.Program.Uri = job[0].URI
		data, err := graph.Encode(a.dep.Graph)
		if err != nil {
			return err
		}
		files = append(files, file{name: spec.JobGraphFile, data: data, masterOnly: true})
	}
	files = append(files, file{name: secretFile, data: []byte(hex.EncodeToString(a.secret)), unlisted: true})
	written := make([]spec.Resource, len(files))
	g, gctx := errgroup.WithContext(ctx)
	for i, f := range files {
		g.Go(func() error {
			r, err := a.d.area.WriteApp(gctx, a.id.String(), f.name, f.data)
			r.MasterOnly = f.masterOnly
			written[i] = r
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i, f := range files {
		if !f.unlisted {
			a.resources = append(a.resources, written[i])
		}
	}
	return a.writeSpec(ctx, job)
}

// file is a small file of the application's folder.
type file struct {
	name       string
	data       []byte
	masterOnly bool // for the ApplicationMaster's container only
	unlisted   bool // for no container
}

// writeSpec writes what the ApplicationMaster reads first.
func (a *application) writeSpec(ctx context.Context, job []spec.Resource) error {
	s := &spec.Application{
		ApplicationID: a.id.String(), Mode: a.dep.Mode, Name: a.name(), User: a.d.user, Dir: a.d.area.AppURI(a.id.String()), StagingDir: a.d.area.URI(),
		Resources: a.resources, ClientVersion: a.d.o.Version, ResourceManager: a.d.identity(),
	}
	if p := a.dep.Program; p != nil {
		s.Program = &spec.Program{
			SHA256: p.SHA256, Size: p.Size, URI: job[0].URI, Name: p.Name, Args: a.dep.Args, Entry: a.dep.Entry, Attached: a.dep.Attached,
			RestorePath: conf.StateRecoveryPath.Get(a.conf), RestoreAllowNonRestored: conf.StateRecoveryIgnoreUnclaimed.Get(a.conf),
			RestoreClaimMode: string(conf.StateRecoveryClaimMode.Get(a.conf)),
		}
	}
	data, err := s.Encode()
	if err != nil {
		return err
	}
	r, err := a.d.area.WriteApp(ctx, a.id.String(), spec.ApplicationFile, data)
	r.MasterOnly = true
	a.resources = append(a.resources, r)
	return err
}

// identity names the YARN cluster: its id where it has one, else the addresses
// of its ResourceManagers.
func (d *Descriptor) identity() string {
	if id, ok := d.hadoop.Lookup("yarn.resourcemanager.cluster-id"); ok && id != "" {
		return id
	}
	addrs, _ := d.hadoop.ResourceManagers() // they were good when the client was made
	return strings.Join(addrs, ",")
}

// effective turns the client's configuration into the cluster's.
func (a *application) effective() {
	for _, o := range []conf.Option[string]{conf.JobManagerBindHost, conf.TaskManagerBindHost, conf.RestBindAddress} {
		if o.Get(a.conf) == "localhost" {
			a.d.o.Console.Infof(clientlog.Descriptor, "Removing 'localhost' Key: '%s' , default: null (fallback keys: []) setting from effective configuration; using '0.0.0.0' instead.", o.Key)
			a.conf.Delete(o.Key)
		}
	}
	if n := conf.YarnInitialTaskManagers.Get(a.conf); n > 0 && !conf.SlotManagerMinSlots.IsSet(a.conf) {
		conf.SlotManagerMinSlots.Set(a.conf, n*a.shape.Slots)
	}
	for _, key := range []string{conf.RestAddress.Key, conf.JobManagerRPCAddress.Key, conf.YarnShipFiles.Key, conf.YarnShipArchives.Key, conf.YarnFlinkDistJar.Key} {
		a.conf.Delete(key) // they mean something on this host only
	}
	conf.YarnApplicationID.Set(a.conf, a.id.String())
}

// encodeConfig writes the configuration as a config.yaml with flat keys.
func encodeConfig(c *conf.Config) ([]byte, error) {
	data, err := yaml.Marshal(c.Map())
	if err != nil {
		return nil, fmt.Errorf("writing %s: %w", spec.ConfigFile, err)
	}
	if _, err := conf.ParseYAML(spec.ConfigFile, data); err != nil {
		return nil, err
	}
	return data, nil
}

// readSecret reads the secret of a cluster of the same user.
func (d *Descriptor) readSecret(ctx context.Context, id string) (control.Secret, error) {
	fsys, p, err := d.resolver.For(d.area.AppURI(id) + "/" + secretFile)
	if err != nil {
		return nil, err
	}
	data, err := hdfsstore.ReadFile(ctx, fsys, p, maxSecret)
	if err != nil {
		return nil, err
	}
	secret, err := hex.DecodeString(strings.TrimSpace(string(data)))
	if err != nil || len(secret) == 0 {
		return nil, errors.New("the file with the cluster's secret is damaged")
	}
	return secret, nil
}
