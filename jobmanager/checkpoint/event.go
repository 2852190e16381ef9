package checkpoint

import (
	"time"

	"goflink/control"
	"goflink/graph"
)

// Event is something that happened.
type Event interface{ event() }

// Begin tells that every task of the job runs.
type Begin struct{}

// Suspend tells that the attempt of some tasks is over, or the job: what is
// under way is given up, except what is being finalised. With Others the other
// tasks go on and have to hear what becomes of checkpoints.
type Suspend struct {
	Reason string
	Others bool
}

// TaskFinished tells that a task ended by itself.
type TaskFinished struct{ Task Task }

// TaskDrained tells that a task has processed all of its data.
type TaskDrained struct{ Task Task }

// Prepared answers Prepare. Exists is true when somebody else made the folder.
type Prepared struct {
	ID     int64
	Dir    string
	Exists bool
	Err    error
}

// CoordinatorSnapshot answers SnapshotCoordinator: state by operator id.
type CoordinatorSnapshot struct {
	ID     int64
	States map[string][]byte
	Err    string
}

// Ack is a task's acknowledgement.
type Ack struct{ *control.CheckpointAck }

// Decline is a task's refusal.
type Decline struct{ *control.CheckpointDecline }

// Written answers Write.
type Written struct {
	ID   int64
	Size int64
	Err  error
}

// Published answers Publish. Err says that the pointer is not there and never
// will be. Fenced is true when another JobManager has taken over, or when nobody
// knows whether the pointer is there: nothing may be done any more.
type Published struct {
	ID     int64
	Err    error
	Fenced bool
}

// Request is a user's wish for a savepoint, a stop with one, or a checkpoint.
type Request struct {
	// Token comes back in Reply.
	Token string
	Kind  Kind // Savepoint, Stop or Periodic
	// Dir is the savepoint's own folder, not made yet.
	Dir    string
	Format string
	// Full makes a checkpoint refer to no file of an earlier one.
	Full bool
	// Drain makes a Stop emit the last watermark first.
	Drain bool
	// Last tells that the job is cancelled as soon as this savepoint is complete:
	// no later checkpoint begins, because it would make output visible that a job
	// which begins from the savepoint writes again.
	Last bool
}

// Restore asks for what the next attempt begins from; RestoreFrom answers, as
// soon as nothing is being finalised. From here on news of Tasks is of that
// attempt; nil means all tasks of the job.
type Restore struct {
	Tasks []Task
	// Graph is the job's graph from the next attempt on, if its parallelism
	// changes; then all tasks are of a new attempt. nil: as it is.
	Graph *graph.JobGraph
}

// Terminate tells how the job ended; what is not retained is discarded.
type Terminate struct{ Finished, Cancelled bool }

// Tick tells the time, at Deadline or later.
type Tick struct{}

func (Begin) event()               {}
func (Suspend) event()             {}
func (TaskFinished) event()        {}
func (TaskDrained) event()         {}
func (Prepared) event()            {}
func (CoordinatorSnapshot) event() {}
func (Ack) event()                 {}
func (Decline) event()             {}
func (Written) event()             {}
func (Published) event()           {}
func (Request) event()             {}
func (Restore) event()             {}
func (Terminate) event()           {}
func (Tick) event()                {}

// Action is something that the caller has to do, in the order given.
type Action interface{ action() }

// Prepare makes a folder that must not be there yet; answer with Prepared.
type Prepare struct {
	ID  int64
	Dir string
}

// SnapshotCoordinator asks the coordinator process for its state; answer with
// CoordinatorSnapshot.
type SnapshotCoordinator struct{ ID int64 }

// Trigger starts a checkpoint at the tasks that have no running inputs.
type Trigger struct {
	ID     int64
	At     time.Time
	Kind   Kind
	Dir    string
	Format string
	Base   int64 // completed checkpoint whose tables may be referred to; 0: none
	Drain  bool
	Tasks  []Task
	// Unaligned: barriers overtake records once the checkpoint is older than
	// AlignedTimeout.
	Unaligned      bool
	AlignedTimeout time.Duration
}

// Write makes Dir/_metadata, whole or not at all; answer with Written.
type Write struct {
	ID       int64
	Dir      string
	Metadata *control.CheckpointMetadata
}

// Publish makes the pointer to a checkpoint durable; answer with Published.
type Publish struct {
	ID   int64
	Kind Kind
	Dir  string
}

// Complete tells that a checkpoint is complete. Notify is false when no task or
// enumerator has to hear of it.
type Complete struct {
	Checkpoint  *Completed
	Stop, Final bool
	Notify      bool
}

// Aborted tells that a checkpoint failed. Notify is true when tasks were
// triggered and have to hear of it.
type Aborted struct {
	ID     int64
	Kind   Kind
	Reason string
	Notify bool
}

// Reply answers a Request.
type Reply struct {
	Token string
	ID    int64
	Path  string
	Err   string
}

// NotRunning answers a request while tasks are still to start, which may pass.
const NotRunning = "not all tasks of the job are running"

// FailJob fails the attempt.
type FailJob struct{ Reason string }

// FinalCommit tells all tasks of a job without checkpoints to commit and end.
type FinalCommit struct{ Tasks []Task }

// RestoreFrom answers Restore; Checkpoint is nil when there is none.
type RestoreFrom struct{ Checkpoint *Completed }

// Discard deletes what no checkpoint needs: folders with all in them, single
// files, then folders if they are empty. Absence is no error.
type Discard struct {
	ID           int64
	Dirs         []string
	Files        []string
	EmptyFolders []string
}

// Fenced tells that another JobManager has taken over: stop at once.
type Fenced struct{}

func (Prepare) action()             {}
func (SnapshotCoordinator) action() {}
func (Trigger) action()             {}
func (Write) action()               {}
func (Publish) action()             {}
func (Complete) action()            {}
func (Aborted) action()             {}
func (Reply) action()               {}
func (FailJob) action()             {}
func (FinalCommit) action()         {}
func (RestoreFrom) action()         {}
func (Discard) action()             {}
func (Fenced) action()              {}
