//go:build race

package jobmanager

// raceEnabled tells that the race detector watches.
const raceEnabled = true
