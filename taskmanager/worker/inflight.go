package worker

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"goflink/control"
	"goflink/dataflow"
	"goflink/graph"
	"goflink/state"
	"goflink/taskmanager/exchange"
)

// flight is an unaligned checkpoint of one task between its snapshot and the
// moment when all records in flight that belong to it are known. It belongs to
// the task's goroutine. A checkpoint with an aligned time-out has one as long as
// its barrier waits at the outputs.
type flight struct {
	barrier  exchange.Barrier
	part     *part
	inputs   bool // ItemRecorded is to come
	outputs  bool // the barrier waits behind records
	channels []*channelData
	byKey    map[channelKey]*channelData
	bytes    int
}

// channelKey names a channel among those of a task.
type channelKey struct {
	output bool
	edge   int // input or output index
	peer   int // channel or target subtask
}

// channelData is what is kept of one channel, encoded.
type channelData struct {
	key  channelKey
	data []byte
	rows int64
}

// inflightLimit bounds what a task keeps of records in flight, 64 MiB. What is
// queued when the barrier overtakes is bounded by credits and far below; more
// comes only while another barrier is awaited behind a task that does not get to
// it, and then an aligned checkpoint is the better one.
const inflightLimit = 64 << 20

var errInflight = fmt.Errorf("more than %d MiB of records came before the last barrier: an unaligned checkpoint is of no use here, "+
	"set execution.checkpointing.aligned-checkpoint-timeout or turn execution.checkpointing.unaligned.enabled off", inflightLimit>>20)

// inflightVersion is the version of the encoding of a channel's records: the
// version, then for each buffer its rows and length as varints and its bytes.
const inflightVersion = 1

func (f *flight) add(key channelKey, buffers []dataflow.Buffer) error {
	c := f.byKey[key]
	if c == nil {
		c = &channelData{key: key, data: []byte{inflightVersion}}
		f.byKey[key] = c
		f.channels = append(f.channels, c)
	}
	for _, b := range buffers {
		if len(b.Data) == 0 {
			continue
		}
		c.data = binary.AppendUvarint(c.data, uint64(b.Rows))
		c.data = binary.AppendUvarint(c.data, uint64(len(b.Data)))
		c.data = append(c.data, b.Data...)
		c.rows += int64(b.Rows)
		f.bytes += len(b.Data)
	}
	if f.bytes > inflightLimit {
		return errInflight
	}
	return nil
}

// decodeInflight reads what add wrote.
func decodeInflight(data []byte) ([]dataflow.Buffer, error) {
	if len(data) == 0 || data[0] != inflightVersion {
		return nil, fmt.Errorf("records in flight have format %v, this release reads %d", data[:min(1, len(data))], inflightVersion)
	}
	var out []dataflow.Buffer
	for data = data[1:]; len(data) > 0; {
		rows, n := binary.Uvarint(data)
		if n <= 0 || rows > math.MaxInt32 {
			return nil, errors.New("records in flight are damaged: no number of rows")
		}
		size, m := binary.Uvarint(data[n:])
		if m <= 0 || size > uint64(len(data)-n-m) {
			return nil, errors.New("records in flight are damaged: no length")
		}
		data = data[n+m:]
		out = append(out, dataflow.Buffer{Data: data[:size:size], Rows: int(rows)})
		data = data[size:]
	}
	return out, nil
}

// addInput keeps an item of the gate.
func (t *task) addInput(f *flight, item exchange.Item, from int) error {
	port, ok := t.chain.Inputs[item.Input].(dataflow.InflightPort)
	if !ok {
		return internalf("input %d of %s cannot encode records in flight", item.Input, t.name)
	}
	var buffers []dataflow.Buffer
	var err error
	if item.Batch != nil {
		buffers, err = port.EncodeBatch(item.Batch, from)
	} else {
		buffers, err = port.EncodeBytes(item.Channel, item.Buffer.Data, from)
	}
	if err != nil {
		return fmt.Errorf("encoding records in flight: %w", err)
	}
	return f.add(channelKey{edge: item.Input, peer: item.Channel}, buffers)
}

// overtook keeps what a barrier overtook: the rest of the batch in work, then
// what the gate holds, and at the outputs what waited for credit.
func (t *task) overtook(f *flight, item *exchange.Item, over []exchange.HeldBuffer) error {
	if item != nil && item.Checkpoint != 0 { // from Urgent; an aligned barrier has nothing ahead of it
		if t.input.some {
			if err := t.addInput(f, t.input.item, t.input.from); err != nil {
				return err
			}
		}
		for _, held := range item.Held {
			if err := t.addInput(f, held, 0); err != nil {
				return err
			}
		}
	}
	return f.addOutputs(over)
}

