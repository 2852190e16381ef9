package launch

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
)

// self is this process's binary.
const self = "/proc/self/exe"

// ownDigest is the SHA-256 of this binary: what JobGraphs name programs by.
func ownDigest() (string, error) {
	f, err := os.Open(self)
	if err != nil {
		return "", fmt.Errorf("reading this program: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("reading this program: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
