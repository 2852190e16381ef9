//go:build race

package state_test

// rounds cuts how often a model test does something: the race detector, which makes
// each step about ten times as dear, needs few steps to see two goroutines meet. All
// of them run without it (make norace).
func rounds(n int) int { return n / 4 }
