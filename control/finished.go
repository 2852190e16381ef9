package control

// FinishedBefore tells that a task of so many operators had ended before the
// checkpoint that gives it these states, with nothing left to do: it is not run
// again. JobManager and workers must agree on it, since such a task has no
// channels.
func FinishedBefore(states []*OperatorState, operators int) bool {
	seen := map[string]bool{}
	for _, st := range states {
		if !st.GetFinished() || len(st.GetKeyed())+len(st.GetLists()) > 0 {
			return false
		}
		seen[st.GetOperatorId()] = true
	}
	return len(seen) > 0 && len(seen) == operators
}
