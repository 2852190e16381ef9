package memfs_test

import (
	"testing"

	"goflink/hdfsstore/fstest"
	"goflink/hdfsstore/memfs"
)

func TestMemory(t *testing.T) {
	m := memfs.New()
	if err := m.Mkdir(t.Context(), "/tmp", 0o755); err != nil {
		t.Fatal(err)
	}
	fstest.Run(t, m, "/tmp")
}
