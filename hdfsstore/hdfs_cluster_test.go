package hdfsstore_test

import (
	"os"
	"testing"

	"goflink/hadooprpc"
	"goflink/hdfsstore"
	"goflink/hdfsstore/fstest"
)

// cluster is the file system of the cluster that HADOOP_CONF_DIR describes, when
// GOFLINK_TEST_HDFS is set; see scripts/hadoop.
func cluster(t *testing.T) (hdfsstore.FS, string) {
	t.Helper()
	if os.Getenv("GOFLINK_TEST_HDFS") == "" {
		t.Skip(`needs a real HDFS: scripts/hadoop/hadoop-local start; eval "$(scripts/hadoop/hadoop-local env)"; GOFLINK_TEST_HDFS=1 go test ./hdfsstore/...`)
	}
	conf, err := hadooprpc.FindConf(os.Getenv, "")
	if err != nil {
		t.Fatal(err)
	}
	r := hdfsstore.NewResolver(hdfsstore.Options{Hadoop: conf})
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	fsys, p, err := r.For("hdfs:///tmp")
	if err != nil {
		t.Fatal(err)
	}
	return fsys, p
}

func TestHDFS(t *testing.T) {
	fsys, dir := cluster(t)
	fstest.Run(t, fsys, dir)
}
