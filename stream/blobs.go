package stream

import (
	"encoding/binary"
	"fmt"
)

// blobsVersion is the first byte of encoded blobs: a list of byte strings, each
// behind its length as a uvarint. It is how enumerators keep splits.
const blobsVersion = 1

func encodeBlobs(blobs [][]byte) []byte {
	out := []byte{blobsVersion}
	for _, b := range blobs {
		out = append(binary.AppendUvarint(out, uint64(len(b))), b...)
	}
	return out
}

func decodeBlobs(data []byte) ([][]byte, error) {
	if len(data) == 0 || data[0] != blobsVersion {
		return nil, fmt.Errorf("damaged split list: version %v, want %d", data[:min(1, len(data))], blobsVersion)
	}
	var out [][]byte
	for data = data[1:]; len(data) > 0; {
		l, n := binary.Uvarint(data)
		if n <= 0 || l > uint64(len(data)-n) {
			return nil, fmt.Errorf("damaged split list: a split of %d bytes with %d left", l, len(data))
		}
		out = append(out, data[n:n+int(l)])
		data = data[n+int(l):]
	}
	return out, nil
}
