package exchange

import (
	"errors"
	"fmt"
)

// Error is a failure of the data plane with what failover needs to know.
type Error struct {
	Domain string // user, external, internal
	Retry  string // none, backoff, restart
	Err    error
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// FailureDomain is the domain of the failure, for control.Failure.
func (e *Error) FailureDomain() string { return e.Domain }

// FailureRetry is the retry hint, for control.Failure.
func (e *Error) FailureRetry() string { return e.Retry }

// ErrClosed is returned by sends and connects of a session that is over.
var ErrClosed = errors.New("exchange: the attempt is over")

// errGoodbye ends a connection whose peer has cancelled the attempt: we are
// about to hear the same from the JobManager.
var errGoodbye = errors.New("the peer has cancelled the attempt")

// errTwice ends an attempt whose connection was lost while it was made: the other
// side has it, or had it. Nobody would use a second one.
var errTwice = errors.New("a connection of this attempt was made before, and lost")

func external(format string, args ...any) error {
	return &Error{Domain: "external", Retry: "restart", Err: fmt.Errorf(format, args...)}
}
