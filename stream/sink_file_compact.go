package stream

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/google/uuid"

	"goflink/hdfsstore"
)

// Compaction makes one file of several of a folder before they become visible, as
// Flink's FileCompactor does. The parts that all writers closed for a folder are
// kept back, hidden, until one of the limits is reached at a checkpoint, or the
// data ends. The work is done at the barrier.
type Compaction struct {
	// Checkpoints compacts each so many checkpoints; 0 sets no such limit.
	Checkpoints int
	// Files compacts at so many parts of a folder, Size at so many bytes.
	Files int
	Size  int64
	// Merge writes one file of the contents of several; nil writes one after the
	// other, which is right for lines.
	Merge func(dst io.Writer, src []io.Reader) error
}

func (c *Compaction) on() bool { return c.Checkpoints > 0 || c.Files > 0 || c.Size > 0 }

func (c *Compaction) check() error {
	switch {
	case c.Checkpoints < 0 || c.Files < 0 || c.Size < 0:
		return fmt.Errorf("compaction after %d checkpoints, %d files or %d bytes: none may be negative", c.Checkpoints, c.Files, c.Size)
	case c.Merge != nil && !c.on():
		return fmt.Errorf("compaction needs a limit: Checkpoints, Files or Size")
	}
	return nil
}

// compactor is the preCommitter of file sinks.
type compactor struct {
	c     Compaction
	ctx   *SinkContext
	since int // checkpoints since something was compacted
	// gone are parts whose content is in another file, and the first checkpoint
	// that holds that one; before it is complete a restore may need them.
	gone []pendingCommit[pendingFile]
}

func newCompactor(ctx *SinkContext, c Compaction) *compactor {
	if c.Merge == nil {
		c.Merge = func(dst io.Writer, src []io.Reader) error {
			_, err := io.Copy(dst, io.MultiReader(src...))
			return err
		}
	}
	return &compactor{c: c, ctx: ctx}
}

func (k *compactor) prepare(ctx context.Context, waiting []pendingFile, end bool) (ready, rest []pendingFile, err error) {
	k.since++
	due := end || k.c.Checkpoints > 0 && k.since >= k.c.Checkpoints
	if due {
		k.since = 0
	}
	for _, group := range byFolder(waiting) {
		if !due && !k.full(group) {
			rest = append(rest, group...)
			continue
		}
		one, err := k.merge(ctx, group)
		if err != nil {
			return nil, nil, err
		}
		ready = append(ready, one)
	}
	return ready, rest, nil
}

// byFolder groups parts, in the order of their folders; within one in that of
// their names.
func byFolder(list []pendingFile) (groups [][]pendingFile) {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b pendingFile) int {
		if c := strings.Compare(a.folder(), b.folder()); c != 0 {
			return c
		}
		return strings.Compare(a.Final, b.Final)
	})
	for i, p := range list {
		if i == 0 || p.folder() != list[i-1].folder() {
			groups = append(groups, nil)
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], p)
	}
	return groups
}

func (k *compactor) full(group []pendingFile) bool {
	size := int64(0)
	for _, p := range group {
		size += p.Length
	}
	return k.c.Files > 0 && len(group) >= k.c.Files || k.c.Size > 0 && size >= k.c.Size
}

// merge makes one part of a group.
func (k *compactor) merge(ctx context.Context, group []pendingFile) (pendingFile, error) {
	if len(group) == 1 {
		return group[0], nil
	}
	first := group[0]
	name := "compacted-" + path.Base(first.Final)
	one := pendingFile{URI: first.URI, Final: path.Join(first.folder(), name), Tmp: path.Join(first.folder(), "."+name+".inprogress."+uuid.NewString())}
	fsys, _, err := k.ctx.Files().For(first.URI)
	if err != nil {
		return one, err
	}
	w, err := fsys.Create(ctx, one.Tmp, hdfsstore.CreateOptions{})
	if err != nil {
		return one, fmt.Errorf("compaction: create %s: %w", one.Tmp, err)
	}
	sum := &summing{to: w}
	if err := k.copyAll(ctx, fsys, sum, group); err != nil {
		_ = w.Abort() // its error would hide why
		return one, fmt.Errorf("compaction into %s: %w", one.Tmp, err)
	}
	if err := w.Close(); err != nil {
		return one, fmt.Errorf("compaction: close %s: %w", one.Tmp, err)
	}
	one.Length, one.CRC = sum.n, sum.crc
	for _, p := range group {
		k.gone = append(k.gone, pendingCommit[pendingFile]{c: p})
	}
	return one, nil
}

// copyAll merges the parts and holds them against what was written.
func (k *compactor) copyAll(ctx context.Context, fsys hdfsstore.FS, dst io.Writer, group []pendingFile) error {
	readers := make([]io.Reader, len(group))
	sums := make([]*summing, len(group))
	for i, p := range group {
		f, err := fsys.Open(ctx, p.Tmp)
		if err != nil {
			return fmt.Errorf("open %s (it is gone if the job was restored from an older checkpoint than its last): %w", p.Tmp, err)
		}
		defer f.Close()
		sums[i] = &summing{}
		readers[i] = io.TeeReader(f, sums[i])
	}
	if err := k.c.Merge(dst, readers); err != nil {
		return err
	}
	for i, p := range group {
		if _, err := io.Copy(io.Discard, readers[i]); err != nil { // what Merge left
			return fmt.Errorf("read %s: %w", p.Tmp, err)
		}
		if sums[i].n != p.Length || sums[i].crc != p.CRC {
			return fmt.Errorf("%s has %d bytes, and not the %d that were written to it", p.Tmp, sums[i].n, p.Length)
		}
	}
	return nil
}

// stored tells that a checkpoint holds what was prepared so far.
func (k *compactor) stored(checkpoint int64) {
	for i := range k.gone {
		if k.gone[i].checkpoint == 0 {
			k.gone[i].checkpoint = checkpoint
		}
	}
}

// completed removes parts that no checkpoint needs any more. One that cannot be
// removed is hidden and does no harm.
func (k *compactor) completed(ctx context.Context, checkpoint int64) error {
	n := 0
	for ; n < len(k.gone) && k.gone[n].checkpoint != 0 && k.gone[n].checkpoint <= checkpoint; n++ {
		p := k.gone[n].c
		fsys, _, err := k.ctx.Files().For(p.URI)
		if err == nil {
			err = fsys.Delete(ctx, p.Tmp, false)
		}
		if err != nil {
			k.ctx.Log().Warn("a compacted part could not be removed", "file", p.Tmp, "error", err)
		}
	}
	k.gone = k.gone[n:]
	return nil
}

// summing counts and checks what it passes on.
type summing struct {
	to  io.Writer // or nil
	n   int64
	crc uint32
}

func (s *summing) Write(b []byte) (int, error) {
	n := len(b)
	if s.to != nil {
		var err error
		if n, err = s.to.Write(b); err != nil {
			return n, err
		}
	}
	s.n += int64(n)
	s.crc = crc32.Update(s.crc, castagnoli, b[:n])
	return n, nil
}
