// Package graph owns the two graphs of a job: the StreamGraph, which a program
// builds operator by operator, and the JobGraph, its protobuf form after
// operators were chained into vertices.
//
// Who calls it: package stream builds a StreamGraph and chains it with Build;
// client, JobManager and workers pass the JobGraph on, check it with Decode and
// Validate, compare fingerprints, and show it with PlanJSON, InfoJSON and
// Describe.
//
// It has no goroutines and no locks. A JobGraph is not changed after Build,
// except for the fields that its submission assigns (job_id, program, restore,
// submitted_ms).
//
// Invariants, cited in the code:
//
//	id-by-shape    an operator's id depends on its uid, or on its kind, name and
//	               inputs; never on how many operators there are elsewhere.
//	topological    vertices, and the operators of a vertex, come after what they
//	               read.
//	dense-ports    the output and input indices of a vertex's edges count from 0
//	               without gaps.
//	same-twice     Build on an equal StreamGraph yields an equal JobGraph, byte
//	               for byte: no map order, clock or address gets in.
package graph
