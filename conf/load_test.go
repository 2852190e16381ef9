package conf

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestParseYAML(t *testing.T) {
	c, err := ParseYAML("config.yaml", []byte(`
# comment
jobmanager:
  rpc:
    address: host1
    port: 6123
taskmanager.numberOfTaskSlots: 4
pipeline:
  jars: [/a, hdfs://nn:1/b]
  name: "a: b # c"
state.backend: rocksdb
state.backend.incremental: true
execution.checkpointing.dir:
`))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"jobmanager.rpc.address": "host1", "jobmanager.rpc.port": "6123", "taskmanager.numberOfTaskSlots": "4",
		"pipeline.jars": "/a;hdfs://nn:1/b", "pipeline.name": "a: b # c", "state.backend": "rocksdb", "state.backend.incremental": "true",
	}
	if got := c.Map(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestParseYAMLErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		text, want string
		line       int
	}{
		"syntax":       {"a: b\n\tc: d\n", "", 2},
		"not a map":    {"- a\n- b\n", "key: value", 1},
		"twice":        {"a.b: 1\na:\n  b: 2\n", `key "a.b" is already set in line 1`, 3},
		"nested list":  {"a:\n  - [x]\n", "plain values", 2},
		"alias":        {"a: &x 1\nb: *x\n", "alias", 2},
		"merge":        {"a: &x {k: v}\nb:\n  <<: *x\n", "plain text", 3},
		"deep":         {strings.Repeat("{a: ", 40) + "1" + strings.Repeat("}", 40), "levels deep", 1},
		"complex keys": {"? [a, b]\n: c\n", "plain text", 1},
	} {
		_, err := ParseYAML("config.yaml", []byte(tc.text))
		var fe *FileError
		if !errors.As(err, &fe) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if fe.Line != tc.line || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "config.yaml") {
			t.Errorf("%s: line %d (want %d): %v", name, fe.Line, tc.line, err)
		}
	}
	for _, empty := range []string{"", "# only a comment\n", "---\n", "~"} {
		if c, err := ParseYAML("config.yaml", []byte(empty)); err != nil || len(c.Keys()) != 0 {
			t.Errorf("%q: %v", empty, err)
		}
	}
}

func TestParseLegacy(t *testing.T) {
	c, err := ParseLegacy("flink-conf.yaml", []byte("---\n# c\njobmanager.rpc.address: h # here\nenv.log.dir:\nfs.default-scheme: hdfs://nn:8020/\r\nparallelism.default: 1\nparallelism.default: 2"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"jobmanager.rpc.address": "h", "env.log.dir": "", "fs.default-scheme": "hdfs://nn:8020/", "parallelism.default": "2"}
	if got := c.Map(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	_, err = ParseLegacy("flink-conf.yaml", []byte("a: b\nc:d\n"))
	if err == nil || !strings.Contains(err.Error(), "flink-conf.yaml, line 2") {
		t.Errorf("error %v", err)
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	if c, err := Load(dir); err != nil || len(c.Keys()) != 0 {
		t.Errorf("empty folder: %v", err)
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(FileName, "rest.port: 1")
	if c, err := Load(dir); err != nil || RestPort.Get(c) != 1 {
		t.Errorf("config.yaml: %v", err)
	}
	write(LegacyFileName, "rest.port: 2")
	if c, err := Load(dir); err != nil || RestPort.Get(c) != 2 {
		t.Errorf("flink-conf.yaml goes first: %v", err)
	}
	write(LegacyFileName, strings.Repeat("#", maxFileSize+1))
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "larger than 4 mb") {
		t.Errorf("large file: %v", err)
	}
	if _, err := Load(filepath.Join(dir, "absent")); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "FLINK_CONF_DIR") {
		t.Errorf("absent folder: %v", err)
	}
	if _, err := Load(filepath.Join(dir, FileName)); err == nil {
		t.Error("a file is no folder")
	}
}

func TestShippedFile(t *testing.T) {
	c, err := Load(".")
	if err != nil {
		t.Fatal(err)
	}
	if err := Validate(c); err != nil {
		t.Error(err)
	}
	if w, n := Notes(c); len(w)+len(n) > 0 {
		t.Errorf("the shipped file is warned about: %q %q", w, n)
	}
	if TaskManagerProcessSize.Get(c) != defaultTaskManagerProcess || JobManagerProcessSize.Get(c) != defaultJobManagerProcess {
		t.Error("the shipped sizes and the ones in the code differ")
	}
	DropLocalhost(c)
	for _, o := range localhostBinds {
		if o.IsSet(c) {
			t.Errorf("%s is still set", o.Key)
		}
	}
}

func FuzzFiles(f *testing.F) {
	f.Add("a: b\nc:\n  d: [1, 2]\n")
	f.Add("a.b: {c: d}\n? x\n: y\n")
	f.Add("a: &x [*x]")
	f.Add("key: value # c\n---\n")
	f.Fuzz(func(t *testing.T, s string) {
		for _, parse := range []func(string, []byte) (*Config, error){ParseYAML, ParseLegacy} {
			if c, err := parse("f", []byte(s)); err == nil {
				for _, k := range c.Keys() {
					if _, ok := c.Lookup(k); !ok {
						t.Errorf("key %q vanished", k)
					}
				}
			}
		}
	})
}
