package state

// All tests read ahead, however small their states are.
func init() { aheadBytes = 0 }
