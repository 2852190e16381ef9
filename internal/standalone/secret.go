// Package standalone knows where a cluster that is not on YARN keeps its
// secret: in a file of its configuration folder, which all its hosts and the
// clients that may change it have. The JobManager makes the file when it is
// missing; TaskManagers and clients read it.
//
// It has no goroutines and no state.
package standalone

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"goflink/control"
)

// SecretFile is the file's name. It holds hexadecimal digits and is readable
// for its owner only.
const SecretFile = "cluster.secret"

// maxSecret bounds what is read of it.
const maxSecret = 4096

// LoadSecret reads the secret from a configuration folder. A missing file is
// fs.ErrNotExist.
func LoadSecret(confDir string) (control.Secret, error) {
	path := filepath.Join(confDir, SecretFile)
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("the cluster's secret: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("the cluster's secret: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("the cluster's secret %s can be read by others: chmod 600 %s, after replacing it if that was so for long", path, path)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSecret))
	if err != nil {
		return nil, fmt.Errorf("the cluster's secret %s: %w", path, err)
	}
	secret, err := hex.DecodeString(strings.TrimSpace(string(data)))
	if err != nil || len(secret) < control.SecretSize/2 {
		return nil, fmt.Errorf("%s holds no secret: at least %d hexadecimal digits are expected; remove the file and start the JobManager to have a new one made", path, control.SecretSize)
	}
	return secret, nil
}

// EnsureSecret is LoadSecret, and makes the secret when the file is missing.
func EnsureSecret(confDir string) (control.Secret, error) {
	secret, err := LoadSecret(confDir)
	if !errors.Is(err, fs.ErrNotExist) {
		return secret, err
	}
	if secret, err = control.NewSecret(); err != nil {
		return nil, err
	}
	path := filepath.Join(confDir, SecretFile)
	tmp, err := os.CreateTemp(confDir, SecretFile+".*") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("making the cluster's secret: %w", err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(hex.EncodeToString(secret) + "\n")
	if err = errors.Join(err, tmp.Close()); err != nil {
		return nil, fmt.Errorf("making the cluster's secret: %w", err)
	}
	// A link, unlike a rename, does not replace what another process made.
	if err := os.Link(tmp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("making the cluster's secret: %w", err)
	}
	return LoadSecret(confDir)
}
