package coordinator

import (
	"fmt"

	"goflink/control"
	"goflink/dataflow"
)

// event takes what a reader sent, unless it is of another attempt.
func (r *runtime) event(e *control.SourceEvent) {
	x := r.find(e.OperatorId, e.Attempt)
	if x == nil || r.failed || e.Subtask < 0 || int(e.Subtask) >= x.parallelism {
		return
	}
	_ = r.call(fmt.Sprintf("source %s: event of subtask %d", x.op.Name, e.Subtask), func() error { return x.event(int(e.Subtask), e.Data) })
}

func (x *enumerator) event(subtask int, data []byte) error {
	e, err := dataflow.ParseEvent(data)
	if err != nil {
		return err
	}
	listener, listens := x.e.(dataflow.ReaderEnumerator)
	switch {
	case e.Kind == dataflow.EventWatermark:
		x.r.aligner.Report(x.op.Id, subtask, e.Watermark)
	case e.Kind == dataflow.EventRegister && listens:
		return listener.AddReader(subtask, string(e.Data))
	case e.Kind == dataflow.EventUser && listens:
		return listener.OnEvent(subtask, e.Data)
	}
	return nil
}

// SendEvent sends an encoded event to a reader.
func (x *enumerator) SendEvent(subtask int, data []byte) {
	if !x.ended && subtask >= 0 && subtask < x.parallelism {
		x.r.link.send(&control.CoordinatorEvent{Event: &control.CoordinatorEvent_SourceEvent{SourceEvent: &control.SourceEvent{
			OperatorId: x.op.Id, Subtask: int32(subtask), Data: data, Attempt: x.attempt}}})
	}
}

// align joins an aligned source to its group and tells its readers, each interval,
// how far they may go.
func (x *enumerator) align() {
	al, ok := x.e.(dataflow.AlignedEnumerator)
	if !ok {
		return
	}
	x.r.aligner.Join(x.op.Id, al.Alignment())
	told, any := int64(0), false
	x.Every(al.Alignment().Interval, func() error {
		allowed, ok := x.r.aligner.Allowed(x.op.Id)
		if !ok || any && allowed == told {
			return nil
		}
		told, any = allowed, true
		for sub := range x.parallelism {
			x.SendEvent(sub, dataflow.WatermarkEvent(allowed))
		}
		return nil
	})
}
