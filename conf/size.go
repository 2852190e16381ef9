package conf

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// Size is an amount of memory in bytes.
type Size int64

// Units of memory; Flink's mb is 2^20 bytes.
const (
	KB Size = 1 << 10
	MB Size = 1 << 20
	GB Size = 1 << 30
	TB Size = 1 << 40

	// MaxSize is "infinite": a limit that limits nothing.
	MaxSize Size = math.MaxInt64
)

var sizeUnits = map[string]Size{
	"": 1, "b": 1, "bytes": 1,
	"k": KB, "kb": KB, "kibibytes": KB,
	"m": MB, "mb": MB, "mebibytes": MB,
	"g": GB, "gb": GB, "gibibytes": GB,
	"t": TB, "tb": TB, "tebibytes": TB,
}

// sizeUnitsDescending is the order in which a size looks for its unit.
var sizeUnitsDescending = []struct {
	name string
	of   Size
}{{"tb", TB}, {"gb", GB}, {"mb", MB}, {"kb", KB}}

// ParseSize reads a memory size as Flink writes it: "128mb", "1 gb", "1728m"; a bare number is bytes.
func ParseSize(s string) (Size, error) { return parseSize(s, 1) }

// ParseSizeMB reads a memory size whose bare number is megabytes, as the options -jm, -tm, -yjm and -ytm take it.
func ParseSizeMB(s string) (Size, error) {
	v, err := parseSize(s, MB)
	if err != nil {
		return 0, &ValueError{Key: "memory", Value: s, Form: "a memory size such as 1024, 1024m or 1 gb (a bare number is megabytes)"}
	}
	return v, nil
}

func parseSize(s string, bare Size) (Size, error) {
	s = strings.TrimSpace(s)
	if strings.EqualFold(s, "infinite") {
		return MaxSize, nil
	}
	digits, label := splitNumber(s)
	unit, ok := sizeUnits[strings.ToLower(label)]
	if digits == "" || !ok {
		return 0, errForm
	}
	if label == "" {
		unit = bare
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n > math.MaxInt64/int64(unit) {
		return 0, errors.New("the size does not fit into 64 bits")
	}
	return Size(n) * unit, nil
}

// String writes the size in the largest unit that needs no fraction: "1728 mb".
func (s Size) String() string {
	if s == MaxSize {
		return "infinite"
	}
	if s > 0 {
		for _, u := range sizeUnitsDescending {
			if s%u.of == 0 {
				return fmt.Sprintf("%d %s", s/u.of, u.name)
			}
		}
	}
	return fmt.Sprintf("%d bytes", int64(s))
}

// Human writes the size as Flink's logs do: "1.688gb (1811939328 bytes)". A size of exactly one unit is written in the
// unit below ("1024.000mb (1073741824 bytes)"), as there.
func (s Size) Human() string {
	for _, u := range sizeUnitsDescending {
		if s > u.of {
			// Java rounds halves up, Go to even: 1600 mb are 1.563gb there.
			rounded := math.Floor(float64(s)/float64(u.of)*1000+0.5) / 1000
			return fmt.Sprintf("%.3f%s (%d bytes)", rounded, u.name, int64(s))
		}
	}
	return fmt.Sprintf("%d bytes", int64(s))
}

// times multiplies as Flink does: exactly, with the shortest decimal form of the factor, cutting the fraction of a byte.
func (s Size) times(factor float64) Size {
	f, ok := new(big.Rat).SetString(strconv.FormatFloat(factor, 'g', -1, 64))
	if !ok || s < 0 || factor < 0 {
		return 0
	}
	p := f.Mul(f, new(big.Rat).SetInt64(int64(s)))
	q := new(big.Int).Quo(p.Num(), p.Denom())
	if !q.IsInt64() {
		return MaxSize
	}
	return Size(q.Int64())
}

// SizeOption makes a memory-size option.
func SizeOption(key string, def Size, doc string, fallbacks ...string) Option[Size] {
	k := kind[Size]{name: "MemorySize", form: "a memory size such as 128mb, 1 gb or 1728m (a bare number is bytes)",
		parse: ParseSize, format: Size.String}
	return newOption(k, key, def, doc, fallbacks)
}
