package conf

import (
	"flag"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write docs/configuration.md anew")

func TestParseDuration(t *testing.T) {
	good := map[string]time.Duration{
		"10 s": 10 * time.Second, "5 min": 5 * time.Minute, "100 ms": 100 * time.Millisecond, "100ms": 100 * time.Millisecond,
		"1000": time.Second, "0": 0, "1 d": 24 * time.Hour, "2 hours": 2 * time.Hour, "3m": 3 * time.Minute, " 7 SEC ": 7 * time.Second,
		"5 µs": 5 * time.Microsecond, "9ns": 9, "PT10S": 10 * time.Second, "pt1h30m": 90 * time.Minute, "P1DT1S": 24*time.Hour + time.Second,
		"PT0.5S": 500 * time.Millisecond, "9223372036854775807 d": math.MaxInt64, "99999999999999999999 s": math.MaxInt64,
		"PT99999999999999H": math.MaxInt64,
	}
	for in, want := range good {
		if got, err := ParseDuration(in); err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %v, %v; want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "s", "10 parsecs", "-5 s", "1.5 s", "P", "PT", "PT5", "P1H", "PT1S1H", "PT-1S", "PT+1S", "PT1.H", "PT1.0123456789S"} {
		if got, err := ParseDuration(in); err == nil {
			t.Errorf("ParseDuration(%q) = %v; want an error", in, got)
		}
	}
}

func TestFormatDuration(t *testing.T) {
	for _, d := range []time.Duration{0, 1, 1500, time.Millisecond, 1500 * time.Millisecond, time.Second, time.Minute, time.Hour, 25 * time.Hour, 48 * time.Hour} {
		if back, err := ParseDuration(FormatDuration(d)); err != nil || back != d {
			t.Errorf("%v is written %q and read back as %v, %v", d, FormatDuration(d), back, err)
		}
	}
}

func TestParseSize(t *testing.T) {
	good := map[string]Size{
		"128mb": 128 * MB, "1 gb": GB, "1728m": 1728 * MB, "1024": 1024, "0 bytes": 0, "5 KB": 5 * KB, "2tebibytes": 2 * TB,
		"infinite": MaxSize, "7b": 7,
	}
	for in, want := range good {
		if got, err := ParseSize(in); err != nil || got != want {
			t.Errorf("ParseSize(%q) = %d, %v; want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "mb", "-1mb", "1.5gb", "1 pb", "9223372036854775808", "9999999999 tb"} {
		if got, err := ParseSize(in); err == nil {
			t.Errorf("ParseSize(%q) = %d; want an error", in, got)
		}
	}
	for in, want := range map[string]Size{"1024": GB, "1024m": GB, "2 gb": 2 * GB, "100 b": 100} {
		if got, err := ParseSizeMB(in); err != nil || got != want {
			t.Errorf("ParseSizeMB(%q) = %d, %v; want %d", in, got, err, want)
		}
	}
}

func TestSizeText(t *testing.T) {
	for s, want := range map[Size]string{0: "0 bytes", 1: "1 bytes", KB: "1 kb", 1728 * MB: "1728 mb", GB: "1 gb", MB + 1: "1048577 bytes", MaxSize: "infinite"} {
		if s.String() != want {
			t.Errorf("Size(%d).String() = %q; want %q", int64(s), s, want)
		}
	}
	for s, want := range map[Size]string{0: "0 bytes", GB: "1024.000mb (1073741824 bytes)", 1811939328: "1.688gb (1811939328 bytes)", 536870920: "512.000mb (536870920 bytes)"} {
		if s.Human() != want {
			t.Errorf("Size(%d).Human() = %q; want %q", int64(s), s.Human(), want)
		}
	}
}

func TestParseList(t *testing.T) {
	good := map[string][]string{
		"": {}, "a": {"a"}, "a;b; c ": {"a", "b", "c"}, "hdfs://nn:1/a;/b": {"hdfs://nn:1/a", "/b"}, "'a;b';c": {"a;b", "c"},
		"[a, b]": {"a", "b"}, `"it""s";x`: {`it"s`, "x"}, "it's;x": {"it's", "x"}, ";;a;": {"a"},
	}
	for in, want := range good {
		if got, err := ParseList(in); err != nil || !slices.Equal(got, want) {
			t.Errorf("ParseList(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"'a;b", "[a, {b: c}]", "[a, " + "\x00]"} {
		if got, err := ParseList(in); err == nil {
			t.Errorf("ParseList(%q) = %q; want an error", in, got)
		}
	}
}

func TestParseMap(t *testing.T) {
	good := map[string]map[string]string{
		"": {}, "k:v": {"k": "v"}, "a:1, b : 2": {"a": "1", "b": "2"}, "p:hdfs://nn:1/x": {"p": "hdfs://nn:1/x"},
		"'a,b':'c,d'": {"a,b": "c,d"}, "{a: 1, b: x}": {"a": "1", "b": "x"},
	}
	for in, want := range good {
		if got, err := ParseMap(in); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("ParseMap(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"a", "a:1,b", ":v", "'a:1", "{a: [1]}"} {
		if got, err := ParseMap(in); err == nil {
			t.Errorf("ParseMap(%q) = %q; want an error", in, got)
		}
	}
}

func FuzzListAndMap(f *testing.F) {
	for _, s := range []string{"a;b", "'a;b';c", "[x, y]", "k:v,k2:v2", "'a,b':\"c\"", "{k: v}", "'", "[", "{a", "a:b:c", "'[a]'"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if l, err := ParseList(s); err == nil {
			if back, err := ParseList(FormatList(l)); err != nil || !slices.Equal(back, l) {
				t.Errorf("%q is read as %q, written %q, read back as %q, %v", s, l, FormatList(l), back, err)
			}
		}
		if m, err := ParseMap(s); err == nil {
			if back, err := ParseMap(FormatMap(m)); err != nil || !reflect.DeepEqual(back, m) {
				t.Errorf("%q is read as %q, written %q, read back as %q, %v", s, m, FormatMap(m), back, err)
			}
		}
		if d, err := ParseDuration(s); err == nil && d < 0 {
			t.Errorf("duration %q is negative: %v", s, d)
		}
		if v, err := ParseSize(s); err == nil && v < 0 {
			t.Errorf("size %q is negative: %v", s, v)
		}
	})
}

func TestPorts(t *testing.T) {
	p, err := ParsePorts("50100-50102, 8081,0")
	if err != nil {
		t.Fatal(err)
	}
	if got := slices.Collect(p.All()); !slices.Equal(got, []int{50100, 50101, 50102, 8081, 0}) || p.First() != 50100 {
		t.Errorf("ports %v, first %d", got, p.First())
	}
	if back, err := ParsePorts(p.String()); err != nil || !back.Equal(p) {
		t.Errorf("%v is read back as %v, %v", p, back, err)
	}
	for _, in := range []string{"", "x", "70000", "-1", "9-5", "1,,2"} {
		if _, err := ParsePorts(in); err == nil {
			t.Errorf("ParsePorts(%q): want an error", in)
		}
	}
}

func TestOptionLookup(t *testing.T) {
	c := FromMap(map[string]string{"web.port": "9000", "state.backend": "Pebble", "restart-strategy": "FixedDelay", "parallelism.default": "x"})
	if got := RestPort.Get(c); got != 9000 {
		t.Errorf("rest.port by its old name = %d", got)
	}
	if got := RestBindPort.Get(c); !got.Equal(Port(9000)) {
		t.Errorf("rest.bind-port by web.port = %v", got)
	}
	if got := StateBackendType.Get(c); got != BackendRocksDB {
		t.Errorf("state.backend.type = %q", got)
	}
	if got := RestartStrategyType.Get(c); got != RestartFixedDelay {
		t.Errorf("restart-strategy.type = %q", got)
	}
	if got := ParallelismDefault.Get(c); got != 1 {
		t.Errorf("malformed parallelism.default = %d; want the default", got)
	}
	if _, set, err := ParallelismDefault.Lookup(c); !set || err == nil {
		t.Errorf("malformed parallelism.default: set %v, error %v", set, err)
	}
	if _, set, err := PipelineName.Lookup(c); set || err != nil {
		t.Errorf("absent pipeline.name: set %v, error %v", set, err)
	}
}

func TestMapOptionReadsNestedKeys(t *testing.T) {
	c := FromMap(map[string]string{"pipeline.global-job-parameters.a": "1", "pipeline.global-job-parameters.b.c": "x,y:z"})
	want := map[string]string{"a": "1", "b.c": "x,y:z"}
	if got := PipelineGlobalJobParameters.Get(c); !reflect.DeepEqual(got, want) {
		t.Errorf("got %q; want %q", got, want)
	}
}

func TestSetIsReadBack(t *testing.T) {
	c := New()
	CheckpointingInterval.Set(c, 1500*time.Millisecond)
	TaskManagerProcessSize.Set(c, 4*GB)
	PipelineJars.Set(c, []string{"/a;b", "hdfs:///x"})
	RestartExponentialAttempts.Set(c, Infinite)
	if got := CheckpointingInterval.Get(c); got != 1500*time.Millisecond {
		t.Errorf("interval %v", got)
	}
	if got := TaskManagerProcessSize.Get(c); got != 4*GB {
		t.Errorf("size %v", got)
	}
	if got := PipelineJars.Get(c); !slices.Equal(got, []string{"/a;b", "hdfs:///x"}) {
		t.Errorf("jars %q", got)
	}
	if got := RestartExponentialAttempts.Get(c); got != Infinite {
		t.Errorf("attempts %d", got)
	}
}

func TestValidateReportsAllAtOnce(t *testing.T) {
	c := FromMap(map[string]string{
		"rest.port": "abc", "taskmanager.memory.process.size": "lots", "execution.checkpointing.interval": "soon",
		"state.backend": "forst", "security.ssl.enabled": "maybe", "taskmanager.numberOfTaskSlots": "0", "parallelism.default": "4",
	})
	err := Validate(c)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`configuration key "rest.port": "abc" is not a port between 0 and 65535`,
		`configuration key "taskmanager.memory.process.size": "lots" is not a memory size such as 128mb`,
		`configuration key "execution.checkpointing.interval": "soon" is not a duration such as 10 s`,
		`configuration key "state.backend": "forst" is not one of hashmap, rocksdb`,
		`configuration key "security.ssl.enabled": "maybe" is not true or false`,
		`configuration key "taskmanager.numberOfTaskSlots": "0" is not a whole number of at least 1`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("missing: %s\nin: %v", want, err)
		}
	}
	if err := Validate(New()); err != nil {
		t.Errorf("empty configuration: %v", err)
	}
}

func TestMerge(t *testing.T) {
	file := FromMap(map[string]string{"state.backend.type": "hashmap", "rest.port": "8081", "rest.address": "a"})
	dynamic := FromMap(map[string]string{"state.backend": "rocksdb", "jobmanager.rpc.address": "b"})
	program := FromMap(map[string]string{"pipeline.name": "p"})
	m := Merge(file, nil, dynamic, program)
	if got := StateBackendType.Get(m); got != BackendRocksDB {
		t.Errorf("an old name given later must win, got %q", got)
	}
	if got := RestAddress.Get(m); got != "a" {
		t.Errorf("jobmanager.rpc.address is a key of its own and must not hide rest.address, got %q", got)
	}
	if got := m.Keys(); !slices.Equal(got, []string{"jobmanager.rpc.address", "pipeline.name", "rest.address", "rest.port", "state.backend"}) {
		t.Errorf("keys %q", got)
	}
	if v, _ := file.Lookup("state.backend.type"); v != "hashmap" {
		t.Error("Merge changed a layer")
	}
}

func TestRedact(t *testing.T) {
	for key, secret := range map[string]bool{
		"security.ssl.rest.keystore-password": true, "fs.azure.account.key.x": true, "My.Secret": true, "metrics.reporter.dd.apikey": true,
		"user.artifacts.http-headers": true, "security.delegation.tokens.enabled": false, "rest.port": false,
		"security.delegation.token.provider.hadoopfs.enabled": false,
	} {
		if IsSecret(key) != secret {
			t.Errorf("IsSecret(%q) = %v", key, !secret)
		}
	}
	c := FromMap(map[string]string{"a.password": "hunter2", "b": "c"})
	if got := c.Redacted(); got["a.password"] != "******" || got["b"] != "c" {
		t.Errorf("redacted %v", got)
	}
	o := Option[int]{Key: "a.password", kind: intKind}
	if _, _, err := o.Lookup(c); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error shows a secret: %v", err)
	}
}

func TestUnknown(t *testing.T) {
	c := FromMap(map[string]string{
		"taskmanager.numberOfTaskSlot": "1", "parallelism.defualt": "2", "my.own.thing": "x", "rest.port": "1", "fs.s3a.endpoint": "x",
		"classloader.resolve-order": "child-first", "table.exec.mini-batch.enabled": "true", "state.backend": "rocksdb",
		"metrics.reporter.prom.port": "9249", "containerized.master.env.X": "y", "$internal.x": "1", "pipeline.global-job-parameters.a": "b",
	})
	want := []UnknownKey{{"my.own.thing", ""}, {"parallelism.defualt", "parallelism.default"}, {"taskmanager.numberOfTaskSlot", "taskmanager.numberOfTaskSlots"}}
	if got := Unknown(c); !slices.Equal(got, want) {
		t.Errorf("unknown %v; want %v", got, want)
	}
	warnings, notes := Notes(c)
	if len(warnings) != 5 || len(notes) != 3 {
		t.Errorf("warnings %q, notes %q", warnings, notes)
	}
	if all := strings.Join(notes, "\n"); !strings.Contains(all, `"state.backend" is an old name of "state.backend.type"`) || !strings.Contains(all, "class loaders") {
		t.Errorf("notes %q", notes)
	}
}

func TestRegistry(t *testing.T) {
	if len(registry.clashes) > 0 {
		t.Errorf("registered twice: %q", registry.clashes)
	}
	own := []string{"rest.program.max-size", "env.log.max-size", "yarn.initial-taskmanagers", "yarn.rolled-logs.include-pattern",
		"yarn.rolled-logs.exclude-pattern", "fs.hdfs.hadoopconf", "security.kerberos.token.provider.hadoopfs.renewer"}
	for _, e := range sortedEntries() {
		if e.doc == "" || !strings.HasSuffix(e.doc, ".") {
			t.Errorf("%s: the doc %q is no sentence", e.key, e.doc)
		}
		if !flinkKeys()[e.key] && !slices.Contains(own, e.key) {
			t.Errorf("%s is no key of Flink and not listed as one of our own", e.key)
		}
	}
}

func TestReferencePage(t *testing.T) {
	path := filepath.Join("..", "docs", "configuration.md")
	want := Reference()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/configuration.md is out of date; run: go generate ./conf")
	}
}
