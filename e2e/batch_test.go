//go:build e2e

package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"goflink/control"
	"goflink/internal/testbed"
)

// TestKillsBatch runs stages on YARN while TaskManagers die, and with them what
// they wrote for the next stage: the output is that of an undisturbed job.
func TestKillsBatch(t *testing.T) {
	t.Parallel()
	b := onYarn(t)
	x := bigText(b)
	k := &killer{b: b, r: randomness(t), left: 2, staged: true, kills: map[string]int{}, victims: []string{control.RoleTaskManager}}
	args := append([]string{"run", "-t", "yarn-per-job", "-p", "2", "-Drestart-strategy.type=fixed-delay", "-Drestart-strategy.fixed-delay.attempts=100",
		"-Drestart-strategy.fixed-delay.delay=100ms"}, resilient...)
	p := b.Start(testbed.Command{}, b.Bin("flink"), append(args, jobs["wordcount"], "--execution-mode", "BATCH", "--input", x.dir, "--output", b.URI("out"))...)
	job := p.Await(testbed.JobID, time.Minute)
	k.id = b.Applications()[0].ID
	k.harass(p, b.Of(k.id), job)
	p.Wait(wordCountLimit).OK(t)
	b.AwaitEnd(k.id, "SUCCEEDED", 30*time.Second)
	x.checkFinal(b, b.Dir+"/out")
	if k.kills[control.RoleTaskManager] == 0 {
		t.Error("nothing was killed")
	}
}

// TestIterations runs a loop that ends by itself, round by round, on YARN.
func TestIterations(t *testing.T) {
	t.Parallel()
	b := onYarn(t)
	b.Flink("run", "-t", "yarn-per-job", "-p", "2", jobs["components"], "--output", b.URI("out")).OK(t)
	var lines []string
	b.Lines(b.FS(), b.Dir+"/out", func(line []byte) { lines = append(lines, string(line)) })
	slices.Sort(lines)
	if got, want := strings.Join(lines, " "), "(1,1) (10,8) (11,1) (12,6) (13,13) (14,14) (15,15) (16,16) (2,1) (3,1) (4,1) (5,1) (6,6) (7,6) (8,8) (9,8)"; got != want {
		t.Errorf("got %s", got)
	}
}
