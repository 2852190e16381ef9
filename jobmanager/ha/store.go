package ha

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"sync"
	"time"

	"goflink/hdfsstore"
	"goflink/jobmanager/ha/hapb"
)

// Store is the recovery store of one attempt. Its methods may be called
// concurrently; calls for the same job take effect in the order in which they
// return. Every method returns ErrFenced once a newer attempt has taken over.
type Store struct {
	fs        hdfsstore.FS // nil: keeps nothing
	dir       string
	folder    string // the open epoch folder
	temporary string // the folder of files before their rename
	epoch     int64
	o         Options

	mu struct {
		sync.Mutex
		seq     int64 // of the last file
		jobs    map[string]*entry
		removed int // removals whose records must stay, because the snapshot holds the job
		fenced  bool
		closed  bool
	}
}

// entry is what the store knows of a job: enough to remove superseded files.
type entry struct {
	inBase bool // the snapshot holds it
	ended  bool
	graph  *recordName
	update *recordName // of the graph
	chk    *recordName
	end    *recordName
}

// None returns a store that keeps nothing: high availability is switched off, and
// nothing is recovered. All its methods succeed.
func None() *Store { return &Store{} }

// Epoch is the number of this attempt; 0 without high availability.
func (s *Store) Epoch() int64 { return s.epoch }

// PutJob makes a job known, so that later attempts go on with it. A job that is
// known already is fs.ErrExist.
func (s *Store) PutJob(ctx context.Context, jobID string, jobGraph []byte) error {
	record := &hapb.Record{Body: &hapb.Record_PutJob{PutJob: &hapb.PutJob{JobId: jobID, Graph: jobGraph}}}
	return s.changeGraph(ctx, "put job", jobID, kindJob, jobGraph, record, func(e *entry, name recordName) (*entry, []*recordName) {
		return &entry{graph: &name}, nil
	})
}

// UpdateJob gives a job that is known another graph: later attempts go on with it.
func (s *Store) UpdateJob(ctx context.Context, jobID string, jobGraph []byte) error {
	record := &hapb.Record{Body: &hapb.Record_UpdateJob{UpdateJob: &hapb.UpdateJob{JobId: jobID, Graph: jobGraph}}}
	return s.changeGraph(ctx, "update job", jobID, kindUpdate, jobGraph, record, func(e *entry, name recordName) (*entry, []*recordName) {
		// The record that it began with stays: what lies between refers to it.
		old := e.update
		e.update = &name
		return e, []*recordName{old}
	})
}

// PublishCheckpoint completes a checkpoint: only when it returned nil is the
// checkpoint complete, and later attempts go on from it. After ErrUnknownOutcome
// it may or may not be: neither discard nor confirm it, but give the attempt up.
// After any other error it is not, and never will be. ctx bounds the writing of
// the pointer's file, not its rename.
func (s *Store) PublishCheckpoint(ctx context.Context, jobID string, p CheckpointPointer) error {
	if s.fs == nil {
		return nil
	}
	p.Epoch = s.epoch
	if len(p.Extra)+len(p.Path) > maxRecord-1024 {
		return fmt.Errorf("job %s: the pointer of checkpoint %d is too large", jobID, p.ID)
	}
	record := &hapb.Record{Body: &hapb.Record_PutCheckpoint{PutCheckpoint: &hapb.PutCheckpoint{JobId: jobID, Pointer: pointerToProto(p)}}}
	return s.change(ctx, "complete checkpoint", jobID, kindCheckpoint, record, func(e *entry, name recordName) (*entry, []*recordName) {
		old := e.chk
		e.chk = &name
		return e, []*recordName{old}
	})
}

// PutResult ends a job: it is never run again. Its graph and pointer are
// forgotten.
func (s *Store) PutResult(ctx context.Context, jobID string, result []byte) error {
	if s.fs == nil {
		return nil
	}
	if len(result) > maxRecord-1024 {
		return fmt.Errorf("job %s: a result of %d bytes is larger than %d", jobID, len(result), maxRecord-1024)
	}
	record := &hapb.Record{Body: &hapb.Record_PutResult{PutResult: &hapb.PutResult{JobId: jobID, Result: result}}}
	return s.change(ctx, "put result", jobID, kindResult, record, func(e *entry, name recordName) (*entry, []*recordName) {
		old := []*recordName{e.graph, e.update, e.chk}
		e.graph, e.update, e.chk, e.end, e.ended = nil, nil, nil, &name, true
		return e, old
	})
}

