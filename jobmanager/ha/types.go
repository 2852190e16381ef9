package ha

import (
	"errors"
	"log/slog"
	"time"
)

// ErrFenced says that a newer attempt of this JobManager has taken over. Who
// gets it must stop at once and leave all that is shared alone.
var ErrFenced = errors.New("a newer attempt of the JobManager has taken over")

// ErrUnknownOutcome says that a change may or may not have happened: the file
// system failed between doing and telling. Who gets it must not act on either
// (not discard the checkpoint, not confirm it), but give up its attempt: the next
// one finds out.
var ErrUnknownOutcome = errors.New("the file system does not tell whether the change happened")

// ErrNoLeader says that no JobManager has announced itself yet.
var ErrNoLeader = errors.New("no JobManager has announced itself")

// Options configure a Store. The zero value is ready to use.
type Options struct {
	// Logger hears of take-overs and of what could not be cleaned up; nil means
	// slog.Default.
	Logger *slog.Logger
	// SettleTimeout bounds the rename of a change and its checks, which do not
	// end with the caller's context so that their outcome is known. Default 90 s,
	// above the time-out of one call to a NameNode.
	SettleTimeout time.Duration
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.SettleTimeout == 0 {
		o.SettleTimeout = 90 * time.Second
	}
	return o
}

// CheckpointPointer says where a completed checkpoint is.
type CheckpointPointer struct {
	// ID is the checkpoint's number, increasing within a job.
	ID int64
	// Path is the URI of the folder with _metadata.
	Path string
	// Savepoint tells that the user owns it.
	Savepoint bool
	// Time is when it was completed, to the millisecond.
	Time time.Time
	// Epoch is the attempt that completed it; the Store fills it in.
	Epoch int64
	// Extra is for the coordinator, such as the list of older retained ones.
	Extra []byte
}

// Job is a job that had not ended.
type Job struct {
	// ID is the job's id in hexadecimal.
	ID string
	// Graph are the bytes that PutJob got.
	Graph []byte
	// Checkpoint is the last completed one; nil if there was none.
	Checkpoint *CheckpointPointer
	// HighestCheckpointID is the highest id that any pointer of the job had; 0 if
	// there was none. Ids go on above it.
	HighestCheckpointID int64
}

// Result is what PutResult got for a job that ended.
type Result struct {
	JobID  string
	Result []byte
}

// Recovered is what an attempt finds of earlier ones.
type Recovered struct {
	// From is the epoch that it comes from; 0 if there was none.
	From int64
	// Jobs had not ended, in the order in which they were put.
	Jobs []Job
	// Results are those of ended jobs.
	Results []Result
}

// Leader says where a JobManager is.
type Leader struct {
	// Address is host:port of the control plane.
	Address string
	// RESTAddress is host:port of the REST API.
	RESTAddress string
	// Epoch is the attempt; PutLeader fills it in. Workers ignore what is older
	// than what they have seen.
	Epoch int64
}
