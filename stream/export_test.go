package stream

import "time"

// Tests do not wait for what is tried again.
func init() {
	commitPause, commitPauseMax, socketRetry = time.Microsecond, time.Millisecond, time.Millisecond
}