// RemoveJob forgets a job and its result. An unknown job is no error.
func (s *Store) RemoveJob(ctx context.Context, jobID string) error {
	if s.fs == nil {
		return nil
	}
	record := &hapb.Record{Body: &hapb.Record_RemoveJob{RemoveJob: &hapb.RemoveJob{JobId: jobID}}}
	err := s.change(ctx, "remove job", jobID, kindRemoval, record, func(e *entry, name recordName) (*entry, []*recordName) {
		old := []*recordName{e.graph, e.update, e.chk, e.end}
		if e.inBase {
			s.mu.removed++
			return nil, old
		}
		// Last, so that none of the others can be left without it.
		return nil, append(old, &name)
	})
	if errors.Is(err, errUnknownJob) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.compact(ctx)
}

var (
	errUnknownJob = errors.New("no such job in the recovery store")
	errEnded      = errors.New("the job has ended")
	errClosed     = errors.New("the recovery store is closed")
)

// allowed checks what a change wants of its job.
func (s *Store) allowed(kind, jobID string) (*entry, error) {
	e := s.mu.jobs[jobID]
	switch {
	case s.mu.fenced:
		return nil, ErrFenced
	case s.mu.closed:
		return nil, errClosed
	case kind == kindJob && e != nil:
		return nil, fmt.Errorf("the job is known already: %w", fs.ErrExist)
	case kind == kindJob:
		return nil, nil
	case e == nil:
		return nil, errUnknownJob
	case e.ended && kind != kindRemoval:
		return nil, errEnded
	}
	return e, nil
}

// update changes the entry of a job after its record was published, and returns
// the files that it superseded, in the order of their removal.
type update func(e *entry, name recordName) (*entry, []*recordName)

// changeGraph is change for a record with a job graph.
func (s *Store) changeGraph(ctx context.Context, what, jobID, kind string, jobGraph []byte, record *hapb.Record, up update) error {
	if s.fs == nil {
		return nil
	}
	if len(jobGraph) > maxRecord-1024 {
		return fmt.Errorf("job %s: a job graph of %d bytes is larger than %d", jobID, len(jobGraph), maxRecord-1024)
	}
	return s.change(ctx, what, jobID, kind, record, up)
}

// change publishes one record.
func (s *Store) change(ctx context.Context, what, jobID, kind string, record *hapb.Record, up update) error {
	if err := checkJobID(jobID); err != nil {
		return err
	}
	err := s.tryChange(ctx, jobID, kind, record, up)
	if err != nil {
		return fmt.Errorf("job %s: %s: %w", jobID, what, err)
	}
	return nil
}

func (s *Store) tryChange(ctx context.Context, jobID, kind string, record *hapb.Record, up update) error {
	s.mu.Lock()
	_, err := s.allowed(kind, jobID)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	temporary, err := s.writeTemporary(ctx, record)
	if err != nil {
		s.mu.Lock()
		s.mu.fenced = s.mu.fenced || errors.Is(err, ErrFenced)
		s.mu.Unlock()
		return err
	}
	superseded, err := s.publish(ctx, temporary, jobID, kind, up)
	if err != nil {
		return err
	}
	s.remove(ctx, superseded)
	return nil
}

// publish renames the temporary file under the next number.
func (s *Store) publish(ctx context.Context, temporary, jobID, kind string, up update) ([]*recordName, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.allowed(kind, jobID)
	if err != nil {
		s.clean(ctx, temporary)
		return nil, err
	}
	s.mu.seq++
	name := recordName{seq: s.mu.seq, kind: kind, job: jobID}
	if err := s.settle(ctx, temporary, name.in(s.folder), false); err != nil {
		s.mu.fenced = s.mu.fenced || errors.Is(err, ErrFenced)
		return nil, err
	}
	after, superseded := up(e, name)
	if after == nil {
		delete(s.mu.jobs, jobID)
	} else {
		s.mu.jobs[jobID] = after
	}
	return superseded, nil
}

// writeTemporary makes a durable file of a record. If that fails because the
// store was taken over (a new attempt removes temporary files), it says so.
func (s *Store) writeTemporary(ctx context.Context, record *hapb.Record) (string, error) {
	data, err := encode(record)
	if err != nil {
		return "", err
	}
	o := hdfsstore.CreateOptions{Perm: 0o600, NoParents: true}
	name, err := hdfsstore.WriteTemporary(ctx, s.fs, s.temporary, o, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
	if err == nil {
		return name, nil
	}
	if _, serr := s.fs.Stat(ctx, s.folder); errors.Is(serr, fs.ErrNotExist) {
		return "", errors.Join(ErrFenced, err)
	}
	return "", err
}

// settlePause is between two tries of a rename that the file system did not
// answer; it has waited itself.
const settlePause = 200 * time.Millisecond

// settle carries out a publication. It goes on when ctx ends, bounded by
// SettleTimeout: a change must not be left half known.
func (s *Store) settle(ctx context.Context, temporary, target string, replace bool) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.o.SettleTimeout)
	defer cancel()
	core := publication{replace: replace}
	rename := s.fs.Rename
	if replace {
		rename = s.fs.Replace
	}
	var cause error
	next := core.start()
	for {
		var err error
		switch next {
		case moveWaitRename:
			pause(ctx, settlePause)
			err = rename(ctx, temporary, target)
		case moveRename:
			err = rename(ctx, temporary, target)
		case moveStatFile:
			_, err = s.fs.Stat(ctx, target)
		case moveStatFolder:
			_, err = s.fs.Stat(ctx, path.Dir(target))
		case moveDelete:
			err = s.fs.Delete(ctx, temporary, false)
		default:
			return s.settled(ctx, next, temporary, cause)
		}
		if err != nil && next != moveStatFile && next != moveStatFolder {
			cause = err
		}
		next = core.step(classify(err))
	}
}

