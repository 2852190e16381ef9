package worker

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sync/errgroup"

	"goflink/control"
	"goflink/state"
)

// fetch copies the tables of a native snapshot into a folder, each verified
// before anybody reads it: state.Env.Fetch. If they become the task's own store,
// its next checkpoints may refer to them.
func (o *opener) fetch(ctx context.Context, h state.Handle, dir string, live bool) error {
	i, err := strconv.Atoi(h.Location)
	if err != nil || i < 0 || i >= len(o.restored.handles) {
		return internalf("unknown state handle %q", h.Location)
	}
	list := o.restored.handles[i].Tables
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(transfers)
	for _, t := range list {
		g.Go(func() error {
			if err := o.fetchTable(gctx, t, dir); err != nil {
				return fmt.Errorf("state in %s: %w", t.Path, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if live {
		o.tables.of(o.restored.operators[i]).put(h.CheckpointID, list)
	}
	return nil
}

func (o *opener) fetchTable(ctx context.Context, t *control.StateFile, dir string) (err error) {
	fsys, name, err := o.files.For(t.Path)
	if err != nil {
		return err
	}
	f, err := fsys.Open(ctx, name)
	if err != nil {
		return err
	}
	defer f.Close()
	if !filepath.IsLocal(t.Name) || filepath.Base(t.Name) != t.Name || t.Offset < 0 || t.Length < 0 {
		return &fatalRestore{fmt.Errorf("the description of table %q is damaged: take an older checkpoint", t.Name)}
	}
	if t.Offset > f.Size() || t.Length > f.Size()-t.Offset {
		return &fatalRestore{fmt.Errorf("the file has %d bytes, table %s ends at %d: it is truncated; take an older checkpoint", f.Size(), t.Name, t.Offset+t.Length)}
	}
	return spoolTable(io.NewSectionReader(f, t.Offset, t.Length), t, filepath.Join(dir, t.Name))
}

// spoolTable writes a table to local disk.
func spoolTable(from io.Reader, t *control.StateFile, to string) error {
	local, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	sum := crc32.New(castagnoli)
	n, err := io.CopyBuffer(io.MultiWriter(local, sum), struct{ io.Reader }{from}, make([]byte, 1<<20))
	err = errors.Join(err, local.Close())
	if err == nil && n != t.Length {
		err = io.ErrUnexpectedEOF
	}
	if err == nil {
		err = verify(sum.Sum32(), &control.StateHandle{Offset: t.Offset, Length: t.Length, Crc32C: t.Crc32C})
	}
	return err
}
