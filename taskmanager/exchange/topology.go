package exchange

import "fmt"

// AttemptID names one attempt of a region of the job: failovers count Attempt
// up, a new JobManager comes with a higher Epoch and may count from the start.
type AttemptID struct {
	Epoch   int64
	Region  int32
	Attempt int32
}

// Before tells whether a is older than b, an attempt of the same region.
func (a AttemptID) Before(b AttemptID) bool {
	return a.Epoch < b.Epoch || a.Epoch == b.Epoch && a.Attempt < b.Attempt
}

func (a AttemptID) String() string { return fmt.Sprintf("%d.%d.%d", a.Epoch, a.Region, a.Attempt) }

// ChannelID names a channel inside a session: the index of the edge in the
// JobGraph and the subtasks at its ends.
type ChannelID struct {
	Edge   int
	Source int
	Target int
}

func (c ChannelID) String() string { return fmt.Sprintf("edge %d, %d->%d", c.Edge, c.Source, c.Target) }

// Peer is a worker that runs the other end of a channel.
type Peer struct {
	WorkerID string
	Host     string
	Port     int
}

func (p Peer) String() string { return fmt.Sprintf("worker %s (%s:%d)", p.WorkerID, p.Host, p.Port) }
