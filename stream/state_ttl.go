package stream

import (
	"fmt"

	"goflink/state"
)

// TTL makes state expire some time after it was last written or read, in
// processing time: Flink's StateTtlConfig. Elements of lists and entries of maps
// expire one by one. Its fields are described at state.TTL.
type TTL = state.TTL

// TTLCleanup says how state is removed that expired and that nobody reads.
type TTLCleanup = state.TTLCleanup

// What gives state its full time again, and whether expired state may be seen:
// Flink's UpdateType and StateVisibility.
const (
	OnCreateAndWrite            = state.OnCreateAndWrite
	OnReadAndWrite              = state.OnReadAndWrite
	TTLDisabled                 = state.TTLDisabled
	NeverReturnExpired          = state.NeverReturnExpired
	ReturnExpiredIfNotCleanedUp = state.ReturnExpiredIfNotCleanedUp
)

// StateOption is an option of a keyed state.
type StateOption func(*stateOptions)

type stateOptions struct{ ttl *TTL }

// WithTTL makes the state expire.
func WithTTL(ttl TTL) StateOption { return func(o *stateOptions) { o.ttl = &ttl } }

// options applies the options of a state and reports what makes no sense.
func (s *Setup[K]) options(name string, opts []StateOption) stateOptions {
	var o stateOptions
	for _, opt := range opts {
		opt(&o)
	}
	if err := o.ttl.Validate(); err != nil {
		s.fail(fmt.Errorf("state %q: %w", name, err))
	}
	return o
}
