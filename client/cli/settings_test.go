package cli

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"goflink/conf"
)

// bench is a terminal with a configuration folder, an installation and a
// folder for the session's note.
type bench struct {
	env         *Env
	out, err    *bytes.Buffer
	home, notes string
}

func newBench(t *testing.T, config string) *bench {
	t.Helper()
	b := &bench{out: new(bytes.Buffer), err: new(bytes.Buffer), home: t.TempDir(), notes: t.TempDir()}
	dir := filepath.Join(b.home, "conf")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	config = "yarn.properties-file.location: " + b.notes + "\n" + config
	if err := os.WriteFile(filepath.Join(dir, "config.yaml"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	b.env = &Env{
		Stdin: strings.NewReader(""), Stdout: b.out, Stderr: b.err, Executable: filepath.Join(b.home, "bin", "flink"),
		Getenv: func(string) string { return "" }, User: "alice", Host: "node1", Now: time.Now, Interrupted: t.Context(),
		Version: "1.2.3", Commit: "cafe123", log: slog.New(slog.DiscardHandler),
	}
	return b
}

// main runs a command line and returns its exit code.
func (b *bench) main(line string) int {
	b.out.Reset()
	b.err.Reset()
	b.env.Args = strings.Fields(line)
	return Main(b.env)
}

// settings resolves a command line without running its action.
func (b *bench) settings(t *testing.T, line string) (*settings, string) {
	t.Helper()
	b.out.Reset()
	b.err.Reset()
	fields := strings.Fields(line)
	for _, a := range actions() {
		if a.name != fields[0] {
			continue
		}
		var got *settings
		b.env.Args = fields
		captured := *a
		captured.run = func(c *command) error { got = c.set; return nil }
		b.env.runAction(&captured)
		return got, b.out.String() + b.err.String()
	}
	t.Fatalf("no action %s", fields[0])
	return nil, ""
}

func TestPrecedence(t *testing.T) {
	b := newBench(t, "parallelism:\n  default: 2\nstate.backend: rocksdb\ntaskmanager.numberOfTaskSlots: 3\n")
	s, text := b.settings(t, "run -Dparallelism.default=4 -p 6 -yDyarn.application.queue=a -Dyarn.application.queue=b -Dstate.backend.type=hashmap job")
	if s == nil {
		t.Fatal(text)
	}
	if got := conf.ParallelismDefault.Get(s.conf); got != 6 {
		t.Errorf("parallelism %d, want the option's", got)
	}
	if got := conf.YarnApplicationQueue.Get(s.conf); got != "b" {
		t.Errorf("queue %q, want -D's", got)
	}
	if got := conf.StateBackendType.Get(s.conf); got != "hashmap" {
		t.Errorf("state backend %q: an old name in the file beats -D", got)
	}
	if got := conf.TaskManagerNumberOfTaskSlots.Get(s.conf); got != 3 {
		t.Errorf("slots %d, want the file's", got)
	}
}

func TestNamedOptions(t *testing.T) {
	b := newBench(t, "")
	for line, want := range map[string]map[string]string{
		"run -m yarn-cluster -yjm 1024 -ytm 1400m -ys 2 -yn 3 -yqu q -ynm n -yat T -ynl l -yz z -yj /f -yt lib -d job": {
			"jobmanager.memory.process.size": "1 gb", "taskmanager.memory.process.size": "1400 mb", "taskmanager.numberOfTaskSlots": "2", "yarn.initial-taskmanagers": "3",
			"yarn.application.queue": "q", "yarn.application.name": "n", "yarn.application.type": "T", "yarn.application.node-label": "l",
			"high-availability.cluster-id": "z", "yarn.flink-dist-jar": "/f", "yarn.ship-files": "lib", "execution.attached": "false", "execution.target": "yarn-per-job",
		},
		"run -s hdfs:///sp -n -cm claim -sae -p 4 -m node1:8082 job": {
			"execution.state-recovery.path": "hdfs:///sp", "execution.state-recovery.ignore-unclaimed-state": "true", "execution.state-recovery.claim-mode": "claim",
			"execution.shutdown-on-attached-exit": "true", "parallelism.default": "4", "rest.address": "node1", "rest.port": "8082", "execution.target": "remote",
		},
		"yarn-session -n 4 -jm 1024m -tm 4096 -s 4 -nm x -qu q -at T -Da=b": {
			"yarn.initial-taskmanagers": "4", "jobmanager.memory.process.size": "1 gb", "taskmanager.memory.process.size": "4 gb", "taskmanager.numberOfTaskSlots": "4",
			"yarn.application.name": "x", "yarn.application.queue": "q", "yarn.application.type": "T", "a": "b", "execution.target": "yarn-session",
		},
	} {
		s, text := b.settings(t, line)
		if s == nil {
			t.Errorf("%s: %s", line, text)
			continue
		}
		for k, v := range want {
			if got, _ := s.conf.Lookup(k); got != v {
				t.Errorf("%s: %s is %q, want %q", line, k, got, v)
			}
		}
	}
}

func TestTargets(t *testing.T) {
	const id = "application_1_0001"
	for _, c := range []struct{ file, note, line, want string }{
		{"", "", "run job", targetRemote},
		{"", "", "run -m host:1 job", targetRemote},
		{"", "", "run -m yarn-cluster job", targetPerJob},
		{"", "", "run -t local job", targetLocal},
		{"", "", "run -e yarn-per-job job", targetPerJob},
		{"", "", "run -Dexecution.target=yarn-application job", targetApplication},
		{"", "", "list -yid " + id, targetSession},
		{"", "", "list -Dyarn.application.id=" + id, targetSession},
		{"", "", "list -t yarn-application -Dyarn.application.id=" + id, targetApplication},
		{"", "", "run -m yarn-cluster -yid " + id + " job", targetSession},
		{"execution.target: yarn-per-job", "", "run job", targetPerJob},
		{"execution.target: yarn-per-job", "", "run -m host:1 job", targetRemote},
		{"execution.target: yarn-per-job", "", "list -yid " + id, targetSession},
		{"", id, "run job", targetSession},
		{"", id, "run -m host:1 job", targetRemote},
		{"", id, "run -m yarn-cluster job", targetPerJob},
		{"", id, "run -t local job", targetLocal},
		{"", id, "run -t yarn-session job", targetSession},
	} {
		b := newBench(t, c.file)
		if c.note != "" {
			if err := writeSessionFile(filepath.Join(b.notes, ".yarn-properties-alice"), c.note, []string{"k=v:1", "x=y"}, time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		s, text := b.settings(t, c.line)
		if s == nil || s.target != c.want {
			t.Errorf("%+v: %+v %s", c, s, text)
			continue
		}
		if c.note != "" && s.target == targetSession {
			if v, _ := s.conf.Lookup("k"); v != "v:1" || conf.YarnApplicationID.Get(s.conf) != id {
				t.Errorf("%+v: the note's values are not there: %v", c, s.conf.Map())
			}
			if !strings.Contains(text, "Found Yarn properties file under ") {
				t.Errorf("%+v: printed %q", c, text)
			}
		}
	}
}

func TestRefusedBeforeAnythingStarts(t *testing.T) {
	b := newBench(t, "")
	for line, want := range map[string]string{
		"run -t kubernetes-session job":               "The target kubernetes-session is not supported",
		"run -t nonsense job":                         `The target "nonsense" is unknown`,
		"run -s s3://bucket/sp job":                   `unknown file system scheme "s3"`,
		"run -Dexecution.checkpointing.dir=oss://x j": `unknown file system scheme "oss"`,
		"run -p 0 job":                                "The parallelism must be a positive number: 0",
		"run -p x job":                                "The parallelism must be a positive number: x",
		"run -cm steal job":                           `The claim mode "steal" is unknown`,
		"run -m nowhere job":                          "has to be host:port",
		"run -ytm lots job":                           "lots",
		"run -Dtaskmanager.numberOfTaskSlots=x job":   "taskmanager.numberOfTaskSlots",
		"run":                      "The program to run is missing",
		"run -py x.py":             "Python",
		"run -C file:///x.jar job": "class path",
		"run-application job":      "give -t yarn-application",
		"list -t local":            "there is no cluster to ask",
		"cancel":                   "Missing JobID",
		"cancel notajob":           `Cannot parse JobID from "notajob". The expected format is [0-9a-fA-F]{32}, e.g. fd72014d4c864993a2e5a9287b4a9c5d.`,
		"stop -type odd 1b246b531512ea54ebf8faa430f0a3c2":   `The savepoint type "odd" is unknown`,
		"savepoint 1b246b531512ea54ebf8faa430f0a3c2 s3://x": "unknown file system scheme",
	} {
		if code := b.main(line); code != 1 || !strings.Contains(b.out.String(), want) || !strings.HasSuffix(b.out.String(), "\n\nUse the help option (-h or --help) to get help on the command.\n") {
			t.Errorf("%s: exit code %d, printed %q, want %q", line, code, b.out, want)
		}
	}
}

func TestFailuresStandUnderDashes(t *testing.T) {
	b := newBench(t, "")
	for line, want := range map[string]string{
		"run -t local " + filepath.Join(b.home, "nothing"): "does not exist",
		"run -t local " + b.home:                           "is a folder",
		"run -t local s3://x/job":                          "unknown file system scheme",
		"list -t yarn-session":                             "no Hadoop configuration found",
	} {
		code := b.main(line)
		head := "\n------------------------------------------------------------\n The program finished with the following exception:\n\n"
		if code != 1 || !strings.HasPrefix(b.err.String(), head) || !strings.Contains(b.err.String(), want) {
			t.Errorf("%s: exit code %d, stderr %q, want %q", line, code, b.err, want)
		}
	}
	log, err := filepath.Glob(filepath.Join(b.home, "log", "flink-alice-client-node1.log"))
	if err != nil || len(log) != 1 {
		t.Errorf("log files %v, %v", log, err)
	}
}

func TestBootstrapFailure(t *testing.T) {
	b := newBench(t, "a: [\n")
	if code := b.main("list"); code != 31 || !strings.Contains(b.err.String(), "config.yaml") {
		t.Errorf("exit code %d, %s", code, b.err)
	}
}

func TestVersionAndHelp(t *testing.T) {
	b := newBench(t, "")
	for line, want := range map[string]string{
		"--version": "Version: 1.2.3, Commit ID: cafe123\n", "-v": "Version: 1.2.3, Commit ID: cafe123\n", "-h": `Action "run" compiles and runs a program.`,
		"run -h": "Syntax: run [OPTIONS] <program> <arguments>", "list --help job": "--scheduled", "yarn-session -h": "-qu,--queue <arg>",
	} {
		if code := b.main(line); code != 0 || !strings.Contains(b.out.String(), want) {
			t.Errorf("%s: %d %q", line, code, b.out)
		}
	}
	if code := b.main(""); code != 1 || !strings.Contains(b.out.String(), "Please specify an action.") {
		t.Errorf("no action: %d %q", code, b.out)
	}
	if code := b.main("nonsense"); code != 1 || !strings.HasPrefix(b.out.String(), "\"nonsense\" is not a valid action.\n\nValid actions are \"run\", \"run-application\", \"list\", \"info\", \"savepoint\",") {
		t.Errorf("unknown action: %d %q", code, b.out)
	}
}

func TestUnknownKeysAreWarnedAbout(t *testing.T) {
	b := newBench(t, "")
	_, text := b.settings(t, "run -t local -Dparalelism.default=3 job")
	if !strings.Contains(text, "WARNING: ") || !strings.Contains(text, "parallelism.default") {
		t.Errorf("printed %q", text)
	}
}

func TestSessionFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), ".yarn-properties-alice")
	if err := writeSessionFile(file, "application_1_0001", []string{"a=b=c", "d=e:f"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	c, err := readSessionFile(file)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := c.Lookup("a")
	d, _ := c.Lookup("d")
	if a != "b=c" || d != "e:f" || conf.YarnApplicationID.Get(c) != "application_1_0001" {
		t.Errorf("read %v", c.Map())
	}
	if removed, err := removeSessionFile(file, "application_1_0002"); removed || err != nil {
		t.Errorf("another session's note was removed: %v %v", removed, err)
	}
	if removed, err := removeSessionFile(file, "application_1_0001"); !removed || err != nil {
		t.Errorf("%v %v", removed, err)
	}
	// As Java writes it.
	java := "#Generated YARN properties file\n#Fri Nov 20 09:11:20 UTC 2026\napplicationID=application_1795165672300_0009\ndynamicPropertiesString=k\\=v@@x\\=a\\:b\n"
	if err := os.WriteFile(file, []byte(java), 0o644); err != nil {
		t.Fatal(err)
	}
	if c, err = readSessionFile(file); err != nil {
		t.Fatal(err)
	}
	if x, _ := c.Lookup("x"); x != "a:b" {
		t.Errorf("read %v", c.Map())
	}
	if err := os.WriteFile(file, []byte("a=b\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err = readSessionFile(file); err == nil || !strings.Contains(err.Error(), "Please delete the file at "+file) {
		t.Errorf("got %v", err)
	}
}

func FuzzParseProperties(f *testing.F) {
	f.Add([]byte("#c\na=b\nc\\=d:e"))
	f.Fuzz(func(t *testing.T, data []byte) { parseProperties(data) })
}

func TestInterruptedExitCode(t *testing.T) {
	b := newBench(t, "")
	if code := report(b.env, context.Canceled, false); code != exitInterrupt {
		t.Errorf("exit code %d", code)
	}
}

func TestRedactArgs(t *testing.T) {
	got := redactArgs([]string{"run", "-Dmy.password=a", "token", "--db-password", "b", "--api-key=c", "--secret", "--input", "d", "--password"})
	want := []string{"run", "-Dmy.password=******", "token", "--db-password", "******", "--api-key=******", "--secret", "--input", "d", "--password"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
