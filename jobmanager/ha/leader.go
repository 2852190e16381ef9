package ha

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"goflink/hdfsstore"
	"goflink/jobmanager/ha/hapb"
)

// PutLeader announces where this attempt can be reached. It may be called again
// when that changes.
func (s *Store) PutLeader(ctx context.Context, l Leader) error {
	if s.fs == nil {
		return nil
	}
	record := &hapb.Record{Body: &hapb.Record_Leader{Leader: &hapb.Leader{
		Address: l.Address, RestAddress: l.RESTAddress, Epoch: s.epoch,
	}}}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.fenced {
		return ErrFenced
	}
	if s.mu.closed {
		return errClosed
	}
	temporary, err := s.writeTemporary(ctx, record)
	if err == nil {
		err = s.settle(ctx, temporary, path.Join(s.folder, leaderFile), true)
	}
	if err != nil {
		s.mu.fenced = s.mu.fenced || errors.Is(err, ErrFenced)
		return fmt.Errorf("announce the JobManager at %s: %w", l.Address, err)
	}
	return nil
}

// ReadLeader finds the newest JobManager of the store in dir. ErrNoLeader means
// that the newest attempt has not announced itself yet, or that there is none. It
// costs the NameNode a listing and the reading of one small file.
func ReadLeader(ctx context.Context, fsys hdfsstore.FS, dir string) (Leader, error) {
	fail := func(err error) (Leader, error) {
		if errors.Is(err, fs.ErrNotExist) {
			err = ErrNoLeader
		}
		return Leader{}, fmt.Errorf("find the JobManager in %s: %w", hdfsstore.URI(fsys, dir), err)
	}
	folders, err := listFolders(ctx, fsys, dir)
	if err != nil {
		return fail(err)
	}
	top := int64(0)
	for _, f := range folders {
		if f.open {
			top = max(top, f.number)
		}
	}
	if top == 0 {
		return fail(fs.ErrNotExist)
	}
	record, err := readRecord(ctx, fsys, path.Join(dir, epochName(openPrefix, top), leaderFile), leaderFile)
	if err != nil {
		return fail(err)
	}
	l := record.GetLeader()
	return Leader{Address: l.GetAddress(), RESTAddress: l.GetRestAddress(), Epoch: l.GetEpoch()}, nil
}
