//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"goflink/internal/testbed"
)

// TestRegions runs two pipelines of which one fails three times: the tasks of the
// other one are started once, and both write each record once.
func TestRegions(t *testing.T) {
	t.Parallel()
	b := testbed.New(t, testbed.Options{Conf: map[string]string{"execution.checkpointing.interval": "200 ms", "parallelism.default": "2",
		"restart-strategy.type": "fixed-delay", "restart-strategy.fixed-delay.attempts": "100", "restart-strategy.fixed-delay.delay": "50 ms",
		"taskmanager.numberOfTaskSlots": "2"}})
	marks, out := filepath.Join(b.Home, "marks"), filepath.Join(b.Home, "out")
	b.Must(os.Mkdir(marks, 0o755))
	const records, keys = 20_000, 100
	b.Run(testbed.Command{}, jobs["twins"], "--marks", marks, "--output", out, "--records", fmt.Sprint(records)).OK(t)
	for side, starts := range map[string]int{"left": 4, "right": 1} {
		want, got := map[string]int{}, map[string]int{}
		for i := range records {
			want[fmt.Sprintf("%d %d", i%keys, i/keys+1)]++
		}
		b.Lines(b.Local(), filepath.Join(out, side), func(line []byte) { got[string(line)]++ })
		compare(t, side, got, want)
		for subtask := range 2 {
			if list, err := filepath.Glob(filepath.Join(marks, fmt.Sprintf("%s-%d-started-*", side, subtask))); err != nil || len(list) != starts {
				t.Errorf("%v %v, want %d starts", list, err, starts)
			}
		}
	}
}
