//go:build race

package lint

import (
	"fmt"
	"os"
	"testing"
)

// TestMain leaves the rules to make lint: they have no goroutines, and reading
// all sources under the race detector takes ten times as long.
func TestMain(*testing.M) {
	fmt.Println("the rules are checked without the race detector: make lint")
	os.Exit(0)
}
