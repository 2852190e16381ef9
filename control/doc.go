// Package control is the control plane between a JobManager and the processes
// that dial in to it: TaskManagers, workers and coordinators. It owns the
// messages (control.proto), the handshake that every connection of a cluster
// starts with, and the names of the environment through which a process
// learns its role.
//
// It has no goroutines and no locks of its own.
//
// Invariants: a connection carries nothing of ours before both ends have
// proved that they know the cluster's secret (handshake-first); the secret
// itself is never sent (see Handshake).
package control

// ProtocolVersion is the worker protocol of this release. A JobManager serves
// this one and the one before.
const ProtocolVersion = 1

// Environment variables that a process of ours is started with. None of them
// is secret.
const (
	// EnvRole is the role of a job binary: plan, worker, coordinator,
	// taskmanager; empty: run the job here.
	EnvRole = "GOFLINK_ROLE"
	// EnvBootstrapFD is the descriptor with an encoded Bootstrap.
	EnvBootstrapFD = "GOFLINK_BOOTSTRAP_FD"
	// EnvResultFD is the descriptor that the plan role writes the JobGraph to.
	EnvResultFD = "GOFLINK_RESULT_FD"
	// EnvParentFD is a pipe whose end tells that the parent died.
	EnvParentFD = "GOFLINK_PARENT_FD"
)

// Roles of a job binary.
const (
	RolePlan        = "plan"
	RoleWorker      = "worker"
	RoleCoordinator = "coordinator"
	RoleTaskManager = "taskmanager"
)

// A job binary carries the marker MarkerHead + MarkerTail, so that a client
// can tell one without running it. The halves are apart so that the client
// itself does not carry it.
const (
	MarkerHead = "goflink:job-"
	MarkerTail = "program;"
)
