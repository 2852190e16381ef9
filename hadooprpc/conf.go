package hadooprpc

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// siteFiles are the files that hold what we read of Hadoop's configuration, in the order they are merged: a
// later file overrides an earlier one, except where the earlier one says final.
var siteFiles = []string{"core-site.xml", "hdfs-site.xml", "yarn-site.xml"}

// Conf is a Hadoop configuration: the properties of the site files over the defaults we use. It is not changed
// after loading except by Set, which the owner calls before sharing it; reading is safe for concurrent use.
type Conf struct {
	props map[string]string // as written, with ${references}
	final map[string]bool
	dirs  []string
	env   func(string) string
}

// NewConf gives a configuration of defaults and the given properties.
func NewConf(props map[string]string) *Conf {
	c := &Conf{props: maps.Clone(props), final: map[string]bool{}, env: os.Getenv}
	if c.props == nil {
		c.props = map[string]string{}
	}
	return c
}

// LoadConf reads core-site.xml, hdfs-site.xml and yarn-site.xml, each from the first of the folders that has
// it. It fails when none of them is found, or when one cannot be read.
func LoadConf(dirs ...string) (*Conf, error) {
	c := NewConf(nil)
	c.dirs = slices.Clone(dirs)
	found := false
	for _, name := range siteFiles {
		for _, dir := range dirs {
			path := filepath.Join(dir, name)
			if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
				continue
			}
			if err := c.merge(path); err != nil {
				return nil, err
			}
			found = true
			break
		}
	}
	if !found {
		return nil, fmt.Errorf("no %s in %s", strings.Join(siteFiles, ", "), strings.Join(dirs, ", "))
	}
	return c, nil
}

// LoadConfFile reads one site file, such as the merged one that WriteXML made.
func LoadConfFile(path string) (*Conf, error) {
	c := NewConf(nil)
	c.dirs = []string{filepath.Dir(path)}
	if err := c.merge(path); err != nil {
		return nil, err
	}
	return c, nil
}

// ErrNoConf says that nothing tells where Hadoop's configuration is.
var ErrNoConf = errors.New("no Hadoop configuration found: set HADOOP_CONF_DIR or YARN_CONF_DIR to the folder of core-site.xml and yarn-site.xml, " +
	"or HADOOP_HOME to a Hadoop installation, or fs.hdfs.hadoopconf in Flink's configuration")

// FindConf finds the configuration as Hadoop's tools do: the explicit folder (fs.hdfs.hadoopconf) first, then
// HADOOP_CONF_DIR, YARN_CONF_DIR and HADOOP_HOME/etc/hadoop. A folder that is named but has none of the files is
// an error only when no other has any.
func FindConf(env func(string) string, explicit string) (*Conf, error) {
	var dirs []string
	add := func(dir string) {
		if dir != "" && !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	add(explicit)
	add(env("HADOOP_CONF_DIR"))
	add(env("YARN_CONF_DIR"))
	if home := env("HADOOP_HOME"); home != "" {
		add(filepath.Join(home, "etc", "hadoop"))
	}
	if len(dirs) == 0 {
		return nil, ErrNoConf
	}
	for _, d := range dirs {
		if hasSiteFile(d) {
			return LoadConf(dirs...)
		}
	}
	return nil, fmt.Errorf("%w (looked in %s)", ErrNoConf, strings.Join(dirs, ", "))
}

func hasSiteFile(dir string) bool {
	for _, name := range siteFiles {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return true
		}
	}
	return false
}

// Dirs are the folders the configuration was looked for in, best first.
func (c *Conf) Dirs() []string { return slices.Clone(c.dirs) }

// Set overrides a property.
func (c *Conf) Set(key, value string) { c.props[key] = value }

// Lookup gives a property's value with references replaced, and whether it is set or has a default.
func (c *Conf) Lookup(key string) (string, bool) {
	v, ok := c.raw(key)
	if !ok {
		return "", false
	}
	return strings.TrimSpace(c.expand(v, 0)), true
}

// Get gives a property's value, or its default, or nothing.
func (c *Conf) Get(key string) string {
	v, _ := c.Lookup(key)
	return v
}

func (c *Conf) raw(key string) (string, bool) {
	if v, ok := c.props[key]; ok {
		return v, true
	}
	v, ok := confDefaults[key]
	return v, ok
}

// maxExpansions ends reference cycles; Hadoop has the same bound.
const maxExpansions = 20

// expand replaces ${key}, ${env.NAME}, ${env.NAME:-default} and the system property ${user.name}. What is
// unknown stays as it is written, as in Hadoop.
func (c *Conf) expand(v string, depth int) string {
	if depth == maxExpansions {
		return v
	}
	var out strings.Builder
	for {
		start := strings.Index(v, "${")
		end := -1
		if start >= 0 {
			end = strings.IndexByte(v[start:], '}')
		}
		if end < 0 {
			out.WriteString(v)
			return out.String()
		}
		end += start
		out.WriteString(v[:start])
		if r, ok := c.reference(v[start+2 : end]); ok {
			out.WriteString(c.expand(r, depth+1))
		} else {
			out.WriteString(v[start : end+1])
		}
		v = v[end+1:]
	}
}

func (c *Conf) reference(name string) (string, bool) {
	if envName, ok := strings.CutPrefix(name, "env."); ok {
		bare, def, hasDefault := strings.Cut(envName, ":-")
		if v := c.env(bare); v != "" {
			return v, true
		}
		return def, hasDefault
	}
	if name == "user.name" {
		return c.env("USER"), true
	}
	return c.raw(name)
}

// Strings splits a comma-separated value and drops empty parts.
func (c *Conf) Strings(key string) []string {
	var out []string
	for _, s := range strings.Split(c.Get(key), ",") {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// Bool is true for "true"; anything else, as in Hadoop, leaves def only when it is not "false" either.
func (c *Conf) Bool(key string, def bool) bool {
	switch strings.ToLower(c.Get(key)) {
	case "true":
		return true
	case "false":
		return false
	}
	return def
}

// Int reads a number; a missing or malformed one gives def.
func (c *Conf) Int(key string, def int) int {
	if n, err := strconv.Atoi(c.Get(key)); err == nil {
		return n
	}
	return def
}

// Millis reads a duration that Hadoop counts in milliseconds, with an optional unit as Hadoop writes it.
func (c *Conf) Millis(key string, def time.Duration) time.Duration {
	v := strings.ToLower(c.Get(key))
	unit := time.Millisecond
	for _, u := range []struct {
		suffix string
		unit   time.Duration
	}{{"ms", time.Millisecond}, {"s", time.Second}, {"m", time.Minute}, {"h", time.Hour}, {"d", 24 * time.Hour}} {
		if rest, ok := strings.CutSuffix(v, u.suffix); ok {
			v, unit = rest, u.unit
			break
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
	if err != nil || n > int64(1<<62/unit) {
		return def
	}
	return time.Duration(n) * unit
}

// Keys lists the properties that are set, sorted, without the defaults.
func (c *Conf) Keys() []string { return slices.Sorted(maps.Keys(c.props)) }
