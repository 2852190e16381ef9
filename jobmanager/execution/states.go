package execution

// JobState is the state of a job, named as in Flink.
type JobState string

// The job states. INITIALIZING and CREATED come before the first task is
// scheduled; RECONCILING is part of the vocabulary only.
const (
	JobInitializing JobState = "INITIALIZING"
	JobCreated      JobState = "CREATED"
	JobRunning      JobState = "RUNNING"
	JobFailing      JobState = "FAILING"
	JobFailed       JobState = "FAILED"
	JobCancelling   JobState = "CANCELLING"
	JobCanceled     JobState = "CANCELED"
	JobFinished     JobState = "FINISHED"
	JobRestarting   JobState = "RESTARTING"
	JobSuspended    JobState = "SUSPENDED"
	JobReconciling  JobState = "RECONCILING"
)

// JobStates lists all job states in the order that REST shows them.
var JobStates = []JobState{JobInitializing, JobCreated, JobRunning, JobFailing, JobFailed, JobCancelling, JobCanceled,
	JobFinished, JobRestarting, JobSuspended, JobReconciling}

// Terminal tells whether a job in this state is over for good, on this
// JobManager and on any later one.
func (s JobState) Terminal() bool { return s == JobFailed || s == JobCanceled || s == JobFinished }

// TaskState is the state of one execution of one subtask, named as in Flink.
type TaskState string

// The task states. INITIALIZING means that the worker has the task and it
// restores its state.
const (
	TaskCreated      TaskState = "CREATED"
	TaskScheduled    TaskState = "SCHEDULED"
	TaskDeploying    TaskState = "DEPLOYING"
	TaskInitializing TaskState = "INITIALIZING"
	TaskRunning      TaskState = "RUNNING"
	TaskFinished     TaskState = "FINISHED"
	TaskCanceling    TaskState = "CANCELING"
	TaskCanceled     TaskState = "CANCELED"
	TaskFailed       TaskState = "FAILED"
)

// TaskStates lists all task states in their usual order.
var TaskStates = []TaskState{TaskCreated, TaskScheduled, TaskDeploying, TaskInitializing, TaskRunning, TaskFinished,
	TaskCanceling, TaskCanceled, TaskFailed}

// Terminal tells whether an execution in this state has ended.
func (s TaskState) Terminal() bool {
	return s == TaskFinished || s == TaskCanceled || s == TaskFailed
}

// onWorker tells whether a worker knows of an execution in this state, so that
// it has to be told to cancel it.
func (s TaskState) onWorker() bool {
	return s == TaskDeploying || s == TaskInitializing || s == TaskRunning || s == TaskCanceling
}

// rank orders the states that a worker reports while all goes well; an
// execution never goes back.
func (s TaskState) rank() int {
	switch s {
	case TaskDeploying:
		return 1
	case TaskInitializing:
		return 2
	case TaskRunning:
		return 3
	case TaskFinished:
		return 4
	}
	return 0
}
