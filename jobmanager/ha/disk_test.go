package ha

import (
	"errors"
	"fmt"
	"testing"

	"goflink/hdfsstore"
)

// TestPausedLeaderOnDisk is TestPausedLeader on the local file system.
func TestPausedLeaderOnDisk(t *testing.T) {
	pausedLeader(t, hdfsstore.Local{}, t.TempDir())
}

func pausedLeader(t *testing.T, fsys hdfsstore.FS, base string) {
	ok(t, fsys.Mkdir(t.Context(), base, 0o700))
	for at := 0; ; at++ {
		w := newWorld(t, fsys, fmt.Sprintf("%s/%d", base, at))
		old := &actor{}
		w.old(w.first(old), old)
		finished := old.stopAfter(at)
		pausedAt := old.next
		successor := w.attempt(2)
		successor.start()
		successor.release()
		old.release()
		w.trace = []string{"paused at " + pausedAt}
		w.check(2)
		if finished {
			t.Logf("paused at %d places", at)
			break
		}
		if w.errs[1] != nil && !errors.Is(w.errs[1], ErrFenced) {
			w.fatalf("the old leader ended with %v", w.errs[1])
		}
	}
	ok(t, fsys.Delete(t.Context(), base, true))
}
