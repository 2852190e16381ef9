package law

import (
	"fmt"
	"strings"
	"time"
)

// start is the clock of all runs.
var start = time.UnixMilli(24 * 60 * 60 * 1000)

// check compares what the sinks wrote with what they must.
func check(s *Spec, f *Faults, out *outputs) error {
	got := make([][]string, len(s.Sinks))
	for i, k := range s.Sinks {
		lines, err := out.of(i, k)
		if err != nil {
			return err
		}
		got[i] = lines
	}
	undisturbed := len(f.Attempts) == 1 && !f.Again
	switch s.Class {
	case Late:
		return checkLate(s, got, undisturbed)
	case Idle:
		return checkIdle(s, got, start)
	}
	for i, want := range Expect(s) {
		exactly := s.Sinks[i].Kind == "files" || undisturbed
		if err := compare(got[i], want, exactly); err != nil {
			return fmt.Errorf("sink %d (%s): %w", i, s.Sinks[i].Kind, err)
		}
	}
	return nil
}

// mostShown is how many lines of a difference are shown.
const mostShown = 6

// compare compares multisets of lines; without exactly, got may hold a line more
// often than wanted, since its sink writes again what a restored job computes
// again.
func compare(got, want []string, exactly bool) error {
	counts := map[string]int{}
	for _, l := range want {
		counts[l]++
	}
	wanted := map[string]bool{}
	for _, l := range want {
		wanted[l] = true
	}
	for _, l := range got {
		counts[l]--
	}
	var missing, extra []string
	for l, n := range counts {
		if n > 0 {
			missing = append(missing, fmt.Sprintf("missing %d times: %s", n, l))
		}
		if n < 0 && (exactly || !wanted[l]) {
			extra = append(extra, fmt.Sprintf("%d times too much: %s", -n, l))
		}
	}
	if len(missing)+len(extra) == 0 {
		return nil
	}
	return fmt.Errorf("%d lines, want %d; %d differ:\n    %s", len(got), len(want), len(missing)+len(extra),
		strings.Join(append(shown(missing), shown(extra)...), "\n    "))
}

func shown(lines []string) []string { return lines[:min(len(lines), mostShown)] }
