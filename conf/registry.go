package conf

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// noneText is how the reference page shows the absence of a default.
const noneText = "(none)"

// entry is what the registry knows of an option or a family of keys, without its Go type.
type entry struct {
	key         string // the key, or the prefix (ending in ".") of a family
	kind        string
	doc         string
	defaultText string
	fallbacks   []string
	check       func(*Config) error
	family      bool
}

// registry holds all options of the process. It is written by package variable initialisers only.
var registry = struct {
	byKey      map[string]*entry
	byFallback map[string][]*entry
	families   []*entry
	clashes    []string
}{byKey: map[string]*entry{}, byFallback: map[string][]*entry{}}

// register adds e. A key registered twice is remembered as a clash, which a test reports: a panic in an initialiser would
// take every program down for it.
func register(e *entry) *entry {
	if e.family {
		registry.families = append(registry.families, e)
		return e
	}
	if _, dup := registry.byKey[e.key]; dup {
		registry.clashes = append(registry.clashes, e.key)
	}
	registry.byKey[e.key] = e
	for _, f := range e.fallbacks {
		registry.byFallback[f] = append(registry.byFallback[f], e)
	}
	return e
}

func sortedEntries() []*entry {
	return slices.SortedFunc(maps.Values(registry.byKey), func(a, b *entry) int { return cmp.Compare(a.key, b.key) })
}

// Family is a set of keys with a common prefix whose rest is free, such as containerized.master.env.<NAME>.
type Family struct {
	// Prefix is the common part and ends in ".".
	Prefix string
	// Doc says what the keys mean.
	Doc string
}

// KeyFamily makes and registers a family of keys.
func KeyFamily(prefix, doc string) Family {
	register(&entry{key: prefix, kind: "String", doc: doc, defaultText: noneText, family: true})
	return Family{Prefix: prefix, Doc: doc}
}

// Get returns the values of the family by the rest of their keys; empty when none is set.
func (f Family) Get(c *Config) map[string]string {
	out := map[string]string{}
	for k, v := range c.values {
		if rest, ok := strings.CutPrefix(k, f.Prefix); ok && rest != "" {
			out[rest] = v
		}
	}
	return out
}

// Set stores one value of the family.
func (f Family) Set(c *Config, name, val string) { c.Set(f.Prefix+name, val) }

// OptionInfo describes a registered option or family for reference pages and completion.
type OptionInfo struct {
	// Key is the key, or for a family its prefix followed by "<name>".
	Key string
	// Type is String, Integer, Duration, MemorySize, Boolean, …
	Type string
	// Default is the default as it would be written in a file, "(none)" without one.
	Default string
	// Doc is the description.
	Doc string
	// Fallbacks are the older names that are still read.
	Fallbacks []string
}

// Options returns all registered options and families in key order.
func Options() []OptionInfo {
	var out []OptionInfo
	for _, e := range sortedEntries() {
		out = append(out, OptionInfo{Key: e.key, Type: e.kind, Default: e.defaultText, Doc: e.doc, Fallbacks: slices.Clone(e.fallbacks)})
	}
	for _, e := range registry.families {
		out = append(out, OptionInfo{Key: e.key + "<name>", Type: e.kind, Default: e.defaultText, Doc: e.doc})
	}
	slices.SortFunc(out, func(a, b OptionInfo) int { return cmp.Compare(a.Key, b.Key) })
	return out
}
