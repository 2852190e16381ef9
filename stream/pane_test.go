package stream_test

import (
	"fmt"
	"math"
	"testing"

	"goflink/stream"
)

// TestPaneString: a pane without bounds shows none.
func TestPaneString(t *testing.T) {
	for want, p := range map[string]stream.Pane[string, int]{
		"(a,1000,2000,3)": {Key: "a", Start: 1000, End: 2000, Value: 3},
		"(a,3)":           {Key: "a", Value: 3},
		"(g,3)":           {Key: "g", Start: math.MinInt64, End: math.MaxInt64, Value: 3},
	} {
		if got := fmt.Sprint(p); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for want, p := range map[string]stream.Pane[stream.NoKey, int]{
		"(1000,2000,3)": {Start: 1000, End: 2000, Value: 3},
		"3":             {Start: math.MinInt64, End: math.MaxInt64, Value: 3},
	} {
		if got := fmt.Sprint(p); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
