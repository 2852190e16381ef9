package ha

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"goflink/hdfsstore"
	"goflink/jobmanager/ha/hapb"
)

// Open takes over the recovery store in dir as the given attempt, which must be
// higher than all before it (YARN numbers the attempts of an application); 0
// takes the next free number. It returns what earlier attempts left. ErrFenced
// means that a higher attempt exists.
//
// The folder that dir lies in must exist: an application that was killed and
// whose folder was removed must not bring it back while it ends.
//
// Any other error leaves the store as good as it was: the next attempt finds all
// of it. The same attempt cannot be opened twice.
func Open(ctx context.Context, fsys hdfsstore.FS, dir string, attempt int64, o Options) (*Store, *Recovered, error) {
	if attempt < 0 || attempt > maxEpoch {
		return nil, nil, fmt.Errorf("recovery store %s: attempt %d is not between 0 and %d", hdfsstore.URI(fsys, dir), attempt, int64(maxEpoch))
	}
	s := &Store{fs: fsys, dir: path.Clean(dir), o: o.withDefaults()}
	s.mu.jobs = map[string]*entry{}
	if err := s.makeFolder(ctx, s.dir); err != nil {
		return nil, nil, fmt.Errorf("recovery store: %w", err)
	}
	taking := &opening{s: s, core: takeover{attempt: attempt}}
	if err := taking.run(ctx); err != nil {
		return nil, nil, fmt.Errorf("recovery store %s: %w", hdfsstore.URI(fsys, dir), err)
	}
	recovered := taking.found.recovered(taking.core.from)
	s.o.Logger.Info("took over the recovery store", "dir", hdfsstore.URI(fsys, dir), "epoch", s.epoch,
		"from", recovered.From, "jobs", len(recovered.Jobs), "results", len(recovered.Results))
	return s, recovered, nil
}

