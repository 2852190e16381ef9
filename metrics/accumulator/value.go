package accumulator

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Kind is the kind of an accumulator. The numbers are part of the format.
type Kind byte

// The kinds.
const (
	IntCounterKind Kind = iota + 1
	LongCounterKind
	DoubleCounterKind
	LongMinimumKind
	LongMaximumKind
	DoubleMinimumKind
	DoubleMaximumKind
	AverageKind
	HistogramKind
	ListKind
)

// kinds tells of each kind Flink's class, and the class of its result.
var kinds = map[Kind]struct{ class, result string }{
	IntCounterKind: {"IntCounter", "java.lang.Integer"}, LongCounterKind: {"LongCounter", "java.lang.Long"},
	DoubleCounterKind: {"DoubleCounter", "java.lang.Double"},
	LongMinimumKind:   {"LongMinimum", "java.lang.Long"}, LongMaximumKind: {"LongMaximum", "java.lang.Long"},
	DoubleMinimumKind: {"DoubleMinimum", "java.lang.Double"}, DoubleMaximumKind: {"DoubleMaximum", "java.lang.Double"},
	AverageKind: {"AverageAccumulator", "java.lang.Double"}, HistogramKind: {"Histogram", "java.util.TreeMap"},
	ListKind: {"ListAccumulator", "java.util.ArrayList"},
}

// String is the name of Flink's class.
func (k Kind) String() string { return kinds[k].class }

// Value is what an accumulator holds, of one subtask or of several.
type Value struct {
	kind   Kind
	n      int64
	x      float64
	counts map[int64]int64
	items  []string
}

// Kind is the kind of the accumulator.
func (v Value) Kind() Kind { return v.kind }

// Result is the value: an int64, a float64, a map[int64]int64 or a []string.
func (v Value) Result() any {
	switch v.kind {
	case IntCounterKind, LongCounterKind, LongMinimumKind, LongMaximumKind:
		return v.n
	case AverageKind:
		return mean(v.x, v.n)
	case HistogramKind:
		return v.counts
	case ListKind:
		return v.items
	}
	return v.x
}

// Merge returns the value of both together. They must be of the same kind.
func (v Value) Merge(w Value) (Value, error) {
	if v.kind != w.kind {
		return v, fmt.Errorf("%s and %s cannot be merged", v.kind, w.kind)
	}
	switch v.kind {
	case LongMinimumKind:
		v.n = min(v.n, w.n)
	case LongMaximumKind:
		v.n = max(v.n, w.n)
	case DoubleMinimumKind:
		v.x = min(v.x, w.x)
	case DoubleMaximumKind:
		v.x = max(v.x, w.x)
	case HistogramKind:
		v.counts = maps.Clone(v.counts)
		for k, n := range w.counts {
			v.counts[k] += n
		}
	case ListKind:
		v.items = slices.Concat(v.items, w.items)
	default:
		v.n, v.x = v.n+w.n, v.x+w.x
	}
	return v, nil
}

// Text is what Flink's toString makes of the accumulator, as REST shows it.
func (v Value) Text() string {
	switch v.kind {
	case AverageKind:
		return fmt.Sprintf("AverageAccumulator %s for %d elements", number(mean(v.x, v.n)), v.n)
	case HistogramKind:
		return v.ResultText()
	case ListKind:
		return "List Accumulator " + listText(v.items)
	}
	return v.kind.String() + " " + v.ResultText()
}

// ResultClass is the Java class of Flink's result, by which flink run and tools
// that read its output know it.
func (v Value) ResultClass() string { return kinds[v.kind].result }

// ResultText is the result as flink run prints it: of a list the number of its
// elements.
func (v Value) ResultText() string {
	switch x := v.Result().(type) {
	case int64:
		return strconv.FormatInt(x, 10)
	case float64:
		return number(x)
	case map[int64]int64:
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(x)) {
			parts = append(parts, fmt.Sprintf("%d=%d", k, x[k]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return fmt.Sprintf("[%d elements]", len(v.items))
}

func listText(items []string) string { return "[" + strings.Join(items, ", ") + "]" }

// number writes a number with a decimal point always, as Java does.
func number(x float64) string {
	switch {
	case math.IsInf(x, 0):
		return strings.TrimPrefix(strconv.FormatFloat(x, 'g', -1, 64), "+") + "inity"
	case x == math.Trunc(x) && math.Abs(x) < 1e15:
		return strconv.FormatFloat(x, 'f', 1, 64)
	}
	return strconv.FormatFloat(x, 'g', -1, 64)
}

// valueFormat is the version of the encoding of a Value: version, kind, then
//
//	counters, minima and maxima   zigzag varint, or 8 bytes of a float, big-endian
//	average                       uvarint number, 8 bytes of the sum
//	histogram                     pairs of zigzag varint and uvarint
//	list                          strings behind their lengths as uvarint
const valueFormat = 1

func (v Value) append(b []byte) []byte {
	b = append(b, valueFormat, byte(v.kind))
	switch v.kind {
	case IntCounterKind, LongCounterKind, LongMinimumKind, LongMaximumKind:
		return binary.AppendVarint(b, v.n)
	case HistogramKind:
		for _, k := range slices.Sorted(maps.Keys(v.counts)) {
			b = binary.AppendUvarint(binary.AppendVarint(b, k), uint64(v.counts[k]))
		}
		return b
	case ListKind:
		for _, s := range v.items {
			b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
		}
		return b
	case AverageKind:
		b = binary.AppendUvarint(b, uint64(v.n))
	}
	return binary.BigEndian.AppendUint64(b, math.Float64bits(v.x))
}

var errDamaged = errors.New("damaged accumulator")

// Decode reads what Set.Encode wrote.
func Decode(b []byte) (Value, error) {
	if len(b) < 2 || b[0] != valueFormat {
		return Value{}, fmt.Errorf("%w: format %x, want %d", errDamaged, b[:min(1, len(b))], valueFormat)
	}
	v := Value{kind: Kind(b[1])}
	r := reader{b: b[2:]}
	switch v.kind {
	case IntCounterKind, LongCounterKind, LongMinimumKind, LongMaximumKind:
		v.n = r.varint()
	case DoubleCounterKind, DoubleMinimumKind, DoubleMaximumKind:
		v.x = r.float()
	case AverageKind:
		v.n, v.x = int64(r.uvarint()), r.float()
	case HistogramKind:
		v.counts = map[int64]int64{}
		for len(r.b) > 0 && !r.bad {
			k := r.varint()
			v.counts[k] = int64(r.uvarint())
		}
	case ListKind:
		for len(r.b) > 0 && !r.bad {
			v.items = append(v.items, r.text())
		}
	default:
		return Value{}, fmt.Errorf("%w: kind %d", errDamaged, b[1])
	}
	if r.bad || len(r.b) > 0 {
		return Value{}, errDamaged
	}
	return v, nil
}

// reader takes pieces from the front of b.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) skip(n int) {
	if n <= 0 {
		r.bad = true
		return
	}
	r.b = r.b[n:]
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	r.skip(n)
	return v
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	r.skip(n)
	return v
}

func (r *reader) float() float64 {
	if len(r.b) < 8 {
		r.bad = true
		return 0
	}
	x := math.Float64frombits(binary.BigEndian.Uint64(r.b))
	r.skip(8)
	return x
}

func (r *reader) text() string {
	n := r.uvarint()
	if r.bad || n > uint64(len(r.b)) {
		r.bad = true
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}
