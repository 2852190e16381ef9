//go:build e2e

package e2e

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"goflink/hdfsstore"
	"goflink/internal/testbed"
)

const dashes = "------------------------------------------------------------\n The program finished with the following exception:\n\n"

var javaNames = regexp.MustCompile(`\b(java|javax|org\.apache)\.[a-z]`)

// refused demands exit code 1, the block that scripts look for, and a reason
// with these parts.
func refused(t *testing.T, r testbed.Result, parts ...string) {
	t.Helper()
	_, reason, ok := strings.Cut(r.Stderr, dashes)
	if r.Code != 1 || !ok {
		t.Errorf("want exit code 1 and a failure in Flink's form\n%s", r)
		return
	}
	for _, p := range parts {
		if !strings.Contains(reason, p) {
			t.Errorf("the reason does not say %q\n%s", p, r)
		}
	}
	if m := javaNames.FindString(reason); m != "" {
		t.Errorf("%q in the reason\n%s", m, r)
	}
	if strings.Contains(reason, "\n\t") || strings.Contains(reason, "goroutine ") {
		t.Errorf("a stack without -v\n%s", r)
	}
}

// refusedArguments demands exit code 1 and the reason where argument errors
// are.
func refusedArguments(t *testing.T, r testbed.Result, parts ...string) {
	t.Helper()
	if r.Code != 1 || !strings.Contains(r.Stdout, "Use the help option (-h or --help) to get help on the command.") {
		t.Errorf("want exit code 1 and the pointer to the help\n%s", r)
	}
	for _, p := range parts {
		if !strings.Contains(r.Stdout, p) {
			t.Errorf("the reason does not say %q\n%s", p, r)
		}
	}
}

