package pebblestate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"goflink/state"
)

var _ state.FileStore = (*Store)(nil)

// Below implements state.FileStore.
func (s *Store) Below() state.ByteBatch { return &batch{s: s, b: s.db.NewBatch(), below: true} }

// Link implements state.FileStore.
func (s *Store) Link(dir string) error {
	if err := s.failed(); err != nil {
		return err
	}
	if err := s.db.Flush(); err != nil {
		return err
	}
	return s.db.Checkpoint(dir)
}

// lastKey is behind all keys: key groups have 15 bits.
var lastKey = []byte{0xff, 0xff}

// Clip implements state.FileStore, by virtual tables: no table is rewritten.
func (s *Store) Clip(start, end []byte) error {
	for _, r := range []pebble.KeyRange{{Start: []byte{}, End: start}, {Start: end, End: lastKey}} {
		if string(r.Start) >= string(r.End) {
			continue
		}
		if err := s.db.Excise(context.Background(), r); err != nil {
			return err
		}
	}
	return nil
}

// ingestSize is when Ingest begins another table.
const ingestSize = 32 << 20

// Ingest implements state.FileStore: rows that come in the order of their keys become tables without passing
// through a write buffer.
func (s *Store) Ingest(dir string, rows func(emit func(key, val []byte) error) error) (err error) {
	in := &ingestion{s: s, dir: dir}
	defer func() {
		for _, f := range in.files {
			if rerr := os.Remove(f); rerr != nil && !errors.Is(rerr, os.ErrNotExist) {
				err = errors.Join(err, rerr)
			}
		}
	}()
	if err := rows(in.add); err != nil {
		return errors.Join(err, in.close())
	}
	if err := in.close(); err != nil || len(in.files) == 0 {
		return err
	}
	return s.db.Ingest(context.Background(), in.files)
}

// ingestion writes tables.
type ingestion struct {
	s     *Store
	dir   string
	files []string
	w     *sstable.Writer
}

func (in *ingestion) add(key, val []byte) error {
	if in.w == nil {
		name := filepath.Join(in.dir, fmt.Sprintf("ingest-%d.sst", len(in.files)))
		f, err := in.s.opts.FS.Create(name, vfs.WriteCategoryUnspecified)
		if err != nil {
			return err
		}
		in.files = append(in.files, name)
		in.w = sstable.NewWriter(objstorageprovider.NewFileWritable(f), in.s.opts.MakeWriterOptions(0, in.s.db.TableFormat()))
	}
	if err := in.w.Set(key, val); err != nil {
		return err
	}
	if in.w.Raw().EstimatedSize() < ingestSize {
		return nil
	}
	return in.close()
}

func (in *ingestion) close() error {
	if in.w == nil {
		return nil
	}
	w := in.w
	in.w = nil
	return w.Close()
}