// settled turns the end of a publication into an error, and removes what is left.
func (s *Store) settled(ctx context.Context, end move, temporary string, cause error) error {
	switch end {
	case movePublished:
		return nil
	case moveFenced:
		s.clean(ctx, temporary)
		return ErrFenced
	case moveUnknown:
		return errors.Join(ErrUnknownOutcome, cause)
	case moveNotPublished:
		return fmt.Errorf("the temporary file vanished: %w", cause)
	}
	return cause
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// clean removes what nobody needs any more. A failure costs a file, no more.
func (s *Store) clean(ctx context.Context, p string) {
	if err := s.fs.Delete(context.WithoutCancel(ctx), p, true); err != nil {
		s.o.Logger.Warn("cannot clean up in the recovery store", "error", err)
	}
}

// remove removes superseded files in order, up to the first failure.
func (s *Store) remove(ctx context.Context, files []*recordName) {
	for _, f := range files {
		if f == nil {
			continue
		}
		if err := s.fs.Delete(context.WithoutCancel(ctx), f.in(s.folder), false); err != nil {
			s.o.Logger.Warn("cannot clean up in the recovery store", "error", err)
			return
		}
	}
}

// compactAfter is how many removals may wait in the folder, beside as many as
// there are jobs, until the snapshot is written anew without them: each costs the
// NameNode one file, a new snapshot the bytes of all job graphs.
const compactAfter = 32

// compact writes a new snapshot if there are many removals.
func (s *Store) compact(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.removed < max(compactAfter, len(s.mu.jobs)) {
		return nil
	}
	if s.mu.fenced {
		return ErrFenced
	}
	f, ok, err := load(ctx, s.fs, s.folder)
	if err != nil || !ok {
		// It can wait for the next removal; a successor shows then, too.
		s.o.Logger.Warn("cannot compact the recovery store", "error", err)
		return nil
	}
	s.mu.seq++
	name := recordName{seq: s.mu.seq, kind: kindSnapshot}
	temporary, err := s.writeTemporary(ctx, f.snapshot(s.mu.seq))
	if err == nil {
		err = s.settle(ctx, temporary, name.in(s.folder), false)
	}
	if err != nil {
		s.mu.fenced = s.mu.fenced || errors.Is(err, ErrFenced)
		return fmt.Errorf("compact the recovery store: %w", err)
	}
	s.mu.removed = 0
	for _, e := range s.mu.jobs {
		*e = entry{inBase: true, ended: e.ended}
	}
	s.sweep(ctx, name)
	return nil
}

// sweep removes the records that a new snapshot holds.
func (s *Store) sweep(ctx context.Context, snapshot recordName) {
	infos, err := s.fs.List(ctx, s.folder)
	if err != nil {
		s.o.Logger.Warn("cannot list the recovery store to clean it up", "error", err)
		return
	}
	for _, i := range infos {
		if r, ok := parseRecord(i.Name); ok && r.seq < snapshot.seq {
			s.remove(ctx, []*recordName{&r})
		}
	}
}

// Close ends the use of the store. With cleanup, for a cluster that has done its
// work and has told so (YARN: after the ApplicationMaster unregistered), it also
// removes the whole store, at once: a later attempt finds nothing.
func (s *Store) Close(ctx context.Context, cleanup bool) error {
	if s.fs == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.closed {
		return nil
	}
	s.mu.closed = true
	if !cleanup {
		return nil
	}
	if s.mu.fenced {
		return ErrFenced
	}
	err := s.fs.Rename(ctx, s.folder, path.Join(s.dir, epochName(closedPrefix, s.epoch)))
	if errors.Is(err, fs.ErrNotExist) {
		return ErrFenced
	}
	if err != nil {
		return fmt.Errorf("remove the recovery store: %w", err)
	}
	// A recursive removal is not atomic everywhere; a rename is.
	gone := path.Join(path.Dir(s.dir), fmt.Sprintf("%s%s-%d-removed", hdfsstore.TemporaryPrefix, path.Base(s.dir), s.epoch))
	if err := s.fs.Rename(ctx, s.dir, gone); err != nil {
		return fmt.Errorf("remove the recovery store: %w", err)
	}
	return s.fs.Delete(ctx, gone, true)
}
