package state

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"path/filepath"
	"strings"
)

// The description of a native snapshot, version 1. Integers are big-endian where a width is given, else uvarints.
//
//	"gfkn"  version (1)  3 zero bytes  length of the body (4)  CRC-32C of the body (4)  body
//
//	body    length and bytes of the header (format.go), number of small files, each: name, content with lengths;
//	        number of tables, each: name with length, size
//
// The tables themselves are the store's; where they lie and their checksums is in the handle.
const (
	nativeMagic   = "gfkn"
	nativeVersion = 1
	nativePrefix  = 16
)

// storeFile is a file of a store that is not a table.
type storeFile struct {
	name string
	data []byte
}

// description is a decoded native snapshot.
type description struct {
	head   *header
	small  []storeFile
	tables []TableFile // without Path
}

func encodeNative(h *header, small []storeFile, tables []TableFile) []byte {
	out := append(make([]byte, 0, 4096), nativeMagic...)
	out = append(out, nativeVersion, 0, 0, 0)
	out = append(out, make([]byte, 8)...)
	out = appendBytes(out, h.append(nil))
	out = binary.AppendUvarint(out, uint64(len(small)))
	for _, f := range small {
		out = appendBytes(appendBytes(out, []byte(f.name)), f.data)
	}
	out = binary.AppendUvarint(out, uint64(len(tables)))
	for _, t := range tables {
		out = binary.AppendUvarint(appendBytes(out, []byte(t.Name)), uint64(t.Size))
	}
	binary.BigEndian.PutUint32(out[8:], uint32(len(out)-nativePrefix))
	binary.BigEndian.PutUint32(out[12:], crc32.Checksum(out[nativePrefix:], castagnoli))
	return out
}

// decodeNative checks and reads a description (verify-first).
func decodeNative(b []byte) (*description, error) {
	switch {
	case len(b) < nativePrefix:
		return nil, fmt.Errorf("%w: truncated: %d bytes of a native snapshot's beginning", ErrCorrupt, len(b))
	case string(b[:4]) != nativeMagic:
		return nil, fmt.Errorf("%w: it is no native snapshot of keyed state: it does not begin with %q", ErrCorrupt, nativeMagic)
	case b[4] != nativeVersion:
		return nil, fmt.Errorf("state: native snapshot of version %d; this release reads version %d", b[4], nativeVersion)
	}
	body := b[nativePrefix:]
	if uint64(len(body)) != uint64(binary.BigEndian.Uint32(b[8:])) {
		return nil, fmt.Errorf("%w: truncated: %d bytes of a native snapshot of %d", ErrCorrupt, len(body), binary.BigEndian.Uint32(b[8:]))
	}
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(b[12:]) {
		return nil, fmt.Errorf("%w: wrong checksum of a native snapshot", ErrCorrupt)
	}
	return decodeBody(body)
}

func decodeBody(body []byte) (*description, error) {
	in := fields{src: body}
	d := &description{}
	head := in.bytes()
	if in.err != nil {
		return nil, in.err
	}
	var err error
	if d.head, err = decodeHeader(head); err != nil {
		return nil, err
	}
	for n := in.uvarint(); n > 0 && in.err == nil; n-- {
		d.small = append(d.small, storeFile{in.fileName(), in.bytes()})
	}
	for n := in.uvarint(); n > 0 && in.err == nil; n-- {
		d.tables = append(d.tables, TableFile{Name: in.fileName(), Size: int64(in.uvarint())})
	}
	if in.err == nil && len(in.src) > 0 {
		in.failf("%d bytes behind the description", len(in.src))
	}
	return d, in.err
}

// fileName reads the name of a file that may be made in a folder of ours.
func (f *fields) fileName() string {
	name := string(f.bytes())
	if f.err == nil && (!filepath.IsLocal(name) || strings.ContainsAny(name, "/\\\x00")) {
		f.failf("impossible file name %q", name)
	}
	return name
}
