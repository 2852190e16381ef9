package partition

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// Attempt names an attempt of a region, which writes partitions.
type Attempt struct {
	Epoch           int64 // of the JobManager
	Region, Attempt int32
}

// Key names a partition.
type Key struct {
	Attempt
	Edge, Subtask int32
}

// Store keeps the partitions of a worker, in a folder of their own.
type Store struct {
	dir string
	mu  struct {
		sync.Mutex
		whole  map[Key]bool
		closed bool
	}
}

// NewStore makes a store in a folder that is made when the first partition is.
func NewStore(dir string) *Store {
	s := &Store{dir: dir}
	s.mu.whole = map[Key]bool{}
	return s
}

func (s *Store) folder(a Attempt) string {
	return filepath.Join(s.dir, fmt.Sprintf("%d-%d-%d", a.Epoch, a.Region, a.Attempt))
}

func (s *Store) path(k Key) string {
	return filepath.Join(s.folder(k.Attempt), fmt.Sprintf("edge-%d-subtask-%d", k.Edge, k.Subtask))
}

// Create makes a writer; once it has finished, give it to Add.
func (s *Store) Create(k Key, targets int, memory int64) (*Writer, error) {
	if err := os.MkdirAll(s.folder(k.Attempt), 0o700); err != nil {
		return nil, failed("making the folder of result partitions (io.tmp.dirs): %w", err)
	}
	return Create(Options{Path: s.path(k), Targets: targets, Memory: memory})
}

// Add takes a partition that is whole.
func (s *Store) Add(k Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.mu.closed {
		s.mu.whole[k] = true
	}
}

// Open opens a partition.
func (s *Store) Open(k Key) (*Partition, error) {
	s.mu.Lock()
	known := s.mu.whole[k]
	s.mu.Unlock()
	if !known {
		return nil, failed("there is no result partition of edge %d, subtask %d, in attempt %d of region %d", k.Edge, k.Subtask, k.Attempt.Attempt, k.Region)
	}
	return Open(s.path(k))
}

// Len is how many partitions there are.
func (s *Store) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.mu.whole)
}

// Release removes what the attempts of a region up to a have written. Whoever has
// a partition open goes on reading.
func (s *Store) Release(a Attempt) error {
	return s.remove(func(k Attempt) bool {
		return k.Region == a.Region && (k.Epoch < a.Epoch || k.Epoch == a.Epoch && k.Attempt <= a.Attempt)
	})
}

// Keep removes what was written under another JobManager than that of an epoch.
func (s *Store) Keep(epoch int64) error {
	return s.remove(func(k Attempt) bool { return k.Epoch != epoch })
}

func (s *Store) remove(which func(Attempt) bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	gone := map[Attempt]bool{}
	for k := range s.mu.whole {
		if which(k.Attempt) {
			gone[k.Attempt] = true
			delete(s.mu.whole, k)
		}
	}
	for a := range gone {
		if err := os.RemoveAll(s.folder(a)); err != nil {
			errs = append(errs, failed("removing result partitions: %w", err))
		}
	}
	return errors.Join(errs...)
}

// Close removes everything.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.closed = true
	clear(s.mu.whole)
	if err := os.RemoveAll(s.dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return failed("removing result partitions: %w", err)
	}
	return nil
}
