package standalone

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestSecret(t *testing.T) {
	dir := t.TempDir()
	if _, err := LoadSecret(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	var secrets [8]string
	var wg sync.WaitGroup
	for i := range secrets {
		wg.Go(func() {
			s, err := EnsureSecret(dir)
			if err != nil {
				t.Error(err)
			}
			secrets[i] = string(s)
		})
	}
	wg.Wait()
	for _, s := range secrets {
		if s != secrets[0] || len(s) != 32 {
			t.Fatalf("several secrets: %q", secrets)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Errorf("%v, %v", files, err)
	}
	path := filepath.Join(dir, SecretFile)
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadSecret(dir); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(path, []byte("zz"), 0o600); err != nil || os.Chmod(path, 0o600) != nil {
		t.Fatal(err)
	}
	if _, err := EnsureSecret(dir); err == nil || !strings.Contains(err.Error(), "holds no secret") {
		t.Errorf("got %v", err)
	}
}
