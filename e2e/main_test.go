//go:build e2e

package e2e

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"goflink/internal/hadooptest"
	"goflink/internal/seeds"
	"goflink/internal/testbed"
)

// kills: `make torture-yarn KILLS=…` sets it through the environment.
var kills = flag.Int("kills", number("GOFLINK_KILLS", 10), "how many processes the kill tests kill in all")

func number(name string, def int) int {
	n, err := strconv.Atoi(os.Getenv(name))
	if err != nil {
		return def
	}
	return n
}

// jobs are the test programs by name.
var jobs map[string]string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	dir, err := os.MkdirTemp("", "goflink-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if jobs, err = testbed.BuildJobs(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	jobs["wordcount"] = filepath.Join(testbed.Root(), "bin", "examples", "streaming", "WordCount")
	jobs["components"] = filepath.Join(testbed.Root(), "bin", "examples", "batch", "ConnectedComponents")
	stop, err := testbed.StartReaper()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer stop()
	return hadooptest.Main(m)
}

// cluster is the cluster that all tests share: three nodes, large enough that
// tests beside each other do not wait for containers. Container folders stay
// for a quarter of an hour, so that a failed test can show their logs.
func cluster(t testing.TB) *hadooptest.Cluster {
	t.Helper()
	if os.Getenv("GOFLINK_HADOOP_BASE_PORT") != "" {
		return hadooptest.Start(t, hadooptest.Options{})
	}
	return hadooptest.Start(t, hadooptest.Options{Nodes: 3, MemoryMB: 24576, VCores: 32,
		Settings: map[string]string{"yarn.nodemanager.delete.debug-delay-sec": "900"}})
}

// onYarn is a test's place on the cluster.
func onYarn(t *testing.T) *testbed.Bed {
	t.Helper()
	return testbed.New(t, testbed.Options{Hadoop: cluster(t)})
}

// randomness is seeded; the seed is printed.
func randomness(t *testing.T) *rand.Rand { return rand.New(rand.NewPCG(seeds.One(t), 0)) }
