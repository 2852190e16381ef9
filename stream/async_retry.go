package stream

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"time"
)

// AsyncRetry says when and how often a call of an asynchronous operator is made
// again. It has Flink's AsyncRetryStrategies: a fixed delay (Delay), or an
// exponential one (Delay, Multiplier and MaxDelay).
//
// A record keeps its place while it waits for its next attempt. The time-out
// holds for all attempts together. When the attempts are used up, the last
// result is emitted as it is, and the last error fails the task.
type AsyncRetry struct {
	// Attempts is the number of calls for one record, the first included; 0 and
	// 1 mean that none is repeated.
	Attempts int
	// Delay is the pause before the second attempt.
	Delay time.Duration
	// Multiplier makes each pause longer than the one before; 0 means 1, the
	// pauses being equal.
	Multiplier float64
	// MaxDelay bounds the pauses when Multiplier is above 1; 0 is no bound.
	MaxDelay time.Duration
	// OnError tells whether to try again after an error; nil means after each
	// error, unless OnResult is set.
	OnError func(err error) bool
	// OnResult tells whether to try again after a result; see RetryResult.
	OnResult AsyncPredicate
}

// AsyncPredicate is a function of the result of an asynchronous call, made by
// RetryResult.
type AsyncPredicate interface{ wants() reflect.Type }

type resultPredicate[R any] func(R) bool

func (resultPredicate[R]) wants() reflect.Type { return reflect.TypeFor[R]() }

// RetryResult makes a predicate for AsyncRetry.OnResult: f is true for a result
// that is not good enough. Its argument is what the operator's function returns.
func RetryResult[R any](f func(result R) bool) AsyncPredicate { return resultPredicate[R](f) }

// delay is the pause after so many attempts, in milliseconds.
func (r *AsyncRetry) delay(attempts int) int64 {
	d := float64(r.Delay)
	if r.Multiplier > 1 {
		d *= math.Pow(r.Multiplier, float64(attempts-1))
	}
	limit := float64(r.MaxDelay)
	if limit == 0 {
		limit = float64(24 * time.Hour) // so that no number of attempts overflows
	}
	if r.Multiplier > 1 {
		d = min(d, limit)
	}
	return time.Duration(d).Milliseconds()
}

func (r *AsyncRetry) check() error {
	switch {
	case r.Attempts < 0:
		return fmt.Errorf("AsyncRetry.Attempts %d is below 0", r.Attempts)
	case r.Delay < 0 || r.MaxDelay < 0:
		return errors.New("a delay of AsyncRetry is below 0")
	case r.Multiplier != 0 && !(r.Multiplier >= 1):
		return fmt.Errorf("AsyncRetry.Multiplier %g is below 1", r.Multiplier)
	case r.Attempts < 2 && (r.OnError != nil || r.OnResult != nil || r.Delay > 0):
		return errors.New("AsyncRetry repeats nothing: set Attempts to 2 at least")
	}
	return nil
}

// retryRule decides about one operator's attempts, with its types.
type retryRule[R any] struct {
	AsyncRetry
	onResult func(R) bool
}

func newRetryRule[R any](r AsyncRetry) (retryRule[R], error) {
	rule := retryRule[R]{AsyncRetry: r}
	if r.OnResult != nil {
		f, ok := r.OnResult.(resultPredicate[R])
		if !ok {
			return rule, fmt.Errorf("AsyncRetry.OnResult takes %s, the function returns %s", r.OnResult.wants(), reflect.TypeFor[R]())
		}
		rule.onResult = f
	}
	return rule, r.check()
}

// again tells whether the call is made once more after so many attempts.
func (r *retryRule[R]) again(attempts int, res R, err error) bool {
	switch {
	case attempts >= r.Attempts:
		return false
	case err == nil:
		return r.onResult != nil && r.onResult(res)
	case r.OnError != nil:
		return r.OnError(err)
	}
	return r.onResult == nil
}
