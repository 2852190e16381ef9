package accumulator

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// fill adds some figures of one subtask.
func fill(t *testing.T, s *Set, from int64) {
	t.Helper()
	i, err1 := s.IntCounter("int")
	l, err2 := s.LongCounter("long")
	d, err3 := s.DoubleCounter("double")
	lo, err4 := s.LongMinimum("min")
	hi, err5 := s.LongMaximum("max")
	dlo, err6 := s.DoubleMinimum("dmin")
	dhi, err7 := s.DoubleMaximum("dmax")
	avg, err8 := s.Average("avg")
	h, err9 := s.Histogram("hist")
	list, err10 := s.List("list")
	if err := errors.Join(err1, err2, err3, err4, err5, err6, err7, err8, err9, err10); err != nil {
		t.Fatal(err)
	}
	for n := from; n < from+3; n++ {
		i.Add(1)
		l.Add(n)
		d.Add(0.5)
		lo.Add(n)
		hi.Add(n)
		dlo.Add(float64(n) / 2)
		dhi.Add(float64(n) / 2)
		avg.Add(float64(n))
		h.Add(n)
		list.Add(fmt.Sprint("e", n))
	}
}

// TestMerged encodes two subtasks, decodes and merges them; what is shown is
// what Flink's toString shows.
func TestMerged(t *testing.T) {
	a, b := NewSet(), NewSet()
	fill(t, a, -1)
	fill(t, b, 1)
	var values []map[string]Value
	for _, s := range []*Set{a, b} {
		encoded, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		m := map[string]Value{}
		for name, e := range encoded {
			if m[name], err = Decode(e); err != nil {
				t.Fatal(name, err)
			}
			if got, want := fmt.Sprint(m[name]), fmt.Sprint(s.Values()[name]); got != want {
				t.Errorf("%s: decoded %s, want %s", name, got, want)
			}
			for cut := range e { // no prefix is taken for something else of the same kind
				if v, err := Decode(e[:cut]); err == nil && v.kind != ListKind && v.kind != HistogramKind {
					t.Errorf("%s: %x decodes", name, e[:cut])
				}
			}
		}
		values = append(values, m)
	}
	want := map[string][3]string{
		"int": {"IntCounter 6", "java.lang.Integer", "6"}, "long": {"LongCounter 6", "java.lang.Long", "6"},
		"double": {"DoubleCounter 3.0", "java.lang.Double", "3.0"},
		"min":    {"LongMinimum -1", "java.lang.Long", "-1"}, "max": {"LongMaximum 3", "java.lang.Long", "3"},
		"dmin": {"DoubleMinimum -0.5", "java.lang.Double", "-0.5"}, "dmax": {"DoubleMaximum 1.5", "java.lang.Double", "1.5"},
		"avg":  {"AverageAccumulator 1.0 for 6 elements", "java.lang.Double", "1.0"},
		"hist": {"{-1=1, 0=1, 1=2, 2=1, 3=1}", "java.util.TreeMap", "{-1=1, 0=1, 1=2, 2=1, 3=1}"},
		"list": {"List Accumulator [e-1, e0, e1, e1, e2, e3]", "java.util.ArrayList", "[6 elements]"},
	}
	for name, w := range want {
		v, err := values[0][name].Merge(values[1][name])
		if err != nil {
			t.Fatal(err)
		}
		if got := [3]string{v.Text(), v.ResultClass(), v.ResultText()}; got != w {
			t.Errorf("%s: got %q, want %q", name, got, w)
		}
	}
	if _, err := values[0]["int"].Merge(values[0]["long"]); err == nil {
		t.Error("an IntCounter and a LongCounter were merged")
	}
}

// TestFormat holds what is sent by version 1.
func TestFormat(t *testing.T) {
	s := NewSet()
	fill(t, s, 7)
	b, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"int": "010106", "long": "010230", "double": "01033ff8000000000000", "min": "01040e", "max": "010512",
		"dmin": "0106400c000000000000", "dmax": "01074012000000000000", "avg": "0108034038000000000000", "hist": "01090e0110011201",
		"list": "010a026537026538026539"} {
		if got := fmt.Sprintf("%x", b[name]); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestSharedAndConflicting(t *testing.T) {
	s := NewSet()
	a, _ := s.LongCounter("n")
	b, err := s.LongCounter("n")
	if err != nil || a != b {
		t.Errorf("two counters of one name: %v", err)
	}
	if c, err := s.IntCounter("n"); err == nil || c == nil || !strings.Contains(err.Error(), `"n" is LongCounter, and now IntCounter`) {
		t.Errorf("another kind: %v", err)
	}
	if _, err := s.List(""); err == nil {
		t.Error("no name")
	}
}

// TestBound: what is too much is an error, and memory stays bounded.
func TestBound(t *testing.T) {
	s := NewSet()
	l, _ := s.List("names")
	h, _ := s.Histogram("sizes")
	for i := range int64(1 << 20) {
		l.Add("0123456789")
		h.Add(i)
	}
	if len(l.items) > MaxBytes/10 || len(h.counts) > maxElements {
		t.Errorf("%d elements, %d numbers", len(l.items), len(h.counts))
	}
	if _, err := s.Encode(); err == nil || !strings.Contains(err.Error(), `write such results to a sink`) {
		t.Errorf("got %v", err)
	}
}
