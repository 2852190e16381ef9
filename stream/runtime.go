package stream

import (
	"goflink/conf"
	"goflink/graph"
)

// UIDHash fixes the operator's id itself, 32 hexadecimal digits, as logs and the
// web page show it (Flink's setUidHash): a program that had no uid keeps its state
// although the operator's kind, name or inputs change. It is a way out for
// programs that run already; others have UID.
func UIDHash(hash string) Option {
	return func(o *op) {
		if !graph.IsID(hash) {
			o.env.failf("uid hash %q: want 32 hexadecimal digits in lower case, as the operator's id is shown", hash)
			return
		}
		o.node.UIDHash = hash
	}
}

// RestoreOptions say how a program begins from a savepoint or retained checkpoint.
type RestoreOptions struct {
	// AllowNonRestoredState skips state of operators that the program does not
	// have any more.
	AllowNonRestoredState bool
	// Claim makes the job the owner of the files (claim mode CLAIM); else it
	// leaves them alone (NO_CLAIM).
	Claim bool
}

// RestoreFrom begins the job from a savepoint or a retained checkpoint, unless it
// is submitted with another one (-s): Flink's execution.savepoint.path, set by the
// program. Restarts after failures begin from the job's own checkpoints.
func (e *Env) RestoreFrom(path string, o RestoreOptions) {
	if path == "" {
		e.failf("restore from: the path is empty")
		return
	}
	mode := conf.ClaimNo
	if o.Claim {
		mode = conf.ClaimOwned
	}
	e.own.Set(conf.StateRecoveryPath.Key, path)
	conf.StateRecoveryIgnoreUnclaimed.Set(e.own, o.AllowNonRestoredState)
	conf.StateRecoveryClaimMode.Set(e.own, mode)
}

// What follows is the rest of Flink's RuntimeContext; when the graph is built it
// is empty, and 0.

// TaskName names the subtask: "Map -> Filter (1/4)".
func (s *Setup[K]) TaskName() string {
	if s.b == nil {
		return ""
	}
	return s.b.t.env.TaskName
}

// OperatorName is the operator's name, also when the graph is built.
func (s *Setup[K]) OperatorName() string { return s.o.node.Name }

// MaxParallelism is the number of key groups of the operator.
func (s *Setup[K]) MaxParallelism() int {
	if s.b == nil {
		return 0
	}
	return s.b.t.env.MaxParallelism
}

// JobID is the job's id, 32 hexadecimal digits.
func (s *Setup[K]) JobID() string {
	if s.b == nil {
		return ""
	}
	return s.b.t.env.JobID
}

// JobName is the job's name, also when the graph is built.
func (s *Setup[K]) JobName() string {
	if s.b == nil {
		return s.o.env.graph.Name
	}
	return s.b.t.env.JobName
}

// Host is the machine that the subtask runs on.
func (s *Setup[K]) Host() string {
	if s.b == nil {
		return ""
	}
	return s.b.t.env.Host
}

// Params are the program's arguments by name (Flink's global job parameters, as
// ParameterTool makes them), also when the graph is built.
func (s *Setup[K]) Params() *Params {
	if p, err := ParseParams(s.o.env.s.Args); err == nil {
		return p
	}
	return &Params{} // its error is reported where the program asks for Env.Params
}
