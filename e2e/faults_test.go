//go:build e2e

package e2e

import (
	"errors"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"goflink/internal/testbed"
)

// TestResourceManagerRestart kills the ResourceManager under a job: it goes on,
// also while there is none.
func TestResourceManagerRestart(t *testing.T) { // alone: it harms all
	b := onYarn(t)
	w := windows{records: 90_000, keys: 50, rate: 3000}
	p := b.Start(testbed.Command{}, b.Bin("flink"), append(append(append([]string{"run", "-t", "yarn-per-job", "-p", "2"}, checkpointing(b)...), jobs["windowed"]), w.args(b.URI("out"))...)...)
	job := p.Await(testbed.JobID, time.Minute)
	id := b.Applications()[0].ID
	jm := b.Of(id)
	jm.AwaitRunning(job, time.Minute)
	direct := jm.Fixed()
	before := b.Processes(id)
	b.Cluster.Kill("rm")
	direct.AwaitCheckpoints(job, 3, 30*time.Second)
	b.Cluster.Restart("rm")
	direct.AwaitCheckpoints(job, 3, 30*time.Second)
	if n := direct.Restarts(job); n != "0" {
		t.Errorf("the job has restarted %s times: %v", n, direct.Exceptions(job))
	}
	p.Wait(2 * time.Minute).OK(t)
	b.AwaitEnd(id, "SUCCEEDED", 30*time.Second)
	if n := b.Attempts(id); n != 1 {
		t.Errorf("%d ApplicationMasters, want the first one to go on", n)
	}
	t.Logf("%d processes went through it", len(before))
	w.check(b, b.FS(), b.Dir+"/out")
}

// endless are the arguments of a job that does not end by itself.
func endless(b *testbed.Bed) []string {
	return append([]string{jobs["windowed"]}, windows{records: 1 << 40, keys: 10, rate: 100}.args(b.URI("out"))...)
}

const goneLimit = 10 * time.Second

// gone demands that no process of an application is left, in time.
func gone(b *testbed.Bed, id string, begin time.Time) {
	b.T.Helper()
	b.Eventually("no process of "+id, goneLimit-time.Since(begin), func() bool { return len(b.Processes(id)) == 0 })
	b.T.Logf("all processes were gone after %.1f s", time.Since(begin).Seconds())
}

// TestKillApplication is yarn application -kill; what it leaves in HDFS goes
// with the next command.
func TestKillApplication(t *testing.T) {
	t.Parallel()
	b := onYarn(t)
	r := b.Flink(append(append([]string{"run", "-t", "yarn-per-job", "-d", "-p", "2"}, checkpointing(b)...), endless(b)...)...).OK(t)
	id, job := r.Match(t, testbed.ApplicationID), r.Match(t, testbed.JobID)
	b.Of(id).AwaitRunning(job, time.Minute)
	begin := time.Now()
	b.KillApplication(id)
	gone(b, id, begin)
	b.AwaitEnd(id, "KILLED", 10*time.Second)
	if r := b.Flink("list", "-t", "yarn-session", "-Dyarn.application.id="+id); r.Code != 1 {
		t.Errorf("list of a killed cluster\n%s", r)
	}
	if _, err := b.FS().Stat(t.Context(), b.StagingDir(id)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after the next command, %s: %v", b.StagingDir(id), err)
	}
}

// TestInterrupt is Ctrl-C of a client that waits, with -sae.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	b := onYarn(t)
	p := b.Start(testbed.Command{}, b.Bin("flink"), append(append([]string{"run", "-t", "yarn-per-job", "-sae", "-p", "2"}, checkpointing(b)...), endless(b)...)...)
	job := p.Await(testbed.JobID, time.Minute)
	id := b.Applications()[0].ID
	b.Of(id).AwaitRunning(job, time.Minute)
	begin := time.Now()
	p.Signal(syscall.SIGINT)
	p.Wait(goneLimit)
	gone(b, id, begin)
	if _, err := b.FS().Stat(t.Context(), b.StagingDir(id)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s: %v", b.StagingDir(id), err)
	}
}

// cancelAll ends the jobs of the applications that run: in application mode the
// client leaves once they are there.
func cancelAll(b *testbed.Bed) {
	b.T.Helper()
	for _, a := range b.Applications() {
		if !a.Ended() {
			b.Flink("cancel", "-t", "yarn-application", "-Dyarn.application.id="+a.ID, b.Of(a.ID).OnlyJob(time.Minute))
		}
	}
}

// TestInterruptEarly is Ctrl-C at any moment of a submission: nothing stays.
func TestInterruptEarly(t *testing.T) {
	t.Parallel()
	b := onYarn(t)
	r := randomness(t)
	for _, action := range [][]string{{"run", "-t", "yarn-per-job", "-sae"}, {"run-application", "-t", "yarn-application"}} {
		for range 5 {
			p := b.Start(testbed.Command{}, b.Bin("flink"), append(action, endless(b)...)...)
			pause := time.Duration(r.Int64N(int64(1500 * time.Millisecond)))
			if p.EndedWithin(pause) {
				t.Logf("submitted within %v", pause)
				cancelAll(b)
				continue
			}
			p.Signal(syscall.SIGINT)
			switch res := p.Wait(goneLimit); {
			case res.Code == 0 && action[0] == "run-application" && strings.Contains(res.Stdout, "YARN application has been deployed successfully."):
				t.Logf("submitted just before the signal, after %v", pause) // the client was on its way out
				cancelAll(b)
				continue
			case res.Code != 130:
				t.Errorf("after %v\n%s", pause, res)
			}
			b.Eventually("no application runs", goneLimit, func() bool {
				return !slices.ContainsFunc(b.Applications(), func(a testbed.App) bool { return !a.Ended() })
			})
		}
	}
}

