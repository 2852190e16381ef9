//go:build race

package ha

// raceEnabled tells that the race detector makes everything ten times slower.
const raceEnabled = true
