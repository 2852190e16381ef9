package alloc

import (
	"time"

	"goflink/yarnrpc"
)

// Event is something that has happened; its type says what.
type Event interface{ event() }

// Desire says how many workers of a profile are wanted from now on. Containers are asked for, or the surplus is
// given back: outstanding asks first, then the unwanted workers, then those that have come least far.
type Desire struct {
	Priority int32            // names the profile
	Resource yarnrpc.Resource // of each worker
	Count    int
	Unwanted []yarnrpc.ContainerID // idle workers, to be given back first
}

// Allocated brings containers from the ResourceManager.
type Allocated struct{ Containers []Container }

// Previous brings containers of earlier attempts that still run, or, after the ResourceManager was restarted,
// all that run. Known ones may be among them.
type Previous struct{ Containers []Container }

// Started says that a NodeManager has accepted the start of a container.
type Started struct{ ID yarnrpc.ContainerID }

// StartFailed says that a container could not be started.
type StartFailed struct{ ID yarnrpc.ContainerID }

// WorkerRegistered says that a worker has reported to the JobManager.
type WorkerRegistered struct{ ID yarnrpc.ContainerID }

// Completed says that a container has ended. It may be repeated.
type Completed struct {
	ID   yarnrpc.ContainerID
	Exit int32
	Text string // the diagnostics
}

// Discard gives one worker up, because the JobManager has lost it though its container runs; it is replaced.
type Discard struct{ ID yarnrpc.ContainerID }

// Tick says that time has passed.
type Tick struct{}

// Close gives everything back and asks for nothing any more.
type Close struct{}

func (Desire) event()           {}
func (Allocated) event()        {}
func (Previous) event()         {}
func (Started) event()          {}
func (StartFailed) event()      {}
func (WorkerRegistered) event() {}
func (Completed) event()        {}
func (Discard) event()          {}
func (Tick) event()             {}
func (Close) event()            {}

// Action is something to be done; its type says what.
type Action interface{ action() }

// Ask states the total of outstanding asks of a profile (yarnrpc's AM.SetAsk).
type Ask struct {
	Priority int32
	Resource yarnrpc.Resource
	Count    int
}

// Start starts a worker in a container; Started or StartFailed must follow.
type Start struct{ Container Container }

// Release gives back a container in which nothing was started (yarnrpc's AM.Release).
type Release struct {
	ID     yarnrpc.ContainerID
	Reason string
}

// Stop ends a container in which something may run, and gives it back (NM.Stop and AM.Release). Node is where it is.
type Stop struct {
	ID     yarnrpc.ContainerID
	Node   yarnrpc.NodeID
	Reason string
}

// Lost says that a worker is gone, for the JobManager, with the reason.
type Lost struct {
	ID         yarnrpc.ContainerID
	Registered bool // the JobManager knows it
	Exit       int32
	Text       string
}

// Pause says, for the log, that no containers are asked for until then, after so many failures in a minute.
type Pause struct {
	Until    time.Time
	Failures int
}

// WakeAt wants a Tick at the time, or soon after. It replaces an earlier one; the zero time wants none.
type WakeAt struct{ Time time.Time }

func (Ask) action()     {}
func (Start) action()   {}
func (Release) action() {}
func (Stop) action()    {}
func (Lost) action()    {}
func (Pause) action()   {}
func (WakeAt) action()  {}
