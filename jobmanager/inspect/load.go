package inspect

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"goflink/control"
	"goflink/hdfsstore"
	"goflink/jobmanager/checkpoint"
)

// Load reads the metadata of a checkpoint or savepoint: uri is its folder or the _metadata in it.
func Load(ctx context.Context, files *hdfsstore.Resolver, uri string) (*checkpoint.Completed, error) {
	fsys, p, err := files.For(uri)
	if err != nil {
		return nil, err
	}
	info, err := fsys.Stat(ctx, p)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("cannot find checkpoint or savepoint file/directory '%s' on file system '%s': %w", uri, fsys.Scheme(), err)
	case err != nil:
		return nil, fmt.Errorf("checkpoint or savepoint '%s': %w", uri, err)
	}
	file := p
	if info.IsDir {
		file = p + "/" + checkpoint.MetadataName
	} else {
		p = path.Dir(p)
	}
	data, err := hdfsstore.ReadFile(ctx, fsys, file, checkpoint.MetadataLimit)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("cannot find meta data file '%s' in directory '%s': it is no checkpoint or savepoint, or one that was not completed: %w",
			checkpoint.MetadataName, uri, err)
	case err != nil:
		return nil, fmt.Errorf("checkpoint or savepoint '%s': %w", uri, err)
	}
	m, err := checkpoint.DecodeMetadata(data)
	if err != nil {
		return nil, fmt.Errorf("the metadata of '%s' cannot be used: %w", uri, err)
	}
	return completed(m, strings.TrimSuffix(hdfsstore.URI(fsys, p), "/"), int64(len(data))), nil
}

func completed(m *control.CheckpointMetadata, dir string, size int64) *checkpoint.Completed {
	c := &checkpoint.Completed{ID: m.CheckpointId, Kind: checkpoint.Kind(m.Kind), Dir: dir, Metadata: m, Size: size,
		At: time.UnixMilli(m.TimestampMs), Done: time.UnixMilli(m.TimestampMs)}
	c.Files, _ = checkpoint.FilesOf(dir, m.States)
	for _, st := range m.States {
		for _, h := range st.Keyed {
			c.Size += handleBytes(h)
		}
	}
	return c
}

// handleBytes is the size of a keyed state, its tables included.
func handleBytes(h *control.StateHandle) int64 {
	n := h.Length
	for _, t := range h.Tables {
		n += t.Length
	}
	return n
}

// Entry is a checkpoint or savepoint that was found.
type Entry struct {
	Path  string    `json:"path"`
	ID    int64     `json:"id,omitempty"`
	Kind  string    `json:"kind,omitempty"`
	Job   string    `json:"job,omitempty"`
	Taken time.Time `json:"taken,omitzero"`
	Bytes int64     `json:"bytes,omitempty"`
	Files int       `json:"files,omitempty"`
	// Error says why it cannot be used.
	Error string `json:"error,omitempty"`
}

// List finds the checkpoints and savepoints in a folder: itself, its children (savepoints, a job's checkpoints) and
// their children (the checkpoints of several jobs). Those whose metadata cannot be read are listed with the reason.
func List(ctx context.Context, files *hdfsstore.Resolver, uri string) ([]Entry, error) {
	fsys, p, err := files.For(uri)
	if err != nil {
		return nil, err
	}
	if _, err := fsys.Stat(ctx, p); err != nil {
		return nil, fmt.Errorf("folder '%s': %w", uri, err)
	}
	f := &finder{files: files, fsys: fsys}
	err = f.look(ctx, p, 2)
	return f.out, err
}

type finder struct {
	files *hdfsstore.Resolver
	fsys  hdfsstore.FS
	out   []Entry
}

func (f *finder) look(ctx context.Context, dir string, deeper int) error {
	list, err := f.fsys.List(ctx, dir)
	if err != nil {
		return err
	}
	for _, i := range list {
		if !i.IsDir && i.Name == checkpoint.MetadataName {
			f.out = append(f.out, f.entry(ctx, dir))
			return nil
		}
	}
	for _, i := range list {
		if i.IsDir && deeper > 0 {
			if err := f.look(ctx, i.Path, deeper-1); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *finder) entry(ctx context.Context, dir string) Entry {
	e := Entry{Path: strings.TrimSuffix(hdfsstore.URI(f.fsys, dir), "/")}
	c, err := Load(ctx, f.files, e.Path)
	if err != nil {
		e.Error = err.Error()
		return e
	}
	e.ID, e.Kind, e.Job, e.Taken, e.Bytes, e.Files = c.ID, string(c.Kind), c.Metadata.JobId, c.At.UTC(), c.Size, len(c.Files)
	return e
}
