package hdfsstore_test

import (
	"testing"

	"goflink/hdfsstore"
	"goflink/hdfsstore/fstest"
)

func TestLocal(t *testing.T) {
	fstest.Run(t, hdfsstore.Local{}, t.TempDir())
}
