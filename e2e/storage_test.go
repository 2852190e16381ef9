//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"

	"goflink/internal/testbed"
)

// TestCheckpointStorage: checkpoints that cannot be written, because HDFS is
// full or read-only, fail and are counted; the job goes on as long as
// tolerable-failed-checkpoints says so.
func TestCheckpointStorage(t *testing.T) {
	t.Parallel()
	b := onYarn(t)
	s := startSession(b, "-s", "4")
	admin := b.Cluster.As("hdfs")
	faults := map[string]struct{ begin, end func(dir string) }{
		"full": {
			func(dir string) { admin.HDFS("dfsadmin", "-setSpaceQuota", "1", dir) },
			func(dir string) { admin.HDFS("dfsadmin", "-clrSpaceQuota", dir) },
		},
		"readonly": {
			func(dir string) { admin.HDFS("dfs", "-chmod", "-R", "555", dir) },
			func(dir string) { admin.HDFS("dfs", "-chmod", "-R", "755", dir) },
		},
	}
	t.Run("faults", func(t *testing.T) {
		for name, fault := range faults {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				b := b.For(t)
				storageFault(t, b, s.jm.For(b), name, fault.begin, fault.end)
			})
		}
	})
	s.stop()
}

func storageFault(t *testing.T, b *testbed.Bed, jm *testbed.JobManager, name string, begin, end func(dir string)) {
	w := windows{records: 60_000, keys: 20, rate: 2000}
	start := func(sub string, more ...string) (*testbed.Process, string, string) {
		dir := name + "-" + sub
		args := append(append([]string{"run"}, checkpointing(b, more...)...), "-Dexecution.checkpointing.dir="+b.URI(dir), "-Dexecution.checkpointing.interval=500ms", jobs["windowed"])
		p := b.Start(testbed.Command{}, b.Bin("flink"), append(args, w.args(b.URI(dir+"-out"))...)...)
		job := p.Await(testbed.JobID, time.Minute)
		jm.AwaitRunning(job, time.Minute)
		jm.AwaitCheckpoints(job, 2, 20*time.Second)
		return p, job, b.Dir + "/" + dir
	}
	patient, job, dir := start("patient", "-Dexecution.checkpointing.tolerable-failed-checkpoints=1000")
	begin(dir)
	b.Eventually("two failed checkpoints are counted", 30*time.Second, func() bool {
		c, err := jm.Checkpoints(job)
		return err == nil && c.Counts.Failed >= 2
	})
	end(dir)
	jm.AwaitCheckpoints(job, 2, 30*time.Second)
	if n := jm.Restarts(job); n != "0" {
		t.Errorf("the patient job has restarted %s times: %v", n, jm.Exceptions(job))
	}
	strict, _, dir2 := start("strict", "-Dexecution.checkpointing.tolerable-failed-checkpoints=0", "-Drestart-strategy.type=none")
	begin(dir2)
	refused(t, strict.Wait(time.Minute), "Exceeded checkpoint tolerable failure threshold", strings.TrimPrefix(dir2, b.Dir+"/"))
	end(dir2)
	patient.Wait(time.Minute).OK(t)
	w.check(b, b.FS(), dir+"-out")
}
