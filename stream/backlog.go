package stream

import "goflink/dataflow"

// backlog is the chain's dataflow.Backlog: the operators that hold records, those
// furthest downstream first, as they are built.
type backlog []dataflow.Backlog

var _ dataflow.Backlog = backlog(nil)

// Emit lets each operator emit what it has, until the output is blocked. One that
// is full takes nothing from those before it.
func (b backlog) Emit() error {
	for _, x := range b {
		if err := x.Emit(); err != nil || x.Full() {
			return err
		}
	}
	return nil
}

// Full is true while one of them wants no further record.
func (b backlog) Full() bool {
	for _, x := range b {
		if x.Full() {
			return true
		}
	}
	return false
}

// Empty is true when none holds anything.
func (b backlog) Empty() bool {
	for _, x := range b {
		if !x.Empty() {
			return false
		}
	}
	return true
}

// chainBacklog is nil for a chain without such operators, which is most.
func (t *task) chainBacklog() dataflow.Backlog {
	if len(t.backlog) == 0 {
		return nil
	}
	return t.backlog
}
