package stream

import "time"

// Tests do not wait for commits to be tried again.
func init() { commitPause, commitPauseMax = time.Microsecond, time.Millisecond }
