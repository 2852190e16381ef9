package streamtest

import "errors"

// ErrKilled is the end of an attempt that Options.Kill asked for. What the
// cluster is good for then is LastCheckpoint and Close.
var ErrKilled = errors.New("killed")

// Moment is a place in the life of a checkpoint at which an attempt may die.
type Moment uint8

const (
	// Triggered: the enumerators are in the checkpoint, no task is.
	Triggered Moment = iota
	// Acked: one more task is in the checkpoint, which is not complete.
	Acked
	// Completed: the checkpoint is complete and no task knows; nothing of it is
	// committed.
	Completed
	// Told: one more task knows and has committed; others may not.
	Told
)

// String is the moment's name.
func (m Moment) String() string {
	return [...]string{"triggered", "acked", "completed", "told"}[m]
}

func (c *Cluster) kill(at Moment) error {
	if c.o.Kill != nil && c.o.Kill(at) {
		return ErrKilled
	}
	return nil
}

// Drained tells whether all data was processed: a checkpoint that is under way
// then is the final one.
func (c *Cluster) Drained() bool { return c.drained() }