// TestInterruptSession: -sae ends the job, not the session. Without it the job
// goes on.
func TestInterruptSession(t *testing.T) {
	t.Parallel()
	b := onYarn(t)
	s := startSession(b, "-s", "2")
	for _, c := range []struct {
		option, state string
	}{{"-sae", "CANCELED"}, {"-Dclient.timeout=60s", "RUNNING"}} {
		p := b.Start(testbed.Command{}, b.Bin("flink"), append([]string{"run", c.option}, endless(b)...)...)
		job := p.Await(testbed.JobID, time.Minute)
		s.jm.AwaitRunning(job, time.Minute)
		p.Signal(syscall.SIGINT)
		p.Wait(goneLimit)
		s.jm.AwaitState(job, c.state, goneLimit)
		if c.state == "RUNNING" {
			b.Flink("cancel", job).OK(t)
			s.jm.AwaitState(job, "CANCELED", goneLimit)
		}
	}
	s.stop()
}

// TestAttachedSession: an attached session ends with its client, by Ctrl-C or
// by a word.
func TestAttachedSession(t *testing.T) {
	t.Parallel()
	b := onYarn(t)
	p := b.Start(testbed.Command{}, b.Bin("yarn-session.sh"), "-s", "2")
	p.Await(regexp.MustCompile(`(?m)^JobManager Web Interface: (http://\S+)$`), time.Minute)
	id := b.Applications()[0].ID
	job := b.Flink(append([]string{"run", "-d"}, endless(b)...)...).OK(t).Match(t, testbed.JobID)
	b.Of(id).AwaitRunning(job, time.Minute)
	begin := time.Now()
	p.Signal(syscall.SIGINT)
	p.Wait(goneLimit)
	gone(b, id, begin)
	b.AwaitEnd(id, "SUCCEEDED", goneLimit)
}

// TestPausedMaster stops an ApplicationMaster, with the NodeManager that would
// kill it, until its successor leads; then the old one wakes. It must publish
// nothing and end.
func TestPausedMaster(t *testing.T) { // alone: a node is lost
	b := onYarn(t)
	w := windows{records: 150_000, keys: 50, rate: 3000}
	args := append([]string{"run", "-t", "yarn-per-job", "-p", "2"}, checkpointing(b, resilient...)...)
	p := b.Start(testbed.Command{}, b.Bin("flink"), append(append(args, jobs["windowed"]), w.args(b.URI("out"))...)...)
	job := p.Await(testbed.JobID, time.Minute)
	id := b.Applications()[0].ID
	jm := b.Of(id)
	jm.AwaitRunning(job, time.Minute)
	jm.AwaitCheckpoints(job, 2, time.Minute)
	master := b.InRole(id, testbed.RoleMaster)
	if len(master) != 1 {
		t.Fatalf("ApplicationMasters: %v", master)
	}
	old := jm.Fixed()
	node := string('0' + rune(b.NodeOf(master[0].Container)))
	b.Cluster.Pause("nm", node)
	b.Eventually("the ApplicationMaster is paused", time.Second, func() bool { return master[0].Signal(syscall.SIGSTOP) })
	b.Eventually("a second attempt", 90*time.Second, func() bool { return b.Attempts(id) == 2 && len(b.InRole(id, testbed.RoleMaster)) == 2 })
	jm.AwaitRunning(job, 90*time.Second)
	before := jm.AwaitCheckpoints(job, 1, 30*time.Second)
	epochs(b, id, "before the old one wakes")
	master[0].Signal(syscall.SIGCONT)
	b.Eventually("the old ApplicationMaster ends by itself", 30*time.Second, func() bool { return !master[0].Alive() })
	if _, err := old.Job(job); err == nil {
		t.Error("the old JobManager still answers")
	}
	epochs(b, id, "after it")
	after := jm.AwaitCheckpoints(job, 2, 30*time.Second)
	if before.Latest.Completed == nil || after.Latest.Completed == nil || after.Latest.Completed.ID <= before.Latest.Completed.ID {
		t.Errorf("checkpoints of the successor: %+v, then %+v", before.Latest.Completed, after.Latest.Completed)
	}
	b.Cluster.Resume("nm", node)
	p.Wait(3 * time.Minute).OK(t)
	b.AwaitEnd(id, "SUCCEEDED", 30*time.Second)
	w.check(b, b.FS(), b.Dir+"/out")
}

// epochs demands that only the successor's epoch is open.
func epochs(b *testbed.Bed, id, when string) {
	b.T.Helper()
	list, err := b.FS().List(b.T.Context(), path.Join(b.StagingDir(id), "ha"))
	b.Must(err)
	var open []string
	for _, f := range list {
		if ok, _ := path.Match("epoch-*", f.Name); ok { // the pattern is good
			open = append(open, f.Name)
		}
	}
	if len(open) != 1 || open[0] != "epoch-0000000002" {
		b.T.Errorf("%s the open epochs are %v, want the second only", when, open)
	}
}
