//go:build race

package codec

// raceEnabled: the race detector makes sync.Pool drop entries at random.
const raceEnabled = true
