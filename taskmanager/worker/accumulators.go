package worker

// counted is what a task's accumulators held when they were last asked for. It is
// replaced, never changed.
type counted map[string][]byte

// askAccumulators has a task's accumulators encoded on its own goroutine, for the
// next report. Tasks without any are left alone.
func (t *task) askAccumulators() {
	if t.counts.Load() {
		t.mail.put(t.publishAccumulators)
	}
}

// publishAccumulators encodes the accumulators, on the task's goroutine.
func (t *task) publishAccumulators() error {
	if t.env == nil || t.env.Accumulators.Len() == 0 {
		return nil
	}
	encoded, err := t.env.Accumulators.Encode()
	if err != nil {
		return &userError{err}
	}
	t.counts.Store(true)
	t.counted.Store((*counted)(&encoded))
	return nil
}

// accumulated is what was published last.
func (t *task) accumulated() map[string][]byte {
	if c := t.counted.Load(); c != nil {
		return *c
	}
	return nil
}

// userError is a mistake of the program that comes again with every restart.
type userError struct{ err error }

func (e *userError) Error() string         { return e.err.Error() }
func (e *userError) Unwrap() error         { return e.err }
func (e *userError) FailureDomain() string { return domainUser }
func (e *userError) FailureRetry() string  { return retryNone }
