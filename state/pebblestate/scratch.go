package pebblestate

import "github.com/cockroachdb/pebble/v2/vfs"

// scratchFS never waits for the disk: a store does not outlive its task, so nothing that it writes has to survive a
// crash, and a checkpoint would only be late.
type scratchFS struct{ vfs.FS }

func unsynced(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return scratchFile{f}, nil
}

func (fs scratchFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return unsynced(fs.FS.Create(name, c))
}

func (fs scratchFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return unsynced(fs.FS.OpenReadWrite(name, c, opts...))
}

func (fs scratchFS) OpenDir(name string) (vfs.File, error) { return unsynced(fs.FS.OpenDir(name)) }

func (fs scratchFS) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return unsynced(fs.FS.ReuseForWrite(from, to, c))
}

// Unwrap implements vfs.FS.
func (fs scratchFS) Unwrap() vfs.FS { return fs.FS }

type scratchFile struct{ vfs.File }

func (scratchFile) Sync() error                { return nil }
func (scratchFile) SyncData() error            { return nil }
func (scratchFile) SyncTo(int64) (bool, error) { return true, nil }
