package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"goflink/codec"
	"goflink/dataflow"
	"goflink/hdfsstore"
)

// MaxLineSize bounds a line of a text file or socket, 64 MiB: a file without line
// ends must not take all memory.
const MaxLineSize = 64 << 20

const (
	// chunkSize is what is read at once: large enough that a read's round trip to
	// HDFS (about 1 ms) is small beside its transfer.
	chunkSize = 256 << 10
	// chunksAhead bounds what is read before it is asked for.
	chunksAhead = 2
)

// fileSplit is a part of a file: the lines that begin in [Start, End). At is where
// the next line begins, or Start while that is to be found.
type fileSplit struct {
	URI        string
	Start, End int64
	At         int64
	// Aligned is true once At is known to be the beginning of a line.
	Aligned bool
}

// FileOptions configure a source of text files.
type FileOptions struct {
	// Paths are files or folders, read with all below them; names that begin with
	// "." or "_" are left out, as in Flink.
	Paths []string
	// Discover looks for new files each interval and never ends; 0 reads what is
	// there and ends.
	Discover time.Duration
	// SplitSize bounds a split in bytes; 0 means 64 MiB, less where a file is to
	// keep all readers busy.
	SplitSize int64
}

// TextSource emits the lines of text files, local or on HDFS, without their ends
// ("\n" or "\r\n").
func TextSource(fo FileOptions) Source[string] {
	c, err := codec.For[fileSplit]()
	if len(fo.Paths) == 0 {
		err = errors.New("no path to read")
	}
	for _, p := range fo.Paths {
		if e := checkScheme(p); e != nil && err == nil {
			err = e
		}
	}
	if fo.Discover < 0 || fo.SplitSize < 0 {
		err = fmt.Errorf("discovery interval %s and split size %d must not be negative", fo.Discover, fo.SplitSize)
	}
	src := newSplitSource("Text Files", strings.Join(fo.Paths, ","), true, func(ctx *ReaderContext) (Reader[fileSplit, string], error) {
		return fileReader{ctx}, nil
	})
	src.unbounded = fo.Discover > 0
	src.enumerator = func() dataflow.Enumerator { return &fileEnumerator{o: fo, codec: c} }
	if err != nil {
		src.err = err
	}
	return src
}

// fileReader opens parts of files.
type fileReader struct{ ctx *ReaderContext }

func (f fileReader) Open(s fileSplit) (SplitReader[fileSplit, string], error) {
	return openFileSplit(f.ctx, s)
}

func (f fileReader) Close() error { return nil }

// TextFiles is the stream of lines of files and folders.
func TextFiles(e *Env, paths []string, opts ...Option) Stream[string] {
	return From(e, TextSource(FileOptions{Paths: paths}), NoWatermarks[string](), opts...)
}

// checkScheme refuses file systems that there are not, before anything starts.
func checkScheme(uri string) error {
	scheme, _, ok := strings.Cut(uri, "://")
	if !ok || strings.Contains(scheme, "/") {
		return nil
	}
	switch strings.ToLower(scheme) {
	case "file", "hdfs":
		return nil
	}
	return hdfsstore.UnknownScheme(scheme, uri)
}

// chunk is a piece of a file on its way to the task.
type chunk struct {
	data []byte
	eof  bool
}

// lineReader reads the lines of a split. A goroutine of the task fills chunks
// ahead; it ends when the split does.
type lineReader struct {
	s      fileSplit
	chunks chan chunk
	free   chan []byte
	cancel context.CancelFunc
	cur    chunk
	at     int    // read position in cur
	carry  []byte // the beginning of a line that goes on in the next chunk
	eof    bool
}

func openFileSplit(r *ReaderContext, s fileSplit) (*lineReader, error) {
	if s.At < s.Start {
		s.At = s.Start
	}
	ctx, cancel := context.WithCancel(r.env.Ctx)
	l := &lineReader{s: s, cancel: cancel, chunks: make(chan chunk, chunksAhead), free: make(chan []byte, chunksAhead+1)}
	from := s.At
	if !s.Aligned && from > 0 {
		from-- // the byte before tells whether a line begins here
	}
	r.env.Go("read "+s.URI, func(taskCtx context.Context) error {
		stop := context.AfterFunc(taskCtx, cancel)
		defer stop()
		err := l.fill(ctx, r, from)
		if ctx.Err() != nil {
			return nil // the split ended or the task did
		}
		return err
	})
	if s.Aligned || s.At == 0 {
		l.s.Aligned = true
	}
	return l, nil
}

