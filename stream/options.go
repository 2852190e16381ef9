package stream

import (
	"time"

	"goflink/graph"
)

// Option configures one operator.
type Option func(*op)

// Name is what people see in place of the operator's kind.
func Name(name string) Option { return func(o *op) { o.node.Name, o.named = name, true } }

// Description is a longer name for the plan.
func Description(text string) Option { return func(o *op) { o.node.Description = text } }

// UID fixes the operator's id across versions of the program, and with it the
// name of its state in savepoints. Give one to every operator with state.
func UID(uid string) Option { return func(o *op) { o.node.UID = uid } }

// Parallelism is the number of subtasks of the operator.
func Parallelism(n int) Option {
	return func(o *op) {
		if n < 1 {
			o.env.failf("parallelism %d is below 1", n)
			return
		}
		o.node.Parallelism = n
	}
}

// fixed is for operators that cannot run with another parallelism.
func fixed(o *op) { o.node.Fixed = true }

// MaxParallelism is the number of key groups of the operator, the bound of later
// rescaling.
func MaxParallelism(n int) Option { return func(o *op) { o.node.MaxParallelism = n } }

// SlotSharingGroup puts the operator into slots that only operators of the same
// group share.
func SlotSharingGroup(name string) Option { return func(o *op) { o.node.SlotSharingGroup = name } }

// BufferTimeout bounds how long a record that the operator emits waits in an output
// buffer, in place of the job's time (execution.buffer-timeout.interval; Flink's
// setBufferTimeout): 0 sends each record at once, a negative one only full buffers,
// which is best for throughput. It counts where the operator's output leaves its
// task; times between 0 and 1 ms are taken as 1 ms.
func BufferTimeout(d time.Duration) Option {
	if d > 0 {
		d = max(d, time.Millisecond)
	}
	return func(o *op) { o.flushAfter = &d }
}

// StartNewChain runs the operator in another task than what it reads.
func StartNewChain() Option { return func(o *op) { o.node.Chain = graph.ChainHead } }

// DisableChaining runs the operator in a task of its own.
func DisableChaining() Option { return func(o *op) { o.node.Chain = graph.ChainNever } }
