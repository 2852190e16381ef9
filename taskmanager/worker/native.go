package worker

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"goflink/control"
	"goflink/hdfsstore"
	"goflink/state"
)

// Native snapshots: each state store's tables are uploaded once; later
// checkpoints refer to them, as long as the JobManager says that the checkpoint
// they were part of is complete and kept (Barrier.Base). Nothing else may be
// referred to: files of a checkpoint that was given up are deleted.

// ownFile is from which size on a table is a file of its own. Smaller ones share
// packs: a NameNode suffers from files, not from bytes.
const ownFile = 8 << 20

// transfers is how many tables are up- or downloaded at once for one segment or
// task, as many as Flink takes by default.
const transfers = 4

// linking is the work of linking a native snapshot's files, which begins as soon
// as the state is frozen: until it is done, the task's writes wait in memory.
type linking struct {
	snapshot state.NativeSnapshot
	ready    chan struct{} // closed when Link is over
	err      error         // of Link
	reused   *tableBook
	uploaded int64 // bytes
	mu       struct {
		sync.Mutex
		done, released bool
	}
}

// link starts linking what a part has of native snapshots.
func (s *segments) link(p *part) {
	for i := range p.keyed {
		n, ok := p.keyed[i].snapshot.(state.NativeSnapshot)
		if !ok {
			continue
		}
		l := &linking{snapshot: n, ready: make(chan struct{}), reused: p.task.tables.of(p.keyed[i].state.OperatorId)}
		p.keyed[i].linking = l
		p.task.attempt.links.Go(func() { l.run(p.task.attempt.ctx) })
	}
}

// run links. It ends with the attempt, not with the checkpoint: what is in the
// store need not be written for the next one.
func (l *linking) run(ctx context.Context) {
	l.err = guard(func() error { return l.snapshot.Link(ctx) })
	close(l.ready)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.done = true
	if l.mu.released {
		l.snapshot.Release()
	}
}

// release frees the snapshot, now or when it is linked.
func (l *linking) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.released = true
	if l.mu.done {
		l.snapshot.Release()
	}
}

// tables are the uploaded tables of a task's state stores by operator, and
// within that by checkpoint.
type tables struct {
	mu struct {
		sync.Mutex
		byOperator map[string]*tableBook
	}
}

func (t *tables) of(operator string) *tableBook {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.byOperator == nil {
		t.mu.byOperator = map[string]*tableBook{}
	}
	if t.mu.byOperator[operator] == nil {
		t.mu.byOperator[operator] = &tableBook{}
	}
	return t.mu.byOperator[operator]
}

// tableBook says which files hold the tables of one store, by the checkpoints
// that it acknowledged or was restored from, and the tables' names.
type tableBook struct {
	mu struct {
		sync.Mutex
		at map[int64]map[string]*control.StateFile
	}
}

func (b *tableBook) put(checkpoint int64, files []*control.StateFile) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.at == nil {
		b.mu.at = map[int64]map[string]*control.StateFile{}
	}
	b.mu.at[checkpoint] = map[string]*control.StateFile{}
	for _, f := range files {
		b.mu.at[checkpoint][f.Name] = f
	}
}

// base returns the tables of a completed checkpoint and forgets older ones.
func (b *tableBook) base(checkpoint int64) map[string]*control.StateFile {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id := range b.mu.at {
		if id < checkpoint {
			delete(b.mu.at, id)
		}
	}
	return b.mu.at[checkpoint]
}

// upload makes the tables of a segment's native snapshots durable. It lives as
// long as the segment: a table that was closed without an error in one try is
// not written again in the next.
type upload struct {
	s    *segments
	seg  *segment
	dir  string // where tables go, a URI
	rel  string // before their names in handles
	mu   sync.Mutex
	made []string                      // names in dir, to delete if the segment fails
	done map[string]*control.StateFile // by local path
	live map[string]int64              // bytes in use of each file of the base
	base map[*linking]map[string]*control.StateFile
}

func newUpload(s *segments, seg *segment) *upload {
	u := &upload{s: s, seg: seg, dir: seg.barrier.Dir[:max(0, strings.LastIndexByte(seg.barrier.Dir, '/'))] + "/shared", rel: "../shared/", done: map[string]*control.StateFile{},
		live: map[string]int64{}, base: map[*linking]map[string]*control.StateFile{}}
	if k := seg.barrier.Kind; k == kindStop || k == kindSavepoint { // complete in itself
		u.dir, u.rel = seg.barrier.Dir, ""
	}
	return u
}

// prepare waits for the links and finds out what need not be uploaded.
func (u *upload) prepare() error {
	for _, p := range u.seg.parts {
		for _, k := range p.keyed {
			if k.linking == nil {
				continue
			}
			<-k.linking.ready
			if k.linking.err != nil {
				return fmt.Errorf("%s, operator %s: %w", p.task.name, p.task.operatorName(k.state.OperatorId), k.linking.err)
			}
			if u.seg.barrier.Base == 0 || u.rel == "" {
				continue
			}
			base := k.linking.reused.base(u.seg.barrier.Base)
			u.base[k.linking] = base
			for _, t := range k.linking.snapshot.Tables() {
				if f := base[t.Name]; f != nil {
					u.live[f.Path] += f.Length
				}
			}
		}
	}
	return nil
}