func (f *flight) addOutputs(over []exchange.HeldBuffer) error {
	for _, h := range over {
		key := channelKey{output: true, edge: h.Edge, peer: h.Channel.Target}
		if err := f.add(key, []dataflow.Buffer{{Data: h.Data, Rows: h.Rows}}); err != nil {
			return err
		}
	}
	return nil
}

// takeOff begins the flight of a checkpoint whose snapshot was taken; it lands
// at once when nothing is awaited.
func (t *task) takeOff(f *flight) error {
	t.dropFlight()
	t.flight = f
	if f.outputs && f.barrier.AlignedTimeout > 0 {
		t.awaitTimeout(f.barrier)
	}
	return t.land()
}

// land hands the checkpoint over once everything of it is known.
func (t *task) land() error {
	f := t.flight
	if f == nil || f.inputs || f.outputs {
		return nil
	}
	t.flight = nil
	for _, c := range f.channels {
		st, err := t.channelState(f.part.ack, c)
		if err != nil {
			f.part.release()
			return err
		}
		f.part.ack.PersistedBytes += int64(len(c.data))
		f.part.keyed = append(f.part.keyed, keyedPart{state: st.owner, channel: st.state, snapshot: inflightSnapshot{c.data, f.barrier.ID}})
	}
	t.w.segments.join(t.attempt, f.barrier, f.part)
	return nil
}

// ownedState is a channel's state and the operator's that it becomes part of.
type ownedState struct {
	owner *control.OperatorState
	state *control.ChannelState
}

func (t *task) channelState(ack *control.CheckpointAck, c *channelData) (ownedState, error) {
	for _, e := range t.w.graph.Edges {
		source, target := t.attempt.vertices[e.Source], t.attempt.vertices[e.Target]
		mine := !c.key.output && e.Target == t.vertex.Id && int(e.InputIndex) == c.key.edge ||
			c.key.output && e.Source == t.vertex.Id && int(e.OutputIndex) == c.key.edge
		if !mine || len(target.Operators) == 0 || source == nil {
			continue
		}
		st := &control.ChannelState{SourceOperator: e.SourceOperator, TargetOperator: target.Operators[0].Id, Side: e.Side, InputIndex: e.InputIndex,
			Source: t.id.Subtask, Target: int32(c.key.peer), Output: c.key.output, Rows: c.rows, SchemaHash: e.SchemaHash}
		owner := e.SourceOperator
		if !c.key.output {
			st.Source, st.Target = int32(t.gate.Source(c.key.edge, c.key.peer)), t.id.Subtask
			owner = st.TargetOperator
		}
		for _, op := range ack.States {
			if op.OperatorId == owner {
				op.Inflight = append(op.Inflight, st)
				return ownedState{op, st}, nil
			}
		}
	}
	return ownedState{}, internalf("%s keeps records of an edge that it does not have", t.name)
}

// urgent does what goes before the next record.
func (t *task) urgent() error {
	for {
		item, ok := t.gate.Urgent()
		if !ok {
			return nil
		}
		if err := t.event(item); err != nil {
			return err
		}
	}
}

// record keeps a batch that belongs to the flight before it is processed.
func (t *task) record(item exchange.Item) error {
	if !item.Record || t.flight == nil || !t.flight.inputs {
		return nil
	}
	return t.keep(t.addInput(t.flight, item, 0))
}

// recordedAll handles that the last barrier has come in.
func (t *task) recordedAll(item exchange.Item) error {
	f := t.flight
	if f == nil || f.barrier.ID != item.Checkpoint {
		return nil
	}
	for _, held := range item.Held {
		if err := t.keep(t.addInput(f, held, 0)); err != nil {
			return err
		}
		if t.flight == nil {
			return nil
		}
	}
	f.inputs = false
	return t.land()
}

// keep turns too much in flight into a declined checkpoint.
func (t *task) keep(err error) error {
	if !errors.Is(err, errInflight) {
		return err
	}
	b := t.flight.barrier
	t.dropFlight()
	t.w.segments.decline(t, b, err)
	return nil
}

// dropFlight gives up the checkpoint in flight.
func (t *task) dropFlight() {
	if t.flight != nil {
		t.flight.part.release()
		t.flight = nil
	}
}

// outputsPassed notices that no barrier waits at the outputs any more.
func (t *task) outputsPassed() error {
	if t.flight == nil || !t.flight.outputs || t.out.Held() {
		return nil
	}
	t.flight.outputs = false
	return t.land()
}

