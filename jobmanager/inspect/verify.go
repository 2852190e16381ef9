package inspect

import (
	"cmp"
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"goflink/control"
	"goflink/hdfsstore"
	"goflink/jobmanager/checkpoint"
)

// Damage is something of a checkpoint that is not what was written.
type Damage struct {
	// Path is the file; the metadata's for state that lies in it.
	Path   string `json:"path"`
	Offset int64  `json:"offset"`
	Length int64  `json:"length"`
	// Operators are whose state it is, as "name (subtask)".
	Operators []string `json:"operators"`
	Reason    string   `json:"reason"`
}

// Report is the result of Verify.
type Report struct {
	Path    string   `json:"path"`
	Files   int      `json:"files"`
	Bytes   int64    `json:"bytes"`
	Extents int      `json:"extents"`
	Damages []Damage `json:"damages,omitempty"`
}

// extent is a part of a file with one checksum.
type extent struct {
	path           string
	offset, length int64
	crc            uint32
}

// readers is how many extents are read at once: enough to keep a few DataNodes busy.
const readers = 8

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Verify reads every byte that a checkpoint refers to and compares the checksums. What does not match is in the
// report; the error is for what kept it from looking.
func Verify(ctx context.Context, files *hdfsstore.Resolver, c *checkpoint.Completed) (*Report, error) {
	r := &Report{Path: c.Dir, Files: len(c.Files)}
	list, inline := extentsOf(c)
	r.Damages = append(r.Damages, inline...)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(readers)
	var mu sync.Mutex
	for e, owners := range list {
		g.Go(func() error {
			reason := check(gctx, files, e)
			if err := gctx.Err(); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			r.Extents++
			r.Bytes += e.length
			if reason != "" {
				r.Damages = append(r.Damages, Damage{Path: e.path, Offset: e.offset, Length: e.length, Operators: owners, Reason: reason})
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	slices.SortFunc(r.Damages, func(a, b Damage) int { return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Offset, b.Offset)) })
	return r, nil
}

// extentsOf lists what is to be read, each once, with whose it is; state inside the metadata is checked at once.
func extentsOf(c *checkpoint.Completed) (map[extent][]string, []Damage) {
	out := map[extent][]string{}
	var damaged []Damage
	names := map[string]string{}
	for _, op := range c.Metadata.GetOperators() {
		names[op.Id] = op.Name
	}
	for _, st := range c.Metadata.GetStates() {
		owner := fmt.Sprintf("%s (%d)", names[st.OperatorId], st.Subtask+1)
		for _, h := range st.Keyed {
			if h.Path == "" {
				damaged = append(damaged, checkInline(c, h, owner)...)
			} else {
				e := extent{checkpoint.Resolve(c.Dir, h.Path), h.Offset, h.Length, h.Crc32C}
				out[e] = append(out[e], owner)
			}
			for _, t := range h.Tables {
				e := extent{checkpoint.Resolve(c.Dir, t.Path), t.Offset, t.Length, t.Crc32C}
				out[e] = append(out[e], owner)
			}
		}
	}
	return out, damaged
}

func checkInline(c *checkpoint.Completed, h *control.StateHandle, owner string) []Damage {
	if int64(len(h.Inline)) == h.Length && crc32.Checksum(h.Inline, castagnoli) == h.Crc32C {
		return nil
	}
	return []Damage{{Path: c.Dir + "/" + checkpoint.MetadataName, Length: h.Length, Operators: []string{owner}, Reason: "the checksum of state inside the metadata does not match"}}
}

// check reads an extent and says what is wrong with it.
func check(ctx context.Context, files *hdfsstore.Resolver, e extent) string {
	fsys, p, err := files.For(e.path)
	if err != nil {
		return err.Error()
	}
	f, err := fsys.Open(ctx, p)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if e.offset > f.Size() || e.length > f.Size()-e.offset {
		return fmt.Sprintf("the file has %d bytes, the state ends at %d: it is truncated", f.Size(), e.offset+e.length)
	}
	sum := crc32.New(castagnoli)
	if _, err := io.CopyBuffer(sum, struct{ io.Reader }{io.NewSectionReader(f, e.offset, e.length)}, make([]byte, 1<<20)); err != nil {
		return err.Error()
	}
	if sum.Sum32() != e.crc {
		return fmt.Sprintf("checksum %08x, expected %08x", sum.Sum32(), e.crc)
	}
	return ""
}
