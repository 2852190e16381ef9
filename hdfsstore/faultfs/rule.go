package faultfs

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"goflink/hdfsstore"
)

// operations are the words for what a rule applies to.
var operations = []string{
	"create", "write", "close", "abort", "open", "read", "stat", "list",
	"rename", "replace", "mkdir", "delete",
}

// groups are words for several operations.
var groups = map[string][]string{
	"all":     operations,
	"writes":  {"create", "write", "close"},
	"reads":   {"open", "read"},
	"changes": {"create", "write", "close", "rename", "replace", "mkdir", "delete"},
}

// rule is one line of a script.
type rule struct {
	text   string
	ops    []string
	path   string // a glob, on the whole path or on its last part; empty matches all
	nth    int    // only that hit, from 1 on; 0 means every one
	from   int    // from that hit on
	chance float64
	effect effect

	hits int // of operation and path
}

// effect is what a rule does to an operation.
type effect struct {
	kind  string // error, lost, short, delay, block
	err   error
	delay time.Duration
}

// errorWords are the errors that a rule can name.
var errorWords = map[string]error{
	"enospc":     &hdfsstore.Error{Err: hdfsstore.ErrNoSpace, Reason: "no space left on device"},
	"readonly":   &hdfsstore.Error{Err: hdfsstore.ErrReadOnly, Reason: "the file system is read-only"},
	"permission": &hdfsstore.Error{Err: fs.ErrPermission, Reason: "permission denied"},
	"notexist":   &hdfsstore.Error{Err: fs.ErrNotExist, Reason: "no such file or folder"},
	"exist":      &hdfsstore.Error{Err: fs.ErrExist, Reason: "file or folder exists already"},
	"io":         &hdfsstore.Error{Err: syscall.EIO, Reason: "input/output error"},
	"dead-node":  &hdfsstore.Error{Err: syscall.ECONNRESET, Reason: "a DataNode failed: connection reset", Transient: true},
	"transient":  &hdfsstore.Error{Err: errors.New("injected"), Reason: "the NameNode does not answer", Transient: true},
}

// parse reads a script; see the package comment for the language.
func parse(script string) ([]*rule, error) {
	var out []*rule
	for i, line := range strings.Split(script, "\n") {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		r, err := parseRule(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %q: %w", i+1, line, err)
		}
		out = append(out, r)
	}
	return out, nil
}

func parseRule(line string) (*rule, error) {
	left, right, ok := strings.Cut(line, "->")
	if !ok {
		return nil, errors.New("no ->")
	}
	r := &rule{text: line}
	words := strings.Fields(left)
	if len(words) == 0 {
		return nil, errors.New("no operation")
	}
	for _, op := range strings.Split(words[0], ",") {
		switch {
		case groups[op] != nil:
			r.ops = append(r.ops, groups[op]...)
		case slices.Contains(operations, op):
			r.ops = append(r.ops, op)
		default:
			return nil, fmt.Errorf("unknown operation %q", op)
		}
	}
	for _, w := range words[1:] {
		if err := r.condition(w); err != nil {
			return nil, err
		}
	}
	return r, r.effect.parse(strings.Fields(right))
}

func (r *rule) condition(word string) (err error) {
	key, value, _ := strings.Cut(word, "=")
	switch key {
	case "path":
		_, err = path.Match(value, "")
		r.path = value
	case "nth":
		r.nth, err = strconv.Atoi(value)
	case "from":
		r.from, err = strconv.Atoi(value)
	case "chance":
		r.chance, err = strconv.ParseFloat(value, 64)
	default:
		return fmt.Errorf("unknown condition %q", word)
	}
	if err != nil {
		return fmt.Errorf("condition %q: %w", word, err)
	}
	return nil
}

func (e *effect) parse(words []string) (err error) {
	if len(words) == 0 {
		return errors.New("no effect")
	}
	e.kind = words[0]
	switch {
	case len(words) == 1 && (e.kind == "block" || e.kind == "pass"):
		return nil
	case len(words) == 2 && e.kind == "delay":
		if e.delay, err = time.ParseDuration(words[1]); err != nil {
			return fmt.Errorf("effect: %w", err)
		}
		return nil
	case len(words) == 2 && (e.kind == "error" || e.kind == "short" || e.kind == "lost"):
		if e.err = errorWords[words[1]]; e.err == nil {
			return fmt.Errorf("unknown error %q", words[1])
		}
		return nil
	}
	return fmt.Errorf("unknown effect %q", strings.Join(words, " "))
}

// matches tells whether the rule is about the operation, and counts the hit.
func (r *rule) matches(op, p string, chance func() float64) bool {
	if !slices.Contains(r.ops, op) {
		return false
	}
	if r.path != "" && !glob(r.path, p) {
		return false
	}
	r.hits++
	switch {
	case r.nth > 0 && r.hits != r.nth, r.hits < r.from:
		return false
	case r.chance > 0:
		return chance() < r.chance
	}
	return true
}

// glob matches the pattern with the path, its last part, or a stretch of as many
// last parts as the pattern has.
func glob(pattern, p string) bool {
	parts := strings.Split(strings.TrimPrefix(p, "/"), "/")
	n := strings.Count(pattern, "/") + 1
	if strings.HasPrefix(pattern, "/") {
		ok, _ := path.Match(pattern, p)
		return ok
	}
	if n > len(parts) {
		return false
	}
	ok, _ := path.Match(pattern, strings.Join(parts[len(parts)-n:], "/"))
	return ok
}