// makeFolder makes a folder, but none that it lies in. It may be there already.
func (s *Store) makeFolder(ctx context.Context, dir string) error {
	err := s.fs.MkdirExclusive(ctx, dir, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// opening carries out the take-over that its core decides.
type opening struct {
	s     *Store
	core  takeover
	found fold
}

func (t *opening) run(ctx context.Context) error {
	next := t.core.start()
	for {
		var e event
		var err error
		switch a := next.(type) {
		case doList:
			e, err = t.list(ctx)
		case doClaim:
			e, err = t.claim(ctx, a.number)
		case doClose:
			e, err = t.closeFolder(ctx, a.number)
		case doRead:
			e, err = t.read(ctx, a.number)
		case doWrite:
			e, err = t.write(ctx, a.number)
		case lead:
			t.lead(ctx, a)
			return nil
		case giveWay:
			if a.to > 0 {
				return fmt.Errorf("attempt %d has been there: %w", a.to, ErrFenced)
			}
			return ErrFenced
		default:
			return errors.New("other attempts take over all the time")
		}
		if err != nil {
			return err
		}
		next = t.core.step(e)
	}
}

func (t *opening) list(ctx context.Context) (event, error) {
	folders, err := listFolders(ctx, t.s.fs, t.s.dir)
	return listed{folders}, err
}

// listFolders are the epoch folders of a store.
func listFolders(ctx context.Context, fsys hdfsstore.FS, dir string) ([]folder, error) {
	infos, err := fsys.List(ctx, dir)
	if err != nil {
		return nil, err
	}
	var out []folder
	for _, i := range infos {
		if f, ok := parseFolder(i.Name); ok && i.IsDir {
			out = append(out, f)
		}
	}
	return out, nil
}

func (t *opening) claim(ctx context.Context, n int64) (event, error) {
	err := t.s.fs.MkdirExclusive(ctx, path.Join(t.s.dir, epochName(openPrefix, n)), 0o700)
	if errors.Is(err, fs.ErrExist) {
		return claimDone{existed: true}, nil
	}
	return claimDone{}, err
}

// closeFolder renames an open folder. If a closed one of its number exists, two
// processes ran as that attempt, and the second one's claim came after the first
// was closed: it published nothing, and any other name takes its ground away.
func (t *opening) closeFolder(ctx context.Context, n int64) (event, error) {
	from := path.Join(t.s.dir, epochName(openPrefix, n))
	err := t.s.fs.Rename(ctx, from, path.Join(t.s.dir, epochName(closedPrefix, n)))
	if errors.Is(err, fs.ErrExist) {
		stale := fmt.Sprintf("%s-%d", epochName(stalePrefix, n), t.core.claimed)
		err = t.s.fs.Rename(ctx, from, path.Join(t.s.dir, stale))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return closeDone{gone: true}, nil
	}
	return closeDone{}, err
}

func (t *opening) read(ctx context.Context, n int64) (event, error) {
	dir := path.Join(t.s.dir, epochName(closedPrefix, n))
	found, ok, err := load(ctx, t.s.fs, dir)
	if errors.Is(err, fs.ErrNotExist) {
		if _, serr := t.s.fs.Stat(ctx, dir); errors.Is(serr, fs.ErrNotExist) {
			return readDone{gone: true}, nil
		}
	}
	if err != nil {
		return nil, err
	}
	if ok {
		t.found = found
	}
	return readDone{found: ok}, nil
}

// write publishes the snapshot that makes the epoch count.
func (t *opening) write(ctx context.Context, n int64) (event, error) {
	s := t.s
	s.epoch, s.folder = n, path.Join(s.dir, epochName(openPrefix, n))
	s.temporary = path.Join(s.dir, epochName(temporaryPrefix, n))
	err := s.makeFolder(ctx, s.temporary)
	var temporary string
	if err == nil {
		temporary, err = s.writeTemporary(ctx, t.found.snapshot(0))
	}
	if err == nil {
		err = s.settle(ctx, temporary, recordName{kind: kindSnapshot}.in(s.folder), false)
	}
	if errors.Is(err, ErrFenced) {
		return writeDone{fenced: true}, nil
	}
	return writeDone{}, err
}

// lead starts the table of jobs and removes what the new epoch made needless.
func (t *opening) lead(ctx context.Context, a lead) {
	s := t.s
	for _, j := range t.found.jobs {
		s.mu.jobs[j.GetJobId()] = &entry{inBase: true, ended: j.GetEnded()}
	}
	infos, err := s.fs.List(ctx, s.dir)
	if err != nil {
		s.o.Logger.Warn("cannot list the recovery store to clean it up", "error", err)
		return
	}
	for _, i := range infos {
		temporary, ok := parseTemporary(i.Name)
		f, isFolder := parseFolder(i.Name)
		if ok && temporary < a.number || isFolder && !f.open && f.number < a.number {
			s.clean(ctx, path.Join(s.dir, i.Name))
		}
	}
}

// loadTries bounds the readings of a folder in which files vanish meanwhile: an
// attempt that was just closed may still be removing what it had superseded.
const loadTries = 5

// load reads the state of an epoch folder; ok is false without a snapshot.
func load(ctx context.Context, fsys hdfsstore.FS, dir string) (f fold, ok bool, err error) {
	for range loadTries {
		f, ok, err = loadOnce(ctx, fsys, dir)
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return f, ok, err
}

func loadOnce(ctx context.Context, fsys hdfsstore.FS, dir string) (fold, bool, error) {
	infos, err := fsys.List(ctx, dir)
	if err != nil {
		return fold{}, false, err
	}
	var records []recordName
	base := int64(-1)
	for _, i := range infos {
		r, ok := parseRecord(i.Name)
		if !ok {
			continue
		}
		records = append(records, r)
		if r.kind == kindSnapshot {
			base = max(base, r.seq)
		}
	}
	if base < 0 {
		return fold{}, false, nil
	}
	slices.SortFunc(records, func(a, b recordName) int { return int(a.seq - b.seq) })
	var f fold
	for _, r := range records {
		// A snapshot holds all up to its number.
		if r.seq < base || r.seq == base && r.kind != kindSnapshot {
			continue
		}
		record, err := readRecord(ctx, fsys, r.in(dir), r.kind)
		if err != nil {
			return fold{}, false, err
		}
		f.apply(r.seq, record)
	}
	return f, true, nil
}

func readRecord(ctx context.Context, fsys hdfsstore.FS, file, kind string) (*hapb.Record, error) {
	limit := int64(maxRecord)
	if kind == kindSnapshot {
		limit = maxSnapshot
	}
	data, err := hdfsstore.ReadFile(ctx, fsys, file, limit+int64(headerSize))
	if err != nil {
		return nil, err
	}
	r, err := decode(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", hdfsstore.URI(fsys, file), err)
	}
	if k := kindOf(r); k != kind {
		return nil, fmt.Errorf("%s: %w: it holds a record of kind %s", hdfsstore.URI(fsys, file), ErrCorrupt, k)
	}
	return r, nil
}

func kindOf(r *hapb.Record) string {
	switch r.GetBody().(type) {
	case *hapb.Record_Snapshot:
		return kindSnapshot
	case *hapb.Record_PutJob:
		return kindJob
	case *hapb.Record_UpdateJob:
		return kindUpdate
	case *hapb.Record_PutCheckpoint:
		return kindCheckpoint
	case *hapb.Record_PutResult:
		return kindResult
	case *hapb.Record_RemoveJob:
		return kindRemoval
	case *hapb.Record_Leader:
		return leaderFile
	}
	return "unknown"
}
