package state

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// TTL makes values, elements of lists and entries of maps expire some time after they were last written or read:
// Flink's StateTtlConfig. The time is processing time. What expired is not returned any more, and is removed when it
// is read and by the clean-up.
type TTL struct {
	// Time is how long state lives, 1 ms at least.
	Time time.Duration
	// Update says what makes it live longer; by default what is written.
	Update TTLUpdate
	// Visibility says whether expired state may be seen; by default it is not.
	Visibility TTLVisibility
	// Cleanup says how state is removed that nobody reads any more.
	Cleanup TTLCleanup
}

// TTLUpdate says what gives state its full time again: Flink's UpdateType.
type TTLUpdate uint8

// The update types.
const (
	// OnCreateAndWrite: writing does.
	OnCreateAndWrite TTLUpdate = iota
	// OnReadAndWrite: reading does, too.
	OnReadAndWrite
	// TTLDisabled: state never expires, as if there was no TTL.
	TTLDisabled
)

// TTLVisibility says whether state may be returned that expired: Flink's StateVisibility.
type TTLVisibility uint8

// The visibilities.
const (
	// NeverReturnExpired: what expired is as good as gone.
	NeverReturnExpired TTLVisibility = iota
	// ReturnExpiredIfNotCleanedUp: it may be returned once more, by the read that removes it.
	ReturnExpiredIfNotCleanedUp
)

// TTLCleanup says how expired state is removed that nobody reads. Without any setting it is removed in the
// background: on the heap as Incremental 5 does, with a store by both zero values.
type TTLCleanup struct {
	// FullSnapshot leaves expired state out of canonical snapshots, so that it is not restored.
	FullSnapshot bool
	// Incremental checks so many entries at each access of the state; 0 means 5 on the heap. With a store, 0 means 2
	// of those in front of it and none in it.
	Incremental int
	// EveryRecord checks them for each record as well, whether it accesses the state or not.
	EveryRecord bool
	// InCompaction checks so many rows of the store for each row that is written to it; 0 means 2. The work grows
	// with what is written, as that of a compaction does, so that a store does not grow by what expired: each row is
	// checked before half as many others have come. It has no effect on the heap.
	InCompaction int
	// NoBackground removes only what is read, unless a field above says otherwise.
	NoBackground bool
}

func (t *TTL) on() bool { return t != nil && t.Update != TTLDisabled }

// Validate reports what makes no sense, all at once.
func (t *TTL) Validate() error {
	if !t.on() {
		return nil
	}
	var errs []error
	if t.Time < time.Millisecond {
		errs = append(errs, fmt.Errorf("time to live %s: it must be 1 ms at least", t.Time))
	}
	if t.Update > TTLDisabled {
		errs = append(errs, fmt.Errorf("time to live: unknown update type %d", t.Update))
	}
	if t.Visibility > ReturnExpiredIfNotCleanedUp {
		errs = append(errs, fmt.Errorf("time to live: unknown visibility %d", t.Visibility))
	}
	if t.Cleanup.Incremental < 0 || t.Cleanup.InCompaction < 0 {
		errs = append(errs, errors.New("time to live: the number of entries to clean up must not be negative"))
	}
	return errors.Join(errs...)
}

// millis is the time to live in milliseconds, 0 without one.
func (t *TTL) millis() int64 {
	if !t.on() {
		return 0
	}
	return t.Time.Milliseconds()
}

const (
	// defaultIncremental and defaultInCompaction are the background clean-up: Flink's 5 entries an access, and the
	// fewest rows a write that still outrun what is written.
	defaultIncremental  = 5
	defaultInCompaction = 2
	// defaultInFront is enough for entries in front of a store, which are few, and costs no more than the access.
	defaultInFront = 2
)

// aging is what a table knows of its time to live, whatever its type.
type aging struct {
	millis   int64
	now      func() int64
	touch    bool // reading counts as well
	returned bool // what expired may be returned
	snapshot bool // canonical snapshots leave it out
	access   int  // entries to check at each access, of those that are Go values
	stored   int  // rows of the store to check at each access
	write    int  // rows to check for each one that is written to the store
	credit   int  // rows of the store to check, which have been saved up
	busy     int  // iterations that must not be disturbed

	// filter takes what expired out of an encoded value; keep is false when nothing is left. The result is good
	// until the next call.
	filter func(val []byte, deadline int64) (out []byte, keep bool, err error)
}

func newAging(t *TTL, now func() int64, store bool) *aging {
	a := &aging{millis: t.millis(), now: now, touch: t.Update == OnReadAndWrite, returned: t.Visibility == ReturnExpiredIfNotCleanedUp}
	c := t.Cleanup
	a.snapshot, a.access, a.stored, a.write = c.FullSnapshot, c.Incremental, c.Incremental, c.InCompaction
	if a.access == 0 && c.EveryRecord {
		a.access, a.stored = defaultIncremental, defaultIncremental
	}
	switch {
	case c.NoBackground:
	case store:
		a.access, a.write = max(a.access, defaultInFront), cmp.Or(a.write, defaultInCompaction)
	default:
		a.access = cmp.Or(a.access, defaultIncremental)
	}
	return a
}

// deadline is the time of the last access at and before which state has expired by now.
func (a *aging) deadline() int64 { return a.now() - a.millis }

// snapshotFilter is what a snapshot that is taken now does with each value, nil for nothing.
func (a *aging) snapshotFilter() func(val []byte) ([]byte, bool, error) {
	if a == nil || !a.snapshot {
		return nil
	}
	deadline := a.deadline()
	return func(val []byte) ([]byte, bool, error) { return a.filter(val, deadline) }
}
