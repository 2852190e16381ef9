package stream

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"time"

	"goflink/codec"
	"goflink/conf"
	"goflink/dataflow"
)

// Enumerator finds the splits of a source and hands them to its readers. One
// serves the whole source, in the job's coordinator; its methods and callbacks
// are called on one goroutine. It may also be a ReaderListener, an EventListener
// and a SourceCheckpoints.
//
// A failure of the job makes new enumerators and readers from the last
// checkpoint: splits that were handed out after it are in the state that comes
// back here, so that nothing has to be given back by readers.
type Enumerator[S, E any] interface {
	// Start begins; restored is nil for a job that starts afresh, else the state
	// of its checkpoint. The number of readers may be another one than then.
	Start(ctx *EnumeratorContext[S], restored *E) error
	// Request is a reader's wish for a split: answered by Assign or
	// NoMoreSplits, at once or later.
	Request(subtask int, host string) error
	// Snapshot is the state: what was assigned before it is in the readers'
	// part of the checkpoint, the rest must be in it.
	Snapshot(checkpoint int64) (E, error)
	Close() error
}

// ReaderListener is implemented by enumerators that want to know when a reader
// starts, and where.
type ReaderListener interface {
	AddReader(subtask int, host string) error
}

// EventListener is implemented by enumerators that hear from their readers.
type EventListener interface {
	OnEvent(subtask int, data []byte) error
}

// EnumeratorContext is what an enumerator may do and know.
type EnumeratorContext[S any] struct {
	ctx   dataflow.EnumeratorContext
	codec codec.Codec[S]
	hosts map[int]string
}

// Context ends with the enumerator.
func (c *EnumeratorContext[S]) Context() context.Context { return c.ctx.Context() }

// Parallelism is the number of readers.
func (c *EnumeratorContext[S]) Parallelism() int { return c.ctx.Parallelism() }

// Readers are the hosts of the readers that have started, by subtask. Splits may
// be assigned to the others too: they get them when they start.
func (c *EnumeratorContext[S]) Readers() map[int]string { return c.hosts }

// Assign hands splits to a reader.
func (c *EnumeratorContext[S]) Assign(subtask int, splits ...S) {
	if len(splits) > 0 {
		c.ctx.Assign(subtask, encodeSplits(c.codec, splits))
	}
}

// NoMoreSplits tells a reader that it has all of its splits: it ends when it has
// read them.
func (c *EnumeratorContext[S]) NoMoreSplits(subtask int) { c.ctx.NoMoreSplits(subtask) }

// SendEvent tells a reader something; see ReaderEvents.
func (c *EnumeratorContext[S]) SendEvent(subtask int, data []byte) {
	c.ctx.SendEvent(subtask, dataflow.UserEvent(data))
}

// Run calls f away from the enumerator's goroutine, for what blocks, and then done
// on it, with f's error. What done returns fails the job.
func (c *EnumeratorContext[S]) Run(f func(ctx context.Context) error, done func(error) error) {
	c.ctx.Run(f, done)
}

// Every calls f on the enumerator's goroutine each interval, until the end.
func (c *EnumeratorContext[S]) Every(interval time.Duration, f func() error) {
	c.ctx.Every(interval, f)
}

// Conf is the job's configuration.
func (c *EnumeratorContext[S]) Conf() *conf.Config { return c.ctx.Conf() }

// Files opens local and HDFS files by their URI.
func (c *EnumeratorContext[S]) Files() dataflow.FileSystems { return c.ctx.Files() }

// Log names the source.
func (c *EnumeratorContext[S]) Log() *slog.Logger { return c.ctx.Log() }

// typedEnumerator is an Enumerator as the runtime sees it. Its state is
//
//	state = 0x01 length schema value       length: uvarint, of schema
type typedEnumerator[S, E any] struct {
	e      Enumerator[S, E]
	ctx    EnumeratorContext[S]
	splits codec.Codec[S]
	state  codec.Codec[E]
}

const enumeratorVersion = 1

func (t *typedEnumerator[S, E]) Start(ctx dataflow.EnumeratorContext, restored []byte) error {
	t.ctx = EnumeratorContext[S]{ctx: ctx, codec: t.splits, hosts: map[int]string{}}
	if restored == nil {
		return t.e.Start(&t.ctx, nil)
	}
	state, err := t.restore(restored)
	if err != nil {
		return fmt.Errorf("state of the enumerator: %w", err)
	}
	return t.e.Start(&t.ctx, &state)
}

func (t *typedEnumerator[S, E]) restore(data []byte) (state E, err error) {
	if len(data) == 0 || data[0] != enumeratorVersion {
		return state, fmt.Errorf("version %v, want %d: is it of another kind of source?", data[:min(1, len(data))], enumeratorVersion)
	}
	size, n := binary.Uvarint(data[1:])
	if n <= 0 || size > uint64(len(data)-1-n) {
		return state, fmt.Errorf("damaged: a schema of %d bytes in %d", size, len(data))
	}
	rest := data[1+n:]
	read, err := readerOf(t.state, rest[:size])
	if err != nil {
		return state, err
	}
	return decodeWhole(rest[size:], read)
}

func (t *typedEnumerator[S, E]) Snapshot(checkpoint int64) ([]byte, error) {
	state, err := t.e.Snapshot(checkpoint)
	if err != nil {
		return nil, err
	}
	schema, err := t.state.Schema().MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("schema of the enumerator's state: %w", err)
	}
	out := binary.AppendUvarint([]byte{enumeratorVersion}, uint64(len(schema)))
	return t.state.Append(append(out, schema...), &state), nil
}

func (t *typedEnumerator[S, E]) Request(subtask int, host string) error {
	return t.e.Request(subtask, host)
}

func (t *typedEnumerator[S, E]) AddReader(subtask int, host string) error {
	t.ctx.hosts[subtask] = host
	if l, ok := t.e.(ReaderListener); ok {
		return l.AddReader(subtask, host)
	}
	return nil
}

func (t *typedEnumerator[S, E]) OnEvent(subtask int, data []byte) error {
	if l, ok := t.e.(EventListener); ok {
		return l.OnEvent(subtask, data)
	}
	return fmt.Errorf("subtask %d sent an event, but %T has no OnEvent", subtask, t.e)
}

func (t *typedEnumerator[S, E]) CheckpointComplete(checkpoint int64) error {
	if l, ok := t.e.(SourceCheckpoints); ok {
		return l.OnCheckpointComplete(checkpoint)
	}
	return nil
}

func (t *typedEnumerator[S, E]) Close() error { return t.e.Close() }
