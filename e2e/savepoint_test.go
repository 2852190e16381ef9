//go:build e2e

package e2e

import (
	"strconv"
	"testing"
	"time"

	"goflink/internal/testbed"
)

// TestRescale stops a job with a savepoint at parallelism 2, goes on with 3 and
// then with 1, on both state backends and from each to the other.
func TestRescale(t *testing.T) {
	t.Parallel()
	b := onYarn(t)
	s := startSession(b, "-s", "3")
	cases := map[string][3]string{
		"hashmap": {"hashmap", "hashmap", "hashmap"},
		"rocksdb": {"rocksdb", "rocksdb", "rocksdb"},
		"across":  {"hashmap", "rocksdb", "hashmap"},
	}
	t.Run("backends", func(t *testing.T) {
		for name, backends := range cases {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				rescale(t, b, s, name, backends)
			})
		}
	})
	s.stop()
}

func rescale(t *testing.T, shared *testbed.Bed, s *session, name string, backends [3]string) {
	b := shared.For(t)
	jm := s.jm.For(b)
	w := windows{records: 60_000, keys: 200, rate: 4000}
	savepoint := ""
	for i, parallelism := range []int{2, 3, 1} {
		args := append([]string{"run", "-p", strconv.Itoa(parallelism)}, checkpointing(b, "-Dstate.backend.type="+backends[i])...)
		if savepoint != "" {
			args = append(args, "-s", savepoint)
		}
		last := i == 2
		if !last {
			args = append(args, "-d")
		}
		args = append(append(args, jobs["windowed"]), w.args(b.URI(name))...)
		if last {
			b.Flink(args...).OK(t)
			break
		}
		job := b.Flink(args...).OK(t).Match(t, testbed.JobID)
		jm.AwaitRunning(job, time.Minute)
		jm.AwaitCheckpoints(job, 2, time.Minute)
		if got := jm.Parallelism(job); got != parallelism {
			t.Errorf("the job runs with parallelism %d, want %d", got, parallelism)
		}
		r := b.Flink("stop", "-p", b.URI("savepoints"), job).OK(t)
		inOrder(t, r.Stdout, `Suspending job "`+job+`" with a CANONICAL savepoint.`, "Triggering stop-with-savepoint for job "+job+".", "Waiting for response...", "Savepoint completed. Path: hdfs://")
		savepoint = r.Match(t, testbed.Savepoint)
		jm.AwaitState(job, "FINISHED", 30*time.Second)
	}
	w.check(b, b.FS(), b.Dir+"/"+name)
}
