//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"

	"goflink/internal/testbed"
)

// session is a session cluster of a test.
type session struct {
	b  *testbed.Bed
	id string
	jm *testbed.JobManager
}

// startSession starts a detached session.
func startSession(b *testbed.Bed, args ...string) *session {
	b.T.Helper()
	r := b.Session(append([]string{"-d"}, args...)...).OK(b.T)
	s := &session{b: b, id: r.Match(b.T, testbed.ApplicationID)}
	s.jm = b.Of(s.id)
	return s
}

// stop ends the session gracefully.
func (s *session) stop() {
	s.b.T.Helper()
	r := s.b.Run(testbed.Command{Stdin: "stop\n"}, s.b.Bin("yarn-session.sh"), "-id", s.id).OK(s.b.T)
	if want := "Application " + s.id + " finished with state FINISHED and final state SUCCEEDED at "; !strings.Contains(r.Stdout, want) {
		s.b.T.Errorf("%q is missing in\n%s", want, r)
	}
	s.b.AwaitEnd(s.id, "SUCCEEDED", 10*time.Second)
}

// checkpointing are the options of a job with a checkpoint each second.
func checkpointing(b *testbed.Bed, more ...string) []string {
	return append([]string{"-Dexecution.checkpointing.interval=1s", "-Dexecution.checkpointing.dir=" + b.URI("checkpoints"),
		"-Drestart-strategy.type=fixed-delay", "-Drestart-strategy.fixed-delay.attempts=1000000", "-Drestart-strategy.fixed-delay.delay=100ms"}, more...)
}

// TestNeighbours: what a job of a session does to itself harms no other.
func TestNeighbours(t *testing.T) {
	t.Parallel()
	b := onYarn(t)
	// One TaskManager for all: the jobs are as near to each other as can be.
	s := startSession(b, "-s", "4")
	w := windows{records: 100_000, keys: 100, rate: 4000}
	good := b.Start(testbed.Command{}, b.Bin("flink"), append(append([]string{"run", "-p", "2"}, checkpointing(b, jobs["windowed"])...), w.args(b.URI("out"))...)...)
	job := good.Await(testbed.JobID, time.Minute)
	s.jm.AwaitRunning(job, time.Minute)
	for how, reason := range map[string]string{"panic": "the job misbehaves as told", "fail": "the job fails as told", "allocate": "memory"} {
		r := b.Flink("run", "-Drestart-strategy.type=none", jobs["misbehave"], "--how", how, "--after", "500")
		if r.Code != 1 || !strings.Contains(r.Stderr, "The program finished with the following exception:") || !strings.Contains(r.Stderr, reason) {
			t.Errorf("%s: exit code %d, reason %q not told\n%s", how, r.Code, reason, r)
		}
		if good.Ended() {
			t.Fatalf("the good job ended before %s did", how)
		}
		if n := s.jm.Restarts(job); n != "0" {
			t.Errorf("after %s the good job has restarted %s times: %v", how, n, s.jm.Exceptions(job))
		}
	}
	// One that restarts again and again while the other one works.
	bad := b.Flink("run", "-d", "-Drestart-strategy.type=fixed-delay", "-Drestart-strategy.fixed-delay.delay=100ms", "-Drestart-strategy.fixed-delay.attempts=1000",
		jobs["misbehave"], "--how", "panic").OK(t).Match(t, testbed.JobID)
	good.Wait(2 * time.Minute).OK(t)
	if n := s.jm.Restarts(job); n != "0" {
		t.Errorf("the good job has restarted %s times: %v", n, s.jm.Exceptions(job))
	}
	if n := s.jm.Restarts(bad); n == "0" {
		t.Error("the bad job has not restarted")
	}
	b.Flink("cancel", bad).OK(t)
	s.stop()
	w.check(b, b.FS(), b.Dir+"/out")
}
