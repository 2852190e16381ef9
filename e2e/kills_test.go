//go:build e2e

package e2e

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"goflink/control"
	"goflink/internal/testbed"
)

// killer kills processes of an application at random moments.
type killer struct {
	b    *testbed.Bed
	r    *rand.Rand
	id   string // application
	left int    // kills to go
	// victims are the roles it chooses from, in turn at first: each is killed
	// at least once.
	victims []string
	kills   map[string]int
	// staged: the tasks of the job never run all at once.
	staged bool
}

// resilient are options that let a job be killed as often as a test likes.
var resilient = []string{"-Dyarn.application-attempts=10", "-Dyarn.application-attempt-failures-validity-interval=1000",
	"-Dresourcemanager.start-worker.max-failure-rate=100000"}

// harass kills while the process that waits for the job runs. The moments are
// random: half of them while the job works, the others at any time, also in the
// middle of a recovery.
func (k *killer) harass(p *testbed.Process, jm *testbed.JobManager, job string) {
	for k.left > 0 && !p.Ended() {
		pause := time.Duration(k.r.Int64N(int64(2500 * time.Millisecond)))
		whole := !k.staged && k.r.IntN(2) == 0
		if whole && !testbed.Poll(90*time.Second, func() bool {
			j, err := jm.Job(job)
			return p.Ended() || err == nil && j.AllRunning()
		}) {
			j, err := jm.Job(job)
			k.b.T.Fatalf("after %v kills the job does not run again: %s %v, %v", k.kills, j.State, j.Counts, err)
		}
		if p.EndedWithin(pause) {
			return
		}
		k.strike(pause, whole)
	}
}

// strike kills one process, or all workers, or none when there is none.
func (k *killer) strike(pause time.Duration, whole bool) {
	role := k.victims[k.r.IntN(len(k.victims))]
	for _, v := range k.victims {
		if k.kills[v] == 0 {
			role = v
			break
		}
	}
	targets := k.b.InRole(k.id, role)
	if len(targets) == 0 {
		return
	}
	what := fmt.Sprintf("all %d %ss", len(targets), role)
	if role != control.RoleWorker {
		targets = targets[k.r.IntN(len(targets)):][:1]
		what = "a " + role
	}
	hit := false
	for _, p := range targets {
		hit = p.Signal(syscall.SIGKILL) || hit
	}
	if !hit {
		return
	}
	k.kills[role]++
	k.left--
	k.b.T.Logf("killed %s (%v after the last event, whole job running: %v), %d to go", what, pause.Round(time.Millisecond), whole, k.left)
}

// harassed is the job that is killed under: 20 s, if nobody did, with enough
// records that there are always some on their way.
var harassed = windows{records: 600_000, keys: 50, rate: 30_000}

// backend is the state backend of a round: they take turns.
func backend(round int) string {
	return "-Dstate.backend.type=" + []string{"rocksdb", "hashmap"}[round%2]
}

// TestKillsPerJob kills a TaskManager, the ApplicationMaster and so on under
// jobs of their own clusters, one job after the other until all kills are done.
func TestKillsPerJob(t *testing.T) {
	t.Parallel()
	b := onYarn(t)
	k := &killer{b: b, r: randomness(t), left: (*kills + 1) / 2, kills: map[string]int{},
		victims: []string{control.RoleTaskManager, testbed.RoleMaster, control.RoleCoordinator}}
	for round := 1; k.left > 0; round++ {
		w, out := harassed, fmt.Sprintf("out-%d", round)
		args := append([]string{"run", "-t", "yarn-per-job", "-p", "2", backend(round)}, checkpointing(b, resilient...)...)
		p := b.Start(testbed.Command{}, b.Bin("flink"), append(append(args, jobs["windowed"]), w.args(b.URI(out))...)...)
		job := p.Await(testbed.JobID, time.Minute)
		apps := b.Applications()
		k.id = apps[len(apps)-1].ID
		k.harass(p, b.Of(k.id), job)
		p.Wait(4 * time.Minute).OK(t)
		b.AwaitEnd(k.id, "SUCCEEDED", 30*time.Second)
		w.check(b, b.FS(), b.Dir+"/"+out)
		noCheckpoints(b, job)
	}
	t.Logf("killed %v", k.kills)
}

// noCheckpoints demands that a finished job has left no checkpoint.
func noCheckpoints(b *testbed.Bed, job string) {
	b.T.Helper()
	if files := b.Files(b.Dir + "/checkpoints/" + job); len(files) > 0 {
		b.T.Errorf("the finished job %s has left %d files, such as %s", job, len(files), files[0])
	}
}

// TestKillsSession does the same in a session: both workers of a job at once,
// too.
func TestKillsSession(t *testing.T) {
	t.Parallel()
	b := onYarn(t)
	s := startSession(b, append([]string{"-s", "1"}, resilient...)...)
	k := &killer{b: b, r: randomness(t), id: s.id, left: *kills / 2, kills: map[string]int{},
		victims: []string{control.RoleWorker, control.RoleTaskManager, testbed.RoleMaster}}
	for round := 1; k.left > 0; round++ {
		w, out := harassed, fmt.Sprintf("out-%d", round)
		args := append([]string{"run", "-p", "2", backend(round + 1)}, checkpointing(b)...)
		p := b.Start(testbed.Command{}, b.Bin("flink"), append(append(args, jobs["windowed"]), w.args(b.URI(out))...)...)
		job := p.Await(testbed.JobID, time.Minute)
		k.harass(p, s.jm, job)
		p.Wait(4 * time.Minute).OK(t)
		w.check(b, b.FS(), b.Dir+"/"+out)
		noCheckpoints(b, job)
	}
	s.stop()
	t.Logf("killed %v", k.kills)
}
