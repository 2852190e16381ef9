package hadooprpc

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// errShortCredentials says that a credentials file ends too early.
var errShortCredentials = errors.New("hadoop credentials: unexpected end")

// writableReader decodes Hadoop's Writable encoding from memory. The first error sticks.
type writableReader struct {
	b   []byte
	err error
}

func (r *writableReader) take(n int64) []byte {
	if r.err != nil {
		return nil
	}
	if n < 0 || n > int64(len(r.b)) {
		r.err = errShortCredentials
		return nil
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out
}

// vlong reads a variable-length number (WritableUtils.readVLong): one byte for -112..127, otherwise a first byte
// that says sign and length, then that many big-endian bytes.
func (r *writableReader) vlong() int64 {
	head := r.take(1)
	if r.err != nil {
		return 0
	}
	f := int8(head[0])
	if f >= -112 {
		return int64(f)
	}
	n, negative := int64(-112-int(f)), false
	if f < -120 {
		n, negative = int64(-120-int(f)), true
	}
	var v int64
	for _, c := range r.take(n) {
		v = v<<8 | int64(c)
	}
	if negative {
		return ^v
	}
	return v
}

// bytes reads a length and that many bytes, copied.
func (r *writableReader) bytes() []byte {
	return append([]byte{}, r.take(r.vlong())...)
}

// text reads a Text: a length and UTF-8.
func (r *writableReader) text() string {
	s := string(r.take(r.vlong()))
	if r.err == nil && !utf8.ValidString(s) {
		r.err = errors.New("hadoop credentials: text is not UTF-8")
	}
	return s
}

// count reads the number of entries that follow; each takes at least two bytes.
func (r *writableReader) count() int64 {
	n := r.vlong()
	if r.err == nil && (n < 0 || n > int64(len(r.b)/2)) {
		r.err = fmt.Errorf("hadoop credentials: %d entries announced in %d bytes", n, len(r.b))
	}
	return n
}

// appendVLong is the opposite of vlong.
func appendVLong(dst []byte, v int64) []byte {
	if v >= -112 && v <= 127 {
		return append(dst, byte(v))
	}
	head := -112
	if v < 0 {
		v, head = ^v, -120
	}
	n := 0
	for t := v; t != 0; t >>= 8 {
		n++
	}
	dst = append(dst, byte(int8(head-n)))
	for i := n - 1; i >= 0; i-- {
		dst = append(dst, byte(v>>(8*i)))
	}
	return dst
}

func appendBytes[B []byte | string](dst []byte, b B) []byte {
	return append(appendVLong(dst, int64(len(b))), b...)
}