// awaitTimeout has a checkpoint become unaligned when it is too old: the time
// that passed since its trigger counts, as in Flink.
func (t *task) awaitTimeout(b exchange.Barrier) {
	age := time.Duration(t.w.Now().UnixMilli()-b.TimestampMS) * time.Millisecond
	time.AfterFunc(max(0, b.AlignedTimeout-max(0, age)), func() {
		t.mail.put(func() error { return t.alignedTimeout(b.ID) })
	})
}

// alignedTimeout lets the barrier of a checkpoint overtake.
func (t *task) alignedTimeout(id int64) error {
	if t.gate != nil {
		t.gate.Expire(id)
	}
	f := t.flight
	if f == nil || f.barrier.ID != id || !f.outputs {
		return nil
	}
	over, err := t.out.Overtake(id)
	if err != nil {
		return err
	}
	f.outputs = false
	f.part.ack.Unaligned = true
	if err := t.keep(f.addOutputs(over)); err != nil || t.flight == nil {
		return err
	}
	return t.land()
}

// inflightSnapshot is a channel's records as a snapshot to be written.
type inflightSnapshot struct {
	data       []byte
	checkpoint int64
}

// WriteTo implements state.Snapshot.
func (s inflightSnapshot) WriteTo(_ context.Context, w io.Writer) (state.SnapshotInfo, error) {
	_, err := io.Copy(w, bytes.NewReader(s.data))
	return state.SnapshotInfo{CheckpointID: s.checkpoint, Bytes: int64(len(s.data))}, err
}

// Release implements state.Snapshot.
func (s inflightSnapshot) Release() {}

// preload puts what was in flight before all that the channels bring.
func (t *task) preload() error {
	if t.gate == nil || len(t.restore.inflight) == 0 {
		return nil
	}
	type place struct{ input, channel int }
	var order []place
	buffers := map[place][]*dataflow.Buffer{}
	for _, st := range t.restore.inflight {
		at := place{input: int(st.InputIndex)}
		if at.input >= len(t.chain.Inputs) {
			return internalf("records in flight for input %d of %s, which has %d", at.input, t.name, len(t.chain.Inputs))
		}
		at.channel = t.channelFor(at.input, int(st.Source))
		list, err := t.readInflight(st)
		if err != nil {
			return fmt.Errorf("restoring records in flight of operator %s: %w", t.operatorName(st.TargetOperator), err)
		}
		if _, known := buffers[at]; !known { // what came before may all have been for others
			order = append(order, at)
		}
		buffers[at] = append(buffers[at], list...)
	}
	for _, at := range order {
		list := buffers[at]
		if last := t.chain.Inputs[at.input].(dataflow.InflightPort).Settled(); len(last.Data) > 0 {
			list = append(list, &last)
		}
		t.gate.Preload(at.input, at.channel, list)
	}
	return nil
}

// channelFor is the channel of a sending subtask; after a change of parallelism
// any one will do, and one sender's records stay together.
func (t *task) channelFor(input, source int) int {
	n := t.env.InputChannels[input]
	for ch := range n {
		if t.gate.Source(input, ch) == source {
			return ch
		}
	}
	return source % n
}

// readInflight reads, checks and sifts the records of one channel.
func (t *task) readInflight(st *control.ChannelState) ([]*dataflow.Buffer, error) {
	port, ok := t.chain.Inputs[st.InputIndex].(dataflow.InflightPort)
	if !ok {
		return nil, internalf("input %d of %s takes no records in flight", st.InputIndex, t.name)
	}
	open := &opener{restored: t.restore, files: t.w.Files, scratch: t.attempt.scratch}
	rc, err := open.handle(t.ctx, st.Data)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(rc)
	if err = errors.Join(err, rc.Close()); err != nil {
		return nil, err
	}
	list, err := decodeInflight(data)
	if err != nil {
		return nil, &fatalRestore{err}
	}
	var out []*dataflow.Buffer
	for _, b := range list {
		sifted := []dataflow.Buffer{b}
		if st.Sift || st.Still {
			if sifted, err = port.Sift(b.Data, st.Sift, st.Still); err != nil {
				return nil, err
			}
		}
		for i := range sifted {
			if len(sifted[i].Data) > 0 {
				out = append(out, &sifted[i])
			}
		}
	}
	return out, nil
}

// overtakes tells whether unaligned barriers overtake records on an edge. As in
// Flink they do not where a record could not be handed to its rightful receiver
// after a change of parallelism: between subtasks that belong together, on
// broadcasts, and, unless it is forced, where a partitioner of the user's decides.
func (s *settings) overtakes(e *graph.Edge) bool {
	switch e.Partitioning {
	case graph.Partitioning_HASH, graph.Partitioning_REBALANCE, graph.Partitioning_SHUFFLE, graph.Partitioning_GLOBAL:
		return true
	case graph.Partitioning_CUSTOM:
		return s.unalignedForced
	}
	return false
}
