package stream

// WithIngestionTime gives records the processing time at which they are first
// seen, as Flink's IngestionTimeAssigner does; it never goes back.
func (s WatermarkStrategy[T]) WithIngestionTime() WatermarkStrategy[T] {
	s.timestamp, s.ingestion = nil, true
	return s
}

// Punctuated makes a watermark wherever f finds one in a record: f returns the
// time up to which no further record is expected, and true.
func Punctuated[T any](f func(v T, ts int64) (wm int64, ok bool)) WatermarkStrategy[T] {
	return ForGenerator(func() WatermarkGenerator[T] { return punctuated[T]{f} })
}

type punctuated[T any] struct {
	f func(v T, ts int64) (int64, bool)
}

func (p punctuated[T]) OnEvent(v *T, ts int64, out *WatermarkOutput) {
	if wm, ok := p.f(*v, ts); ok {
		out.Emit(wm)
	}
}

func (p punctuated[T]) OnPeriodic(*WatermarkOutput) {}

// ingested is the event time of a record that comes now.
func (e *eventTime[T]) ingested() int64 {
	e.newest = max(e.newest, e.base.now())
	return e.newest
}
