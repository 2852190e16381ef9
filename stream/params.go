package stream

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"goflink/conf"
)

// Params are a program's arguments by name, as Flink's ParameterTool and the
// examples' own parsers read them: "--key value", "--key=value", "-key value",
// and "--flag" with nothing behind it. A later value of a key wins; All has each.
type Params struct {
	values map[string][]string
}

// ParseParams reads arguments.
func ParseParams(args []string) (*Params, error) {
	p := &Params{values: map[string][]string{}}
	for i := 0; i < len(args); i++ {
		key, ok := paramKey(args[i])
		if !ok {
			return p, fmt.Errorf("argument %q: want --key value or --key=value", args[i])
		}
		if k, v, found := strings.Cut(key, "="); found {
			p.values[k] = append(p.values[k], v)
			continue
		}
		value := ""
		if i+1 < len(args) && !isKey(args[i+1]) {
			i++
			value = args[i]
		}
		p.values[key] = append(p.values[key], value)
	}
	return p, nil
}

func paramKey(arg string) (string, bool) {
	key := strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-")
	return key, key != arg && key != "" && key[0] != '='
}

// isKey tells keys from negative numbers, which are values.
func isKey(arg string) bool {
	if _, err := strconv.ParseFloat(arg, 64); err == nil {
		return false
	}
	_, ok := paramKey(arg)
	return ok
}

// Has tells whether the key was given, with a value or without.
func (p *Params) Has(key string) bool { return len(p.values[key]) > 0 }

// All are the values of a key in the order in which they were given.
func (p *Params) All(key string) []string { return p.values[key] }

// Get is the value of a key, or def.
func (p *Params) Get(key, def string) string {
	if v := p.values[key]; len(v) > 0 {
		return v[len(v)-1]
	}
	return def
}

// Int is a whole number, or def when the key was not given.
func (p *Params) Int(key string, def int) (int, error) {
	n, err := p.Int64(key, int64(def))
	return int(n), err
}

// Int64 is a whole number, or def when the key was not given.
func (p *Params) Int64(key string, def int64) (int64, error) {
	if !p.Has(key) {
		return def, nil
	}
	n, err := strconv.ParseInt(p.Get(key, ""), 10, 64)
	if err != nil {
		return def, fmt.Errorf("argument --%s: %q is not a whole number", key, p.Get(key, ""))
	}
	return n, nil
}

// Float is a number, or def when the key was not given.
func (p *Params) Float(key string, def float64) (float64, error) {
	if !p.Has(key) {
		return def, nil
	}
	f, err := strconv.ParseFloat(p.Get(key, ""), 64)
	if err != nil {
		return def, fmt.Errorf("argument --%s: %q is not a number", key, p.Get(key, ""))
	}
	return f, nil
}

// Bool is true for a flag without a value.
func (p *Params) Bool(key string, def bool) (bool, error) {
	if !p.Has(key) {
		return def, nil
	}
	v := p.Get(key, "")
	if v == "" {
		return true, nil
	}
	b, err := strconv.ParseBool(v)
	if err != nil {
		return def, fmt.Errorf("argument --%s: %q is neither true nor false", key, v)
	}
	return b, nil
}

// Duration is a duration as Flink writes it (10s, 5 min), or def.
func (p *Params) Duration(key string, def time.Duration) (time.Duration, error) {
	if !p.Has(key) {
		return def, nil
	}
	d, err := conf.ParseDuration(p.Get(key, ""))
	if err != nil {
		return def, fmt.Errorf("argument --%s: %w", key, err)
	}
	return d, nil
}
