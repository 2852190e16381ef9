package partition

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

const (
	magic = "GFPT"
	// Version of the file's format. Files never outlive their process, so there
	// are no older ones to be read.
	Version = 1

	headerSize = 8
	chunkSize  = 12
	entrySize  = 20
	footerSize = 32
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Error is a failure of the local disk, or of what was found there. The job may
// succeed elsewhere.
type Error struct{ err error }

// Error says what failed.
func (e *Error) Error() string { return e.err.Error() }

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.err }

// FailureDomain is for the worker's reports.
func (e *Error) FailureDomain() string { return "external" }

// FailureRetry is for the worker's reports.
func (e *Error) FailureRetry() string { return "restart" }

func failed(format string, args ...any) error { return &Error{fmt.Errorf(format, args...)} }

func header() []byte { return append([]byte(magic), Version, 0, 0, 0) }

// entry says where the chunks of one target lie in a spill.
type entry struct{ offset, length int64 }

func (e entry) append(dst []byte) []byte {
	start := len(dst)
	dst = binary.BigEndian.AppendUint64(dst, uint64(e.offset))
	dst = binary.BigEndian.AppendUint64(dst, uint64(e.length))
	return binary.BigEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

// decodeEntry reads an entry of a file whose data ends at end.
func decodeEntry(b []byte, end int64) (entry, bool) {
	e := entry{int64(binary.BigEndian.Uint64(b)), int64(binary.BigEndian.Uint64(b[8:]))}
	ok := binary.BigEndian.Uint32(b[16:]) == crc32.Checksum(b[:16], castagnoli)
	return e, ok && e.offset >= headerSize && e.length >= 0 && e.offset <= end && e.length <= end-e.offset
}

// footer describes a whole file.
type footer struct {
	index   int64 // where it begins
	spills  int
	targets int
	rows    int64
}

// append appends index and footer.
func (f footer) append(dst []byte, tables []int64) []byte {
	start := len(dst)
	for _, at := range tables {
		dst = binary.BigEndian.AppendUint64(dst, uint64(at))
	}
	dst = binary.BigEndian.AppendUint64(dst, uint64(f.index))
	dst = binary.BigEndian.AppendUint32(dst, uint32(f.spills))
	dst = binary.BigEndian.AppendUint32(dst, uint32(f.targets))
	dst = binary.BigEndian.AppendUint64(dst, uint64(f.rows))
	dst = binary.BigEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
	return append(dst, magic...)
}

// decodeFooter reads the last footerSize bytes of a file of that size, without the
// index.
func decodeFooter(b []byte, size int64) (f footer, sum uint32, ok bool) {
	f = footer{index: int64(binary.BigEndian.Uint64(b)), spills: int(binary.BigEndian.Uint32(b[8:])),
		targets: int(binary.BigEndian.Uint32(b[12:])), rows: int64(binary.BigEndian.Uint64(b[16:]))}
	ok = string(b[28:]) == magic && f.index >= headerSize && f.index+8*int64(f.spills)+footerSize == size
	return f, binary.BigEndian.Uint32(b[24:]), ok
}
