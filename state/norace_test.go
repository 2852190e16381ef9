//go:build !race

package state_test

func rounds(n int) int { return n }
