package conf

import (
	_ "embed"
	"fmt"
	"strings"
	"sync"
)

// flinkKeyList names the keys of Flink 1.20, one a line, in order. Those without an Option here are recognised, so that a
// Flink user's file is not met with a warning for each line.
//
//go:embed flinkkeys.txt
var flinkKeyList string

var flinkKeys = sync.OnceValue(func() map[string]bool {
	keys := map[string]bool{}
	for k := range strings.Lines(flinkKeyList) {
		keys[strings.TrimSpace(k)] = true
	}
	return keys
})

// withoutEffect are prefixes of Flink's keys that have nothing to act on here, with the reason.
var withoutEffect = []struct{ prefix, reason string }{
	{"classloader.", "a program is one binary: there are no class loaders"},
	{"env.java.", "there is no JVM to give options to"},
	{"env.hbase.", "there is no HBase connector"},
	{"akka.", "the control plane is gRPC"},
	{"pekko.", "the control plane is gRPC"},
	{"blob.", "programs travel by their digest, without a blob server"},
	{"python.", "there is no Python runtime"},
	{"kubernetes.", "clusters run on YARN or standalone"},
	{"queryable-state.", "queryable state does not exist"},
	{"taskmanager.jvm-", "there is no JVM"},
	{"cluster.intercept-user-system-exit", "a program's exit ends its worker process only"},
	{"jobmanager.memory.enable-jvm-direct-memory-limit", "there is no JVM"},
	{"yarn.classpath.include-user-jar", "a program is one binary and has no class path"},
	{"yarn.per-job-cluster.include-user-jar", "a program is one binary and has no class path"},
	{"yarn.container-start-command-template", "containers start the flink binary"},
	{"security.kerberos.login.contexts", "there is no JAAS"},
	{"security.context.factory.classes", "there are no Java classes"},
	{"security.module.factory.classes", "there are no Java classes"},
	{"jmx.server.", "there is no JMX"},
	{"taskmanager.network.netty.", "the exchange uses Go's sockets"},
	{"taskmanager.net.", "the exchange uses Go's sockets"},
	{"shuffle-service-factory.", "there are no Java classes"},
	{"pipeline.force-", "values are encoded by codecs compiled from Go types"},
	{"pipeline.generic-types", "values are encoded by codecs compiled from Go types"},
	{"pipeline.serialization-config", "values are encoded by codecs compiled from Go types"},
	{"pipeline.default-kryo-serializers", "values are encoded by codecs compiled from Go types"},
	{"pipeline.registered-", "values are encoded by codecs compiled from Go types"},
	{"pipeline.auto-type-registration", "values are encoded by codecs compiled from Go types"},
	{"pipeline.closure-cleaner-level", "closures are not serialised"},
	{"state.backend.rocksdb.", "the state store is pebble, which has no such setting"},
}

// UnknownKey is a key nobody reads.
type UnknownKey struct {
	// Key is the key as written.
	Key string
	// Nearest is the known key it may be a misspelling of, "" when none is near.
	Nearest string
}

// String is the warning to log.
func (u UnknownKey) String() string {
	if u.Nearest == "" {
		return fmt.Sprintf("unknown configuration key %q has no effect", u.Key)
	}
	return fmt.Sprintf("unknown configuration key %q has no effect; did you mean %q?", u.Key, u.Nearest)
}

// IgnoredKey is a key of Flink that has no effect here.
type IgnoredKey struct {
	// Key is the key as written.
	Key string
	// Reason says why there is nothing to set.
	Reason string
}

// String is the note to log.
func (i IgnoredKey) String() string {
	return fmt.Sprintf("configuration key %q has no effect: %s", i.Key, i.Reason)
}

// DeprecatedKey is an old name that is still read.
type DeprecatedKey struct {
	// Key is the key as written, Use the current name.
	Key, Use string
}

// String is the note to log.
func (d DeprecatedKey) String() string {
	return fmt.Sprintf("configuration key %q is an old name of %q, which reads the same", d.Key, d.Use)
}

// Unknown returns the keys of c that neither goflink nor Flink knows, in key order.
func Unknown(c *Config) []UnknownKey {
	var out []UnknownKey
	for _, k := range c.Keys() {
		if !isKnown(k) && ignoredReason(k) == "" {
			out = append(out, UnknownKey{Key: k, Nearest: nearest(k)})
		}
	}
	return out
}

// Ignored returns the keys of c that Flink knows and that have no effect here, in key order.
func Ignored(c *Config) []IgnoredKey {
	var out []IgnoredKey
	for _, k := range c.Keys() {
		if isKnown(k) {
			continue
		}
		if reason := ignoredReason(k); reason != "" {
			out = append(out, IgnoredKey{Key: k, Reason: reason})
		}
	}
	return out
}

// Deprecated returns the keys of c that are old names, in key order.
func Deprecated(c *Config) []DeprecatedKey {
	var out []DeprecatedKey
	for _, k := range c.Keys() {
		if _, own := registry.byKey[k]; own {
			continue
		}
		if e := registry.byFallback[k]; len(e) > 0 {
			out = append(out, DeprecatedKey{Key: k, Use: e[0].key})
		}
	}
	return out
}

// Notes returns what there is to say about the keys of c, one line each: warnings about unknown keys and about settings that
// this version does not act on, then notes about old names and keys that have nothing to act on. A process logs them once,
// when it has its configuration.
func Notes(c *Config) (warnings, notes []string) {
	for _, u := range Unknown(c) {
		warnings = append(warnings, u.String())
	}
	for _, i := range Idle(c) {
		warnings = append(warnings, i.String())
	}
	for _, d := range Deprecated(c) {
		notes = append(notes, d.String())
	}
	for _, i := range Ignored(c) {
		notes = append(notes, i.String())
	}
	return warnings, notes
}

// isKnown tells whether an option or a family reads key.
func isKnown(key string) bool {
	if _, ok := registry.byKey[key]; ok || len(registry.byFallback[key]) > 0 || strings.HasPrefix(key, "$internal.") {
		return true
	}
	for _, f := range registry.families {
		if strings.HasPrefix(key, f.key) {
			return true
		}
	}
	for _, e := range registry.byKey {
		if e.kind == mapKindName && strings.HasPrefix(key, e.key+".") {
			return true
		}
	}
	return false
}

func ignoredReason(key string) string {
	for _, w := range withoutEffect {
		if strings.HasPrefix(key, w.prefix) {
			return w.reason
		}
	}
	if flinkKeys()[key] {
		return "Flink's setting has no counterpart here"
	}
	return ""
}

// nearest returns the known key with the least edit distance to key, "" when all are too far. Four edits, and less in short
// keys, are as many as a misspelling or a forgotten part usually has.
func nearest(key string) string {
	best, limit := "", min(4, len(key)/4)+1
	for _, e := range sortedEntries() {
		if d := editDistance(key, e.key, limit); d < limit {
			best, limit = e.key, d
		}
	}
	return best
}

// editDistance is the number of insertions, deletions, replacements and swaps of neighbours that turn a into b; limit when
// it is at least limit.
func editDistance(a, b string, limit int) int {
	if max(len(a)-len(b), len(b)-len(a)) >= limit {
		return limit
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return min(last[len(b)], limit)
}
