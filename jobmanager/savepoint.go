package jobmanager

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"goflink/control"
	"goflink/hdfsstore"
	"goflink/jobmanager/checkpoint"
)

// loadCheckpoint reads the metadata of a checkpoint or savepoint: uri is its
// folder or the _metadata in it.
func loadCheckpoint(ctx context.Context, files *hdfsstore.Resolver, uri string) (*checkpoint.Completed, error) {
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
	return completedOf(m, strings.TrimSuffix(hdfsstore.URI(fsys, p), "/"), int64(len(data))), nil
}

func completedOf(m *control.CheckpointMetadata, dir string, size int64) *checkpoint.Completed {
	c := &checkpoint.Completed{ID: m.CheckpointId, Kind: checkpoint.Kind(m.Kind), Dir: dir, Metadata: m, Size: size,
		At: time.UnixMilli(m.TimestampMs), Done: time.UnixMilli(m.TimestampMs)}
	for f := range extents(c) {
		c.Files = append(c.Files, f)
	}
	for _, st := range m.States {
		for _, h := range st.Keyed {
			c.Size += h.Length
		}
	}
	return c
}

// extents tells how long each file of a checkpoint must be at least.
func extents(c *checkpoint.Completed) map[string]int64 {
	out := map[string]int64{}
	for _, st := range c.Metadata.States {
		for _, h := range st.Keyed {
			if h.Path != "" {
				f := checkpoint.Resolve(c.Dir, h.Path)
				out[f] = max(out[f], h.Offset+h.Length)
			}
		}
	}
	return out
}

// verifyFiles looks whether every file of a checkpoint is there and long
// enough, before anything starts.
func verifyFiles(ctx context.Context, files *hdfsstore.Resolver, c *checkpoint.Completed) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(16) // a NameNode answers a few thousand a second
	for f, length := range extents(c) {
		g.Go(func() error {
			fsys, p, err := files.For(f)
			if err != nil {
				return err
			}
			info, err := fsys.Stat(ctx, p)
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return fmt.Errorf("'%s' is incomplete: its file '%s' is missing: %w", c.Dir, f, err)
			case err != nil:
				return err
			case info.Size < length:
				return fmt.Errorf("'%s' is truncated: its file '%s' has %d bytes of %d", c.Dir, f, info.Size, length)
			}
			return nil
		})
	}
	return g.Wait()
}

// dispose deletes a savepoint: only a folder that is one, with all in it.
func dispose(ctx context.Context, files *hdfsstore.Resolver, uri string) error {
	c, err := loadCheckpoint(ctx, files, uri)
	if err != nil {
		return err
	}
	fsys, p, err := files.For(c.Dir)
	if err != nil {
		return err
	}
	for f := range extents(c) { // of a checkpoint: files beside the folder
		if strings.HasPrefix(f, c.Dir+"/") {
			continue
		}
		if !c.Kind.IsSavepoint() && strings.HasPrefix(f, path.Dir(c.Dir)+"/shared/") {
			return fmt.Errorf("'%s' is a checkpoint that shares files with others; it cannot be disposed of by itself", uri)
		}
	}
	if err := fsys.Delete(ctx, p, true); err != nil {
		return fmt.Errorf("disposing of '%s': %w", uri, err)
	}
	return nil
}
