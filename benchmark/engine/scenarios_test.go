//go:build bench

package engine

import "fmt"

// scenario is a job with its arguments.
type scenario struct {
	key, figure string
	program     string
	args        []string
	conf        map[string]string
	// workers is the number of TaskManagers, 1 when 0; they have two slots
	// together.
	workers int
	// ratio is how many times Flink's records per CPU second are asked; 0: none.
	ratio float64
}

// checkpointed adds a checkpoint each ten seconds.
func checkpointed(backend string, more map[string]string) map[string]string {
	conf := map[string]string{"execution.checkpointing.interval": "10s", "state.backend.type": backend}
	for k, v := range more {
		conf[k] = v
	}
	return conf
}

var heap = map[string]string{"state.backend.type": "hashmap"}

// scenarios are the jobs, in the order of the table.
var scenarios = []scenario{
	{key: "windowed", figure: "(a) tumbling 1 s count, 100,000 keys", program: "WindowedCount", args: keys(100_000), conf: heap, ratio: 15},
	{key: "windowed-1m", figure: "    tumbling 1 s count, 1 M keys", program: "WindowedCount", args: keys(1_000_000), conf: heap},
	{key: "keyed", figure: "(b) count by key, 1 M keys, heap", program: "KeyedCount", args: keys(1_000_000), conf: checkpointed("hashmap", nil), ratio: 10},
	{key: "keyed-10m", figure: "    count by key, 10 M keys, heap", program: "KeyedCount", args: keys(10_000_000), conf: checkpointed("hashmap", nil), ratio: 10},
	{key: "keyed-disk", figure: "    count by key, 1 M keys, pebble/RocksDB", program: "KeyedCount", args: keys(1_000_000),
		conf: checkpointed("rocksdb", map[string]string{"taskmanager.memory.managed.fraction": "0.4"}), ratio: 10},
	{key: "sliding", figure: "(c) sliding 60 s by 1 s count, 1,000 keys", program: "SlidingCount",
		args: append(keys(1000), "--window-ms", "60000", "--slide-ms", "1000"), conf: heap, ratio: 40},
	{key: "session", figure: "(d) sessions with a gap of 200 ms, 100,000 keys", program: "SessionCount", args: keys(100_000), conf: heap, ratio: 10},
	{key: "interval", figure: "(e) interval join within 50 ms, 100,000 keys", program: "IntervalJoin", args: keys(100_000), conf: heap, ratio: 8},
	{key: "shuffle", figure: "(h) records sent to two processes and dropped", program: "Shuffle", conf: heap, workers: 2},
}

func keys(n int) []string { return []string{"--keys", fmt.Sprint(n)} }
