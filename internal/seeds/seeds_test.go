package seeds

import "testing"

func TestSet(t *testing.T) {
	r := Range{1, 2}
	for _, bad := range []string{"", "7", "9..8", "1..2x", "a..b", "-1..3"} {
		if err := r.Set(bad); err == nil || r != (Range{1, 2}) {
			t.Errorf("%q: %v, %v", bad, r, err)
		}
	}
	if err := r.Set("0..99"); err != nil || r != (Range{0, 99}) || r.Len() != 100 || r.String() != "0..99" {
		t.Errorf("%v, %v", r, err)
	}
}
