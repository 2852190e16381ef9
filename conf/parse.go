package conf

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Infinite is the value of a count that has no limit; it is Flink's Integer.MAX_VALUE.
const Infinite = math.MaxInt32

// errForm says "not of the accepted form" where there is nothing to add to the form.
var errForm = errors.New("malformed")

const mapKindName = "Map"

var (
	stringKind = kind[string]{name: "String", form: "text",
		parse:  func(s string) (string, error) { return s, nil },
		format: func(s string) string { return s }}
	intKind   = kind[int]{name: "Integer", form: "a whole number, for example 4", parse: parseInt, format: strconv.Itoa}
	countKind = kind[int]{name: "Integer", form: "a whole number of at least 0, or infinite", parse: parseCount, format: formatCount}
	floatKind = kind[float64]{name: "Double", form: "a number, for example 0.4", parse: parseFloat,
		format: func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }}
	boolKind = kind[bool]{name: "Boolean", form: "true or false", parse: parseBool, format: strconv.FormatBool}
	listKind = kind[[]string]{name: "List<String>", form: "a list separated by ';', for example a;b", parse: ParseList, format: FormatList}
	mapKind  = kind[map[string]string]{name: mapKindName, form: "a map of the form k1:v1,k2:v2", parse: ParseMap, format: FormatMap}
)

func parseInt(s string) (int, error) {
	v, err := strconv.ParseInt(strings.TrimSpace(s), 10, 32)
	if errors.Is(err, strconv.ErrRange) {
		return 0, errors.New("the number does not fit into 32 bits")
	}
	if err != nil {
		return 0, errForm
	}
	return int(v), nil
}

func parseCount(s string) (int, error) {
	if strings.EqualFold(strings.TrimSpace(s), "infinite") {
		return Infinite, nil
	}
	v, err := parseInt(s)
	if err == nil && v < 0 {
		return 0, errForm
	}
	return v, err
}

func formatCount(v int) string {
	if v == Infinite {
		return "infinite"
	}
	return strconv.Itoa(v)
}

func parseFloat(s string) (float64, error) {
	v, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, errForm
	}
	return v, nil
}

func parseBool(s string) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, errForm
}

// enumKind reads one of values; the accepted form lists them.
func enumKind[T ~string](values []T, aliases map[string]T) kind[T] {
	names := make([]string, len(values))
	for i, v := range values {
		names[i] = string(v)
	}
	return kind[T]{
		name:   "Enum",
		form:   "one of " + strings.Join(names, ", "),
		format: func(v T) string { return string(v) },
		parse: func(s string) (T, error) {
			s = strings.TrimSpace(s)
			for _, v := range values {
				if foldEnum(string(v)) == foldEnum(s) {
					return v, nil
				}
			}
			if v, ok := aliases[strings.ToLower(s)]; ok {
				return v, nil
			}
			return "", errForm
		},
	}
}

func foldEnum(s string) string { return strings.ToLower(strings.ReplaceAll(s, "-", "_")) }

// durationUnits are the labels of a duration; a label is matched after lower-casing.
var durationUnits = map[string]time.Duration{
	"":  time.Millisecond, // Flink reads a bare number as milliseconds
	"d": 24 * time.Hour, "day": 24 * time.Hour, "days": 24 * time.Hour,
	"h": time.Hour, "hour": time.Hour, "hours": time.Hour,
	"m": time.Minute, "min": time.Minute, "minute": time.Minute, "minutes": time.Minute,
	"s": time.Second, "sec": time.Second, "secs": time.Second, "second": time.Second, "seconds": time.Second,
	"ms": time.Millisecond, "milli": time.Millisecond, "millis": time.Millisecond,
	"millisecond": time.Millisecond, "milliseconds": time.Millisecond,
	"µs": time.Microsecond, "μs": time.Microsecond, "us": time.Microsecond, "micro": time.Microsecond, "micros": time.Microsecond,
	"microsecond": time.Microsecond, "microseconds": time.Microsecond,
	"ns": time.Nanosecond, "nano": time.Nanosecond, "nanos": time.Nanosecond,
	"nanosecond": time.Nanosecond, "nanoseconds": time.Nanosecond,
}

