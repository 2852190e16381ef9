package stream

import (
	"errors"
	"fmt"
	"time"
)

// DefaultRollSize is the size at which a file sink begins a new part, Flink's:
// one HDFS block.
const DefaultRollSize = 128 << 20

// FileSink writes records to the files of a folder, each exactly once: a part is
// visible under its final name only after a checkpoint that holds its records.
// Without checkpointing that is when the job ends.
//
// A checkpoint closes the parts that are being written, as Flink's
// OnCheckpointRollingPolicy does; RollSize, RollInterval and RollInactivity close
// them earlier.
type FileSink[T any] struct {
	// Path is the folder, local or on HDFS.
	Path string
	// Encode appends a record; nil means the record as fmt prints it and a line
	// end.
	Encode func(dst []byte, v T) []byte
	// Bucket names the folder below Path that a record belongs to; the zero value
	// is Path itself.
	Bucket BucketAssigner[T]
	// RollSize begins a new part at so many bytes; 0 means DefaultRollSize.
	RollSize int64
	// RollInterval begins a new part after this time; 0 sets no limit.
	RollInterval time.Duration
	// RollInactivity closes a part that nothing was written to for this time, give
	// or take a quarter; 0 sets no limit.
	RollInactivity time.Duration
	// Prefix and Suffix of part names; an empty prefix means "part".
	Prefix, Suffix string
	// Compact makes fewer, bigger files of those of a checkpoint before they
	// become visible; the zero value does not.
	Compact Compaction
}

// ToFiles writes the stream to files.
func ToFiles[T any](s Stream[T], f FileSink[T], opts ...Option) {
	if err := f.settle(); err != nil {
		s.env.failf("file sink to %q: %w", f.Path, err)
		return
	}
	sink := CommittingSink[T, NoState, pendingFile]{Name: "File Sink", Committer: newFileCommitter,
		Writer: func(ctx *SinkContext, _ []NoState) (SinkWriter[T, NoState, pendingFile], error) {
			return newFileWriter(ctx, f)
		}}
	k, err := newSinkKind(sink)
	if err != nil {
		s.env.fail(err)
		return
	}
	if !f.Compact.on() {
		addWriter(s, k, opts)
		return
	}
	k.emits = true
	w := addWriter(s, k, opts)
	emits[pendingFile](w)
	byFolder := KeyBy(streamOf[pendingFile](w), pendingFile.folder).in
	addCommitter(byFolder, w, " Compactor", newFileCommitter, func(ctx *SinkContext) preCommitter[pendingFile] {
		return newCompactor(ctx, f.Compact)
	}, sameParallelism(w))
}

// WriteText writes the records of a stream as lines to files of a folder.
func (s Stream[T]) WriteText(path string, opts ...Option) {
	ToFiles(s, FileSink[T]{Path: path}, opts...)
}

func (f *FileSink[T]) settle() error {
	if f.Path == "" {
		return errors.New("no path to write to")
	}
	if f.RollSize < 0 || f.RollInterval < 0 || f.RollInactivity < 0 {
		return fmt.Errorf("roll size %d, interval %s and inactivity %s must not be negative", f.RollSize, f.RollInterval, f.RollInactivity)
	}
	if f.RollSize == 0 {
		f.RollSize = DefaultRollSize
	}
	if f.Prefix == "" {
		f.Prefix = "part"
	}
	if f.Encode == nil {
		f.Encode = func(dst []byte, v T) []byte { return append(fmt.Append(dst, v), '\n') }
	}
	return errors.Join(f.Bucket.err, f.Compact.check(), checkScheme(f.Path))
}

// sameParallelism is that of another operator, where it has one of its own.
func sameParallelism(of *op) Option { return func(o *op) { o.node.Parallelism = of.node.Parallelism } }
