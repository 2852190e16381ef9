package stream

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"

	"goflink/dataflow"
	"goflink/hdfsstore"
)

// fileCommitter gives parts their final names.
type fileCommitter struct{ files dataflow.FileSystems }

func newFileCommitter(ctx *SinkContext) (Committer[pendingFile], error) {
	return &fileCommitter{ctx.Files()}, nil
}

// Commit renames parts. Nothing is removed besides: files of other attempts are
// not ours to judge. What may heal is tried again.
func (c *fileCommitter) Commit(ctx context.Context, requests []*CommitRequest[pendingFile]) error {
	for _, r := range requests {
		err := c.commit(ctx, r.Committable)
		switch {
		case err == nil:
		case hdfsstore.IsTransient(err):
			r.RetryLater(err)
		default:
			return err
		}
	}
	return nil
}

func (c *fileCommitter) Close() error { return nil }

// commit renames a part, never over another file. It may have been renamed
// before, by an attempt that died before it could tell: then the destination has
// the same length and checksum. Anything else means that records would be lost
// or doubled, and fails the job.
func (c *fileCommitter) commit(ctx context.Context, p pendingFile) error {
	fsys, _, err := c.files.For(p.URI)
	if err != nil {
		return err
	}
	err = fsys.Rename(ctx, p.Tmp, p.Final)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrExist), errors.Is(err, fs.ErrNotExist):
	default:
		return fmt.Errorf("commit %s: %w", p.Final, err)
	}
	same, verr := sameContent(ctx, fsys, p)
	switch {
	case errors.Is(verr, fs.ErrNotExist):
		return fmt.Errorf("commit: both %s and %s are missing: their records are lost; were files removed from the output folder?", p.Tmp, p.Final)
	case verr != nil:
		return fmt.Errorf("verify %s: %w", p.Final, verr)
	case !same:
		return fmt.Errorf("commit: %s exists and is not the part of %d bytes that was written to %s", p.Final, p.Length, p.Tmp)
	case errors.Is(err, fs.ErrExist):
		if derr := fsys.Delete(ctx, p.Tmp, false); derr != nil { // our own part, of which the final one is a copy
			return fmt.Errorf("remove %s: %w", p.Tmp, derr)
		}
	}
	return nil
}

// sameContent compares length and checksum of the destination.
func sameContent(ctx context.Context, fsys hdfsstore.FS, p pendingFile) (bool, error) {
	f, err := fsys.Open(ctx, p.Final)
	if err != nil {
		return false, err
	}
	defer f.Close()
	if f.Size() != p.Length {
		return false, nil
	}
	h := crc32.New(castagnoli)
	if _, err := io.Copy(h, io.LimitReader(f, p.Length+1)); err != nil {
		return false, err
	}
	return h.Sum32() == p.CRC, nil
}
