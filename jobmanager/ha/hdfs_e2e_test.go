//go:build e2e

package ha

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"goflink/internal/hadooptest"
)

func TestMain(m *testing.M) { os.Exit(hadooptest.Main(m)) }

// TestPausedLeaderOnHDFS is TestPausedLeader on a real NameNode.
func TestPausedLeaderOnHDFS(t *testing.T) {
	c := hadooptest.Start(t, hadooptest.Options{})
	pausedLeader(t, c.FS(), fmt.Sprintf("/tmp/ha-test-%x", rand.Uint64()))
}
