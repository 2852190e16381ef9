// Package conf owns the typed configuration keys of goflink, the files they come from and Flink's memory model.
//
// Who calls it: every program part. The client layers the sources (defaults < file < -D < named options < program) with
// Merge, reports what Validate, Unknown and Deprecated find, and ships the resulting string map; JobManager, TaskManager and
// workers read it back with FromMap.
//
// Keys, defaults, spellings of values and old names are those of Flink 1.20, so that a Flink user's config.yaml works
// unchanged. Each key is an exported Option variable (RestPort, CheckpointingInterval, …); docs/configuration.md is
// generated from them.
//
// Goroutines and locks: none. A Config may be read by any number of goroutines while nobody changes it; writers own their
// copy (Clone). The registry of options is filled by variable initialisers only and never changes afterwards.
//
// Invariants:
//   - one-key: an option's Key and the keys of all other options are distinct; a fallback may be the key of another option
//     (rest.address falls back to jobmanager.rpc.address).
//   - no-panic: reading a malformed value yields the default; Validate is where it is reported.
//   - secret: a value whose key IsSecret never appears in an error, a log line or Redacted.
package conf

import (
	"maps"
	"slices"
)

// Config is a set of configuration values by key. The zero value is not usable; see New and FromMap.
// It is safe for concurrent reads; changing it while others read it is not.
type Config struct {
	values map[string]string
}

// New returns an empty configuration: every option has its default.
func New() *Config { return &Config{values: map[string]string{}} }

// FromMap returns a configuration that holds a copy of m.
func FromMap(m map[string]string) *Config {
	c := New()
	maps.Copy(c.values, m)
	return c
}

// Lookup returns the raw value of exactly this key; no fallback keys, no default.
func (c *Config) Lookup(key string) (string, bool) {
	v, ok := c.values[key]
	return v, ok
}

// Set stores the raw value of key. It does not check it: Validate does.
func (c *Config) Set(key, val string) { c.values[key] = val }

// Delete removes key; an absent key is no error.
func (c *Config) Delete(key string) { delete(c.values, key) }

// Keys returns all keys that are set, sorted.
func (c *Config) Keys() []string { return slices.Sorted(maps.Keys(c.values)) }

// Clone returns an independent copy.
func (c *Config) Clone() *Config { return FromMap(c.values) }

// Map returns a copy of all values, secrets included: for shipping, never for showing (see Redacted).
func (c *Config) Map() map[string]string { return maps.Clone(c.values) }

// Merge returns a new configuration of all layers, later ones over earlier ones; nil layers are skipped. The order is
// file, -D, named options, program.
//
// An old name given in a later layer wins over the current name given in an earlier one: -Dstate.backend=rocksdb beats
// state.backend.type in the file, which a plain union of the maps would turn round.
func Merge(layers ...*Config) *Config {
	out := New()
	for _, l := range layers {
		if l == nil {
			continue
		}
		for key := range l.values {
			for _, overridden := range olderThan(key) {
				out.Delete(overridden)
			}
		}
		maps.Copy(out.values, l.values)
	}
	return out
}

// olderThan returns the keys that would hide fallback, were they set: the keys of the options it is an old name of.
// A key with an option of its own (jobmanager.rpc.address) is no old name and hides nothing.
func olderThan(fallback string) []string {
	if _, own := registry.byKey[fallback]; own {
		return nil
	}
	var hidden []string
	for _, e := range registry.byFallback[fallback] {
		hidden = append(hidden, e.key)
		for _, f := range e.fallbacks {
			if f == fallback {
				break
			}
			if _, own := registry.byKey[f]; !own {
				hidden = append(hidden, f)
			}
		}
	}
	return hidden
}