// fill reads the file to its end, or until ctx ends.
func (l *lineReader) fill(ctx context.Context, r *ReaderContext, from int64) error {
	fsys, path, err := r.env.Files.For(l.s.URI)
	if err != nil {
		return fmt.Errorf("operator %q: %w", r.name, err)
	}
	f, err := fsys.Open(ctx, path)
	if err != nil {
		return fmt.Errorf("operator %q: %w", r.name, err)
	}
	defer f.Close()
	src := io.NewSectionReader(f, from, max(0, f.Size()-from))
	for {
		var buf []byte
		select {
		case buf = <-l.free:
		default:
			buf = make([]byte, chunkSize)
		}
		n, err := io.ReadFull(src, buf)
		eof := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !eof {
			return fmt.Errorf("operator %q: read %s: %w", r.name, l.s.URI, err)
		}
		select {
		case l.chunks <- chunk{buf[:n], eof}:
			r.Wake()
		case <-ctx.Done():
			return nil
		}
		if eof {
			return nil
		}
	}
}

// more gets the next chunk, if it is there.
func (l *lineReader) more() bool {
	if cap(l.cur.data) == chunkSize {
		select {
		case l.free <- l.cur.data[:chunkSize]:
		default:
		}
	}
	l.cur, l.at = chunk{}, 0
	select {
	case l.cur = <-l.chunks:
		l.eof = l.cur.eof
		return true
	default:
		return false
	}
}

// Next is the next line.
func (l *lineReader) Next(r *dataflow.Rec[string]) (ReadStatus, error) {
	for {
		if l.s.Aligned && l.s.At >= l.s.End {
			return ReadEnd, nil
		}
		line, taken, status, err := l.line()
		if status != ReadRecord || err != nil {
			return status, err
		}
		if !l.s.Aligned { // the end of a line that began in the split before
			l.s.At, l.s.Aligned = l.s.At-1+taken, true
			continue
		}
		l.s.At += taken
		r.V = string(trimReturn(line))
		return ReadRecord, nil
	}
}

func trimReturn(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\r' {
		return line[:n-1]
	}
	return line
}

// line returns the next line without its end, and the bytes it takes with it.
// The line is good until the next call.
func (l *lineReader) line() (line []byte, taken int64, status ReadStatus, err error) {
	for {
		rest := l.cur.data[l.at:]
		if i := bytes.IndexByte(rest, '\n'); i >= 0 {
			l.at += i + 1
			line = l.join(rest[:i])
			return line, int64(len(line)) + 1, ReadRecord, nil
		}
		if l.eof {
			l.at = len(l.cur.data)
			line = l.join(rest)
			if len(line) == 0 {
				l.s.Aligned, l.s.At = true, max(l.s.At, l.s.End)
				return nil, 0, ReadEnd, nil
			}
			return line, int64(len(line)), ReadRecord, nil
		}
		if len(l.carry)+len(rest) > MaxLineSize {
			return nil, 0, ReadWait, fmt.Errorf("%s: the line at byte %d is longer than %d bytes: is this a text file?", l.s.URI, l.s.At, MaxLineSize)
		}
		l.keep(rest)
		if !l.more() {
			return nil, 0, ReadWait, nil
		}
	}
}

// join is what was kept of a line and its last piece.
func (l *lineReader) join(last []byte) []byte {
	if len(l.carry) == 0 {
		return last
	}
	line := append(l.carry, last...)
	l.carry = l.carry[:0] // its memory is written to by the next keep only
	return line
}

// keep moves the rest of the current chunk aside.
func (l *lineReader) keep(rest []byte) {
	l.carry = append(l.carry, rest...)
	l.at = len(l.cur.data)
}

// Split is the part that is left.
func (l *lineReader) Split() fileSplit { return l.s }

// Close stops reading ahead.
func (l *lineReader) Close() error {
	l.cancel()
	return nil
}
