//go:build e2e

package e2e

import (
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"goflink/internal/testbed"
)

// TestLegacyCommands: command lines of older scripts, as they stand there.
func TestLegacyCommands(t *testing.T) {
	t.Parallel()
	b := onYarn(t)
	r := b.Flink("run", "-m", "yarn-cluster", "-yn", "2", "-yjm", "1024m", "-ytm", "1024", "-ys", "2", "-ynm", "legacy", "-yqu", "streaming", jobs["wordcount"]).OK(t)
	inOrder(t, r.Stdout, "Submitted application ", "Job has been submitted with JobID ", "Program execution finished\n")
	id := r.Match(t, testbed.ApplicationID)
	if a := b.AwaitEnd(id, "SUCCEEDED", 30*time.Second); a.Name != "legacy" || a.Type != "Apache Flink" {
		t.Errorf("name %q, type %q", a.Name, a.Type)
	}
	r = b.Run(testbed.Command{}, b.Bin("yarn-session.sh"), "-d", "-n", "4", "-jm", "1024m", "-tm", "4096m", "-s", "4").OK(t)
	s := &session{b: b, id: r.Match(t, testbed.ApplicationID)}
	s.jm = b.Of(s.id)
	var overview struct {
		TaskManagers int `json:"taskmanagers"`
		Slots        int `json:"slots-total"`
	}
	b.Eventually("four TaskManagers with four slots", time.Minute, func() bool {
		return s.jm.Get("/overview", &overview) == nil && overview.TaskManagers == 4 && overview.Slots == 16
	})
	b.Flink("run", "-p", "16", jobs["wordcount"]).OK(t)
	s.stop()
}

// TestProgramInHDFS runs a program that lies in HDFS, and looks at the logs
// that YARN keeps of it.
func TestProgramInHDFS(t *testing.T) {
	t.Parallel()
	b := onYarn(t)
	b.WriteFile("programs/WordCount", func(w io.Writer) error {
		in, err := os.Open(jobs["wordcount"])
		if err != nil {
			return err
		}
		defer in.Close()
		_, err = io.Copy(w, in)
		return err
	})
	for _, action := range []string{"run-application", "run"} {
		id := b.Flink(action, "-t", "yarn-application", b.URI("programs/WordCount")).OK(t).Match(t, testbed.ApplicationID)
		b.AwaitEnd(id, "SUCCEEDED", time.Minute)
		if action == "run" {
			continue
		}
		b.Eventually("yarn logs", time.Minute, func() bool {
			text, err := b.Cluster.As(testbed.User).Try("yarn", "logs", "-applicationId", id)
			return err == nil && strings.Contains(text, "LogType:jobmanager.log") && strings.Contains(text, "LogType:taskmanager.log") &&
				strings.Contains(text, "LogType:taskmanager.out") && strings.Contains(text, "(to,1)")
		})
	}
	b.Flink("run", "-t", "yarn-per-job", b.URI("programs/WordCount")).OK(t)
	if left, err := os.ReadDir(path.Join(b.Home, "tmp")); err != nil || len(left) != 0 {
		t.Errorf("temporary files are left: %v, %v", left, err)
	}
}

// TestIdleTaskManagers: a session gives back TaskManagers that nobody uses, and
// asks for new ones.
func TestIdleTaskManagers(t *testing.T) {
	t.Parallel()
	b := onYarn(t)
	s := startSession(b, "-Dresourcemanager.taskmanager-timeout=2s")
	for range 2 {
		b.Flink("run", "-p", "2", jobs["wordcount"]).OK(t)
		b.Eventually("no TaskManager", 30*time.Second, func() bool {
			return len(b.InRole(s.id, "taskmanager")) == 0 && b.Application(s.id).Containers == 1
		})
	}
	s.stop()
}

// TestRetainedCheckpoint cancels a job and goes on from the checkpoint it kept,
// on a cluster of its own.
func TestRetainedCheckpoint(t *testing.T) {
	t.Parallel()
	b := onYarn(t)
	w := windows{records: 40_000, keys: 50, rate: 4000}
	args := func(more ...string) []string {
		return append(append(append([]string{"run", "-t", "yarn-per-job", "-p", "2"}, checkpointing(b, more...)...), jobs["windowed"]), w.args(b.URI("out"))...)
	}
	r := b.Flink(args("-d", "-Dexecution.checkpointing.externalized-checkpoint-retention=RETAIN_ON_CANCELLATION")...).OK(t)
	id, job := r.Match(t, testbed.ApplicationID), r.Match(t, testbed.JobID)
	jm := b.Of(id)
	jm.AwaitRunning(job, time.Minute)
	jm.AwaitCheckpoints(job, 2, time.Minute)
	r = b.Flink("cancel", "-t", "yarn-per-job", "-Dyarn.application.id="+id, job).OK(t)
	inOrder(t, r.Stdout, "Cancelling job "+job+".", "Cancelled job "+job+".")
	b.AwaitEnd(id, "KILLED", 30*time.Second)
	var metadata []string
	for _, f := range b.Files(b.Dir + "/checkpoints/" + job) {
		if path.Base(f) == "_metadata" {
			metadata = append(metadata, f)
		}
	}
	if len(metadata) != 1 {
		t.Fatalf("%d checkpoints are left: %v", len(metadata), metadata)
	}
	slices.Sort(metadata)
	b.Flink(args("-s", b.Cluster.URI(path.Dir(metadata[0])))...).OK(t)
	w.check(b, b.FS(), b.Dir+"/out")
}