// known returns what an earlier upload of a table can be used again, nil for
// none: it must be of the base, and in a file at least half of which is in use.
func (u *upload) known(l *linking, t state.TableFile) *control.StateFile {
	if f := u.done[t.Path]; f != nil {
		return f
	}
	f := u.base[l][t.Name]
	if f == nil || f.Length != t.Size || 2*u.live[f.Path] < f.FileLength {
		return nil
	}
	return f
}

// pendingTable is a table to upload.
type pendingTable struct {
	state.TableFile
	of *linking
}

// run uploads what is new.
func (u *upload) run() error {
	var own, small []pendingTable
	for _, p := range u.seg.parts {
		for _, k := range p.keyed {
			if k.linking == nil {
				continue
			}
			for _, t := range k.linking.snapshot.Tables() {
				switch {
				case u.known(k.linking, t) != nil:
				case t.Size >= ownFile:
					own = append(own, pendingTable{t, k.linking})
				default:
					small = append(small, pendingTable{t, k.linking})
				}
			}
		}
	}
	if len(own)+len(small) > 0 && u.seg.barrier.Dir == "" {
		return errors.New("native snapshots need a folder: set execution.checkpointing.dir")
	}
	g, ctx := errgroup.WithContext(u.seg.ctx)
	g.SetLimit(transfers)
	for _, t := range own {
		g.Go(func() error { return u.write(ctx, "table", []pendingTable{t}) })
	}
	if len(small) > 0 {
		g.Go(func() error { return u.write(ctx, "pack", small) })
	}
	return g.Wait()
}

// write makes one file of tables.
func (u *upload) write(ctx context.Context, kind string, list []pendingTable) (err error) {
	fsys, dir, err := u.s.w.Files.For(u.dir)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("%s-e%d-%s", kind, u.seg.barrier.Epoch, uuid.NewString())
	u.mu.Lock()
	u.made = append(u.made, name)
	u.mu.Unlock()
	w, err := fsys.Create(ctx, path.Join(dir, name), hdfsstore.CreateOptions{})
	if err != nil {
		return err
	}
	var out []*control.StateFile
	at := int64(0)
	for _, t := range list {
		f := &control.StateFile{Name: t.Name, Path: u.rel + name, Offset: at, Length: t.Size}
		if f.Crc32C, err = copyTable(ctx, w, t.TableFile); err != nil {
			return errors.Join(err, w.Abort())
		}
		at += t.Size
		out = append(out, f)
	}
	if err := w.Close(); err != nil {
		return errors.Join(err, w.Abort())
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for i, f := range out {
		f.FileLength = at
		u.done[list[i].Path] = f
		list[i].of.uploaded += f.Length
	}
	return nil
}

// copyTable writes a table and returns its checksum.
func copyTable(ctx context.Context, w io.Writer, t state.TableFile) (uint32, error) {
	f, err := os.Open(t.Path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	sum := crc32.New(castagnoli)
	n, err := io.CopyBuffer(io.MultiWriter(w, sum), struct{ io.Reader }{&until{ctx, f}}, make([]byte, 1<<20))
	if err == nil && n != t.Size {
		err = internalf("table %s has %d bytes, not %d", t.Path, n, t.Size)
	}
	return sum.Sum32(), err
}

// until reads until a context ends.
type until struct {
	ctx context.Context
	r   io.Reader
}

func (u *until) Read(p []byte) (int, error) {
	if u.ctx.Err() != nil {
		return 0, context.Cause(u.ctx)
	}
	return u.r.Read(p)
}

// files are the tables of a snapshot, all of which are durable.
func (u *upload) files(l *linking) ([]*control.StateFile, error) {
	var out []*control.StateFile
	for _, t := range l.snapshot.Tables() {
		f := u.known(l, t)
		if f == nil {
			return nil, internalf("table %s was not uploaded", t.Path)
		}
		out = append(out, f)
	}
	return out, nil
}

// abort deletes what was uploaded for nothing.
func (u *upload) abort() error {
	if len(u.made) == 0 {
		return nil
	}
	fsys, dir, err := u.s.w.Files.For(u.dir)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(u.seg.ctx), 10*time.Second)
	defer cancel()
	var errs []error
	for _, name := range u.made {
		errs = append(errs, fsys.Delete(ctx, path.Join(dir, name), false))
	}
	return errors.Join(errs...)
}

// tidy deletes what tries that failed left beside the files in use.
func (u *upload) tidy() {
	used := map[string]bool{}
	for _, f := range u.done {
		used[path.Base(f.Path)] = true
	}
	var kept, left []string
	for _, name := range u.made {
		if used[name] {
			kept = append(kept, name)
		} else {
			left = append(left, name)
		}
	}
	u.made = left
	u.giveBack()
	u.made = kept
}

// giveBack deletes what was made, for nobody.
func (u *upload) giveBack() {
	if err := u.abort(); err != nil {
		u.s.w.Log.Warn("a file of a checkpoint that is not needed could not be deleted", "checkpoint", u.seg.key.checkpoint, "error", err)
	}
}

// remember notes the tables of a checkpoint, for the next that builds on it.
func (p *part) remember(checkpoint int64) {
	for _, k := range p.keyed {
		if k.linking == nil {
			continue
		}
		for _, h := range k.state.Keyed {
			k.linking.reused.put(checkpoint, h.Tables)
		}
	}
}
