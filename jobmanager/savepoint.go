package jobmanager

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/sync/errgroup"

	"goflink/hdfsstore"
	"goflink/jobmanager/checkpoint"
	"goflink/jobmanager/inspect"
)

// loadCheckpoint reads the metadata of a checkpoint or savepoint.
var loadCheckpoint = inspect.Load

// extents tells how long each file of a checkpoint must be at least.
func extents(c *checkpoint.Completed) map[string]int64 {
	_, length := checkpoint.FilesOf(c.Dir, c.Metadata.States)
	return length
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
	for f := range extents(c) {
		if !strings.HasPrefix(f, c.Dir+"/") && !c.Kind.IsSavepoint() { // beside the folder
			return fmt.Errorf("'%s' is a checkpoint that shares files with others; it cannot be disposed of by itself", uri)
		}
	}
	if err := fsys.Delete(ctx, p, true); err != nil {
		return fmt.Errorf("disposing of '%s': %w", uri, err)
	}
	return nil
}