// ParseDuration reads a duration as Flink writes it: "10 s", "5min", "100 ms", a bare number of milliseconds, or ISO-8601
// ("PT1H30M"). What exceeds Go's 292 years is cut to them.
func ParseDuration(s string) (time.Duration, error) {
	s = strings.TrimSpace(s)
	if rest, neg := strings.CutPrefix(s, "-"); neg && rest != "" {
		return 0, errors.New("a duration cannot be negative")
	}
	if s != "" && (s[0] == 'P' || s[0] == 'p') {
		return parseISODuration(s)
	}
	digits, label := splitNumber(s)
	unit, ok := durationUnits[strings.ToLower(label)]
	if digits == "" || !ok {
		return 0, errForm
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if errors.Is(err, strconv.ErrRange) || n > math.MaxInt64/int64(unit) {
		return math.MaxInt64, nil
	}
	return time.Duration(n) * unit, nil
}

// splitNumber cuts "128 mb" into "128" and "mb".
func splitNumber(s string) (digits, label string) {
	i := 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	return s[:i], strings.TrimSpace(s[i:])
}

// FormatDuration writes d in the largest unit that needs no fraction: "1 min", "1500 ms".
func FormatDuration(d time.Duration) string {
	switch {
	case d == 0:
		return "0 ms"
	case d%(24*time.Hour) == 0:
		return fmt.Sprintf("%d d", d/(24*time.Hour))
	case d%time.Hour == 0:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d%time.Second == 0:
		return fmt.Sprintf("%d s", d/time.Second)
	case d%time.Millisecond == 0:
		return fmt.Sprintf("%d ms", d/time.Millisecond)
	case d%time.Microsecond == 0:
		return fmt.Sprintf("%d µs", d/time.Microsecond)
	default:
		return fmt.Sprintf("%d ns", d)
	}
}

// DurationOption makes a time option.
func DurationOption(key string, def time.Duration, doc string, fallbacks ...string) Option[time.Duration] {
	k := kind[time.Duration]{name: "Duration", form: "a duration such as 10 s, 5 min, 100 ms or PT1H (a bare number is milliseconds)",
		parse: ParseDuration, format: FormatDuration}
	return newOption(k, key, def, doc, fallbacks)
}

// ParseList reads "a;b;c", with a part in quotes where it contains ';', or the YAML form "[a, b]".
func ParseList(s string) ([]string, error) {
	if flow, ok, err := parseFlowList(s); ok || err != nil {
		return flow, err
	}
	parts, err := splitQuoted(s, ';', ";")
	if err != nil {
		return nil, err
	}
	out := []string{}
	for _, p := range parts {
		if p = strings.TrimSpace(p); p != "" {
			out = append(out, unquote(p))
		}
	}
	return out, nil
}

// FormatList writes a list so that ParseList reads it back.
func FormatList(list []string) string {
	parts := make([]string, len(list))
	for i, v := range list {
		parts[i] = quoteIfNeeded(v, ";", i == 0)
	}
	return strings.Join(parts, ";")
}

// ParseMap reads "k1:v1,k2:v2", with keys and values in quotes where they contain ':' or ',', or the YAML form "{k1: v1}".
func ParseMap(s string) (map[string]string, error) {
	if flow, ok, err := parseFlowMap(s); ok || err != nil {
		return flow, err
	}
	pairs, err := splitQuoted(s, ',', ",:")
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, p := range pairs {
		if strings.TrimSpace(p) == "" {
			continue
		}
		kv, err := splitQuoted(p, ':', ":")
		if err != nil {
			return nil, err
		}
		// Values such as hdfs://nn:8020/p hold colons: everything after the first one is the value.
		if len(kv) < 2 || strings.TrimSpace(kv[0]) == "" {
			return nil, fmt.Errorf("%q has no colon between a key and a value", strings.TrimSpace(p))
		}
		value := strings.TrimSpace(strings.Join(kv[1:], ":"))
		out[unquote(strings.TrimSpace(kv[0]))] = unquote(value)
	}
	return out, nil
}

// FormatMap writes a map in key order so that ParseMap reads it back.
func FormatMap(m map[string]string) string {
	parts := make([]string, 0, len(m))
	for i, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, quoteIfNeeded(k, ",:", i == 0)+":"+quoteIfNeeded(m[k], ",:", false))
	}
	return strings.Join(parts, ",")
}

// below gathers the keys under a map option's key into the option's own form.
func (c *Config) below(key string) (string, string, bool) {
	m := Family{Prefix: key + "."}.Get(c)
	if len(m) == 0 {
		return "", "", false
	}
	return key, FormatMap(m), true
}