// fakes are files that are no job binaries for this host.
func fakes(t *testing.T, dir string) (jar, foreign string) {
	t.Helper()
	jar, foreign = filepath.Join(dir, "job.jar"), filepath.Join(dir, "arm")
	binaryFile, err := os.ReadFile(jobs["windowed"])
	if err != nil {
		t.Fatal(err)
	}
	const machineAt, aarch64, x86 = 18, 0xb7, 0x3e
	other := uint16(aarch64)
	if binary.LittleEndian.Uint16(binaryFile[machineAt:]) == aarch64 {
		other = x86
	}
	binary.LittleEndian.PutUint16(binaryFile[machineAt:], other)
	for name, content := range map[string][]byte{jar: []byte("PK\x03\x04 and so on"), foreign: binaryFile} {
		if err := os.WriteFile(name, content, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return jar, foreign
}

// TestBadPrograms: what is wrong with a program, a request or the cluster is
// said before anything is submitted.
func TestBadPrograms(t *testing.T) {
	t.Parallel()
	b := onYarn(t)
	jar, foreign := fakes(t, b.Home)
	perJob := func(more ...string) testbed.Result {
		return b.Flink(append([]string{"run", "-t", "yarn-per-job"}, more...)...)
	}
	w := jobs["windowed"]
	refused(t, perJob(filepath.Join(b.Home, "none")), filepath.Join(b.Home, "none"), "does not exist")
	refused(t, perJob(b.URI("none")), "none", "does not exist")
	refused(t, perJob(jar), "job.jar", "is a jar", "go build")
	refused(t, perJob(foreign), "arm", "architecture", "GOOS=linux GOARCH=")
	refused(t, perJob(jobs["notajob"]), "notajob", "stream.Main")
	refused(t, perJob(b.Home), "is a folder")
	refused(t, perJob("-Dyarn.application.queue=nope", w), "The specified queue 'nope' does not exist. Available queues: ", "default", "streaming")
	refused(t, perJob("-Dtaskmanager.memory.process.size=4t", w), "TaskManagers", "Maximum Memory: ", "taskmanager.memory.process.size")
	refused(t, perJob("-Djobmanager.memory.process.size=4t", w), "JobManager", "Maximum Memory: ", "jobmanager.memory.process.size")
	refused(t, perJob("-Dtaskmanager.memory.process.size=64m", w), "64", "taskmanager.memory")
	refusedOrArguments(t, perJob("-Dtaskmanager.numberOfTaskSlots=many", w), "taskmanager.numberOfTaskSlots", "many")
	refused(t, perJob("-s", b.URI("no-savepoint"), w), "Cannot find checkpoint or savepoint file/directory '"+b.URI("no-savepoint")+"'")
	refused(t, perJob(w, "--records", "some"), "records", "some")
	refused(t, perJob(w, "--output", "s3://bucket/out"), "s3", "hdfs")
	refused(t, b.Flink("run-application", "-t", "yarn-application", "-s", b.URI("no-savepoint"), w), "Cannot find checkpoint or savepoint")
	refused(t, b.Flink("list", "-t", "yarn-session", "-Dyarn.application.id=application_1_0001"), "application_1_0001")
	refused(t, b.Flink("run", "-t", "yarn-session", "-Dyarn.application.id=application_1_0001", w), "application_1_0001")
	refusedOrArguments(t, b.Flink("list", "-t", "yarn-session", "-Dyarn.application.id=nonsense"), "nonsense")
	refusedOrArguments(t, b.Flink("run", "-t", "kubernetes-session", w), "kubernetes-session")
	refusedArguments(t, b.Flink("run", "-t", "yarn-per-job"), "program")
	refusedArguments(t, b.Flink("run", "-p", "0", w), "0")
	refusedArguments(t, b.Flink("run", "–t", "yarn-per-job", w), "–t") // a hyphen from a document
	if r := b.Flink("launch", w); r.Code != 1 || !strings.HasPrefix(r.Stdout, "\"launch\" is not a valid action.\n\nValid actions are \"run\", ") {
		t.Errorf("an unknown action\n%s", r)
	}
	if apps := b.Applications(); len(apps) != 0 {
		t.Errorf("submitted all the same: %v", apps)
	}
	if left, err := os.ReadDir(filepath.Join(b.Home, "tmp")); err != nil || len(left) != 0 {
		t.Errorf("temporary files are left: %v, %v", left, err)
	}
}

// refusedOrArguments takes either form: Flink itself is not of one mind.
func refusedOrArguments(t *testing.T, r testbed.Result, parts ...string) {
	t.Helper()
	if strings.Contains(r.Stderr, dashes) {
		refused(t, r, parts...)
		return
	}
	refusedArguments(t, r, parts...)
}

// TestUnreachableResourceManager: the wait is bounded, and the address is told.
func TestUnreachableResourceManager(t *testing.T) {
	t.Parallel()
	b := onYarn(t)
	dir := filepath.Join(b.Home, "hadoop")
	b.Must(os.CopyFS(dir, os.DirFS(b.Cluster.ConfDir())))
	site := filepath.Join(dir, "yarn-site.xml")
	data, err := os.ReadFile(site)
	b.Must(err)
	address := b.Cluster.Getenv("YARN_RM_ADDRESS")
	closed := fmt.Sprintf("localhost:%d", freePort(t))
	b.Must(os.WriteFile(site, bytes.ReplaceAll(data, []byte(address), []byte(closed)), 0o644))
	r := b.Run(testbed.Command{Env: []string{"HADOOP_CONF_DIR=" + dir}}, b.Bin("flink"), "run", "-t", "yarn-per-job", "-Dclient.timeout=3s", jobs["windowed"])
	refused(t, r, closed, "yarn.resourcemanager.address", dir)
	if r.Took > 20*time.Second {
		t.Errorf("it took %v", r.Took)
	}
}

// TestForeignApplication: an application of another program, and one of another
// user.
func TestForeignApplication(t *testing.T) {
	t.Parallel()
	b := onYarn(t)
	shells := map[string]*testbed.Process{}
	for _, user := range []string{"alice", "bob"} {
		shells[user] = b.Start(testbed.Command{}, filepath.Join(testbed.Root(), "scripts", "hadoop", "hadoop-local"), "--base-port", fmt.Sprint(b.Cluster.BasePort()),
			"--as", user, "yarn", "dshell", "-shell_command", "sleep 60", "-num_containers", "1", "-container_memory", "128", "-master_memory", "512", "-appname", b.Name+user)
	}
	for user, reason := range map[string]string{"alice": "is no cluster of goflink", "bob": "belongs to the user bob"} {
		var id string
		b.Eventually("an application of "+user+"'s", time.Minute, func() bool {
			for _, a := range b.AllApplications() {
				if a.Name == b.Name+user && a.State == "RUNNING" {
					id = a.ID
				}
			}
			return id != ""
		})
		refused(t, b.Flink("list", "-t", "yarn-session", "-Dyarn.application.id="+id), id, reason)
		refused(t, b.Flink("run", "-t", "yarn-session", "-Dyarn.application.id="+id, jobs["windowed"]), id, reason)
		b.KillAs(user, id)
		shells[user].Wait(30 * time.Second)
	}
}

// TestBadRequests are those that only a running cluster can refuse.
func TestBadRequests(t *testing.T) {
	t.Parallel()
	b := onYarn(t)
	s := startSession(b, "-s", "4", "-Dslotmanager.number-of-slots.max=8", "-Dslot.request.timeout=15s")
	w := windows{records: 1 << 40, keys: 10, rate: 1000}
	run := append(append([]string{"run", "-d"}, checkpointing(b, jobs["windowed"])...), w.args(b.URI("out"))...)
	job := b.Flink(run...).OK(t).Match(t, testbed.JobID)
	s.jm.AwaitRunning(job, time.Minute)
	const unknown = "0123456789abcdef0123456789abcdef"
	for _, action := range []string{"cancel", "stop", "savepoint", "checkpoint"} {
		args := []string{action, unknown}
		if action == "savepoint" {
			args = append(args, b.URI("savepoints"))
		}
		if action == "stop" {
			args = []string{action, "-p", b.URI("savepoints"), unknown}
		}
		refused(t, b.Flink(args...), unknown)
		args[len(args)-1] = strings.Replace(args[len(args)-1], unknown, "x", 1)
		if action != "savepoint" {
			refusedOrArguments(t, b.Flink(args...), "x")
		}
	}
	refused(t, b.Flink("stop", job), "execution.checkpointing.savepoint-dir") // there is no default folder
	savepoint := b.Flink("stop", "-p", b.URI("savepoints"), job).OK(t).Match(t, testbed.Savepoint)

	windowed := func(from string) testbed.Result {
		return b.Flink(append(append([]string{"run", "-s", from}, checkpointing(b, jobs["windowed"])...), w.args(b.URI("out"))...)...)
	}
	refused(t, windowed(b.URI("nowhere")), b.URI("nowhere"))
	for _, share := range []int64{0, 2} { // an empty file, and half of one
		refused(t, windowed(truncated(b, savepoint, share)), fmt.Sprintf("truncated-%d", share), "is truncated")
	}
	b.WriteFile("in.txt", func(w io.Writer) error { _, err := io.WriteString(w, "some text\n"); return err })
	refused(t, b.Flink("run", "-s", savepoint, jobs["wordcount"], "--input", b.URI("in.txt"), "--output", b.URI("counts")), "totals", "allowNonRestoredState")
	b.Flink("run", "-s", savepoint, "-n", jobs["wordcount"], "--input", b.URI("in.txt"), "--output", b.URI("counts")).OK(t)

	refused(t, b.Flink("run", jobs["wordcount"], "--input", b.Cluster.URI("/user/bob/text"), "--output", b.URI("counts")), "/user/bob", "ermission")
	refused(t, b.Flink("run", jobs["wordcount"], "--input", b.URI("no-input"), "--output", b.URI("counts")), "no-input")
	refused(t, b.Flink("run", jobs["wordcount"], "--input", b.URI("in.txt"), "--output", b.Cluster.URI("/user/bob/out")), "/user/bob", "ermission")
	refused(t, b.Flink("run", "-p", "9", jobs["wordcount"], "--input", b.URI("in.txt"), "--output", b.URI("counts")), "slot")
	var jobsLeft []testbed.Job
	for _, j := range must(s.jm.Jobs()) {
		if j.State != "FAILED" && j.State != "FINISHED" && j.State != "CANCELED" {
			jobsLeft = append(jobsLeft, j)
		}
	}
	if len(jobsLeft) != 0 {
		t.Errorf("jobs are left: %v", jobsLeft)
	}
	s.stop()
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// truncated is a copy of a savepoint of whose _metadata only a share is there.
func truncated(b *testbed.Bed, savepoint string, share int64) string {
	b.T.Helper()
	from := strings.TrimPrefix(savepoint, b.Cluster.URI(""))
	data, err := hdfsstore.ReadFile(b.T.Context(), b.FS(), path.Join(from, "_metadata"), 64<<20)
	b.Must(err)
	if share == 0 {
		data = nil
	} else {
		data = data[:int64(len(data))/share]
	}
	name := fmt.Sprintf("truncated-%d", share)
	b.WriteFile(path.Join(name, "_metadata"), func(w io.Writer) error { _, err := w.Write(data); return err })
	return b.URI(name)
}
