package stream

import (
	"encoding/hex"
	"testing"

	"goflink/codec"
	"goflink/dataflow"
)

// TestFileStateOfVersion1 reads a pending part as version 1 wrote it: without a
// schema beside it.
func TestFileStateOfVersion1(t *testing.T) {
	const v1 = "0b686466733a2f2f2f6f75741b2f6f75742f2e706172742d782d302e696e70726f67726573732e790d2f6f75742f706172742d782d30f2c001effdb6f50d"
	item, err := hex.DecodeString(v1)
	if err != nil {
		t.Fatal(err)
	}
	c, err := codec.For[pendingFile]()
	if err != nil {
		t.Fatal(err)
	}
	want := pendingFile{URI: "hdfs:///out", Tmp: "/out/.part-x-0.inprogress.y", Final: "/out/part-x-0", Length: 12345, CRC: 0xdeadbeef}
	got, err := decodeList([]dataflow.ListState{{Name: "pending", Mode: dataflow.ListSplit, Items: [][]byte{item}}}, pendingState, c)
	if err != nil || len(got) != 1 || got[0] != want {
		t.Errorf("%x: %+v, %v (now it would be %x)", item, got, err, c.Append(nil, &want))
	}
}
