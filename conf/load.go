package conf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Names of the configuration files in a configuration folder.
const (
	FileName       = "config.yaml"
	LegacyFileName = "flink-conf.yaml"
)

// maxFileSize bounds a configuration file. Real ones have a few kilobytes; a larger one is another file put there by mistake.
const maxFileSize = 4 << 20

// FileError is a configuration file that cannot be read.
type FileError struct {
	// File is the path, Line the line in it, 0 when the error belongs to the whole file.
	File string
	Line int
	Err  error
}

// Error names file and line.
func (e *FileError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("configuration file %s: %v", e.File, e.Err)
	}
	return fmt.Sprintf("configuration file %s, line %d: %v", e.File, e.Line, e.Err)
}

// Unwrap returns the reason.
func (e *FileError) Unwrap() error { return e.Err }

// Load reads the configuration file of folder dir: flink-conf.yaml where it exists (so that an old installation keeps its
// meaning, as in Flink 1.20), else config.yaml. A folder without either is an empty configuration; a folder that does not
// exist is an error.
func Load(dir string) (*Config, error) {
	if info, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("configuration folder %s (set FLINK_CONF_DIR to yours): %w", dir, err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("configuration folder %s is a file; FLINK_CONF_DIR names the folder that holds %s", dir, FileName)
	}
	for _, f := range []struct {
		name  string
		parse func(string, []byte) (*Config, error)
	}{{LegacyFileName, ParseLegacy}, {FileName, ParseYAML}} {
		path := filepath.Join(dir, f.name)
		data, err := readBounded(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, &FileError{File: path, Err: err}
		}
		return f.parse(path, data)
	}
	return New(), nil
}

func readBounded(path string) (data []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	data, err = io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err == nil && len(data) > maxFileSize {
		return nil, fmt.Errorf("larger than %s", Size(maxFileSize))
	}
	return data, err
}

// ParseYAML reads a config.yaml: nested keys, flat keys with dots, or both mixed. name appears in errors.
func ParseYAML(name string, data []byte) (*Config, error) {
	var doc yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return New(), nil
	} else if err != nil {
		return nil, yamlError(name, err)
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return New(), nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, &FileError{File: name, Line: root.Line, Err: errors.New("expected lines of the form key: value")}
	}
	f := flattener{file: name, out: New(), lines: map[string]int{}}
	if err := f.mapping("", root, 0); err != nil {
		return nil, err
	}
	return f.out, nil
}

// yamlError takes the line out of the YAML library's message, which begins "yaml: line 3: ".
func yamlError(name string, err error) error {
	msg := strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, ok := strings.CutPrefix(msg, "line "); ok {
		if num, reason, cut := strings.Cut(rest, ": "); cut {
			if line, convErr := strconv.Atoi(num); convErr == nil {
				return &FileError{File: name, Line: line, Err: errors.New(reason)}
			}
		}
	}
	return &FileError{File: name, Err: errors.New(msg)}
}

// maxDepth bounds nesting and chains of aliases in a configuration file.
const maxDepth = 32

// flattener turns nested mappings into dotted keys.
type flattener struct {
	file  string
	out   *Config
	lines map[string]int // where a key was set
}

func (f *flattener) fail(n *yaml.Node, format string, args ...any) error {
	return &FileError{File: f.file, Line: n.Line, Err: fmt.Errorf(format, args...)}
}

func (f *flattener) mapping(prefix string, n *yaml.Node, depth int) error {
	if depth > maxDepth {
		return f.fail(n, "nested more than %d levels deep", maxDepth)
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind != yaml.ScalarNode || k.Tag == "!!merge" {
			return f.fail(k, "a key must be plain text")
		}
		if err := f.value(prefix+k.Value, k, v, depth); err != nil {
			return err
		}
	}
	return nil
}

func (f *flattener) value(key string, k, v *yaml.Node, depth int) error {
	switch v.Kind {
	case yaml.MappingNode:
		return f.mapping(key+".", v, depth+1)
	case yaml.SequenceNode:
		list := make([]string, 0, len(v.Content))
		for _, item := range v.Content {
			if item.Kind != yaml.ScalarNode {
				return f.fail(item, "the list %q may hold plain values only", key)
			}
			list = append(list, item.Value)
		}
		return f.set(key, k, FormatList(list))
	case yaml.ScalarNode:
		if v.Tag == "!!null" {
			return nil // "key:" without a value is as good as absent
		}
		return f.set(key, k, v.Value)
	default:
		return f.fail(v, "the value of %q is an alias; write it out", key)
	}
}

func (f *flattener) set(key string, k *yaml.Node, val string) error {
	if line, dup := f.lines[key]; dup {
		return f.fail(k, "key %q is already set in line %d", key, line)
	}
	f.lines[key] = k.Line
	f.out.Set(key, val)
	return nil
}

// ParseLegacy reads a flink-conf.yaml: one "key: value" a line, '#' begins a comment, values are taken literally. name
// appears in errors. As in Flink a later line wins over an earlier one.
func ParseLegacy(name string, data []byte) (*Config, error) {
	out := New()
	lineNo := 0
	for line := range strings.Lines(string(data)) {
		lineNo++
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimSpace(line)
		if line == "" || line == "---" {
			continue
		}
		key, val, ok := cutLegacy(line)
		if !ok {
			return nil, &FileError{File: name, Line: lineNo, Err: errors.New("expected key: value, with a space after the colon")}
		}
		out.Set(key, val)
	}
	return out, nil
}

// cutLegacy cuts at the first colon that a blank follows (or that ends the line), since values and keys hold colons too.
func cutLegacy(line string) (key, val string, ok bool) {
	key, val, ok = strings.Cut(line, ": ")
	if !ok {
		key, ok = strings.CutSuffix(line, ":")
	}
	key, val = strings.TrimSpace(key), strings.TrimSpace(val)
	return key, val, ok && key != ""
}

// localhostBinds are keys that the shipped configuration file sets to localhost, so that a cluster on one host is not open to
// others, and that would cut off the processes of a cluster on many hosts.
var localhostBinds = []Option[string]{JobManagerBindHost, TaskManagerBindHost, TaskManagerHost, RestBindAddress, JobManagerRPCAddress, RestAddress}

// DropLocalhost removes the addresses that are set to this host only. Deployments on YARN call it, as Flink's do, before the
// configuration leaves the client.
func DropLocalhost(c *Config) {
	for _, o := range localhostBinds {
		switch o.Get(c) {
		case "localhost", "127.0.0.1", "::1":
			c.Delete(o.Key)
		}
	}
}
