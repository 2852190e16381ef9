package ha

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"goflink/hadooprpc"
	"goflink/hdfsstore"
)

// TestPausedLeaderOnHDFS is TestPausedLeader on a real NameNode.
func TestPausedLeaderOnHDFS(t *testing.T) {
	if os.Getenv("GOFLINK_TEST_HDFS") == "" {
		t.Skip(`needs a real HDFS: scripts/hadoop/hadoop-local start; eval "$(scripts/hadoop/hadoop-local env)"; GOFLINK_TEST_HDFS=1 go test ./jobmanager/ha`)
	}
	conf, err := hadooprpc.FindConf(os.Getenv, "")
	ok(t, err)
	r := hdfsstore.NewResolver(hdfsstore.Options{Hadoop: conf})
	fsys, _, err := r.Default()
	ok(t, err)
	t.Cleanup(func() { ok(t, r.Close()) })
	pausedLeader(t, fsys, fmt.Sprintf("/tmp/ha-test-%x", rand.Uint64()))
}

// TestPausedLeaderOnDisk is the same on the local file system.
func TestPausedLeaderOnDisk(t *testing.T) {
	pausedLeader(t, hdfsstore.Local{}, t.TempDir())
}

func pausedLeader(t *testing.T, fsys hdfsstore.FS, base string) {
	t.Cleanup(func() {
		if err := fsys.Delete(t.Context(), base, true); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
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
