package rest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

const sha256Digits = 2 * sha256.Size

// ErrDigest says that a program's bytes do not have the digest they were sent under.
var ErrDigest = errors.New("the bytes do not have the SHA-256 they were sent under")

// verifying fails at the end of a stream whose digest is not the expected one.
type verifying struct {
	r    io.Reader
	h    hash.Hash
	want string
}

func newVerifying(r io.Reader, want string) *verifying {
	return &verifying{r: r, h: sha256.New(), want: want}
}

func (v *verifying) Read(p []byte) (int, error) {
	n, err := v.r.Read(p)
	v.h.Write(p[:n])
	if errors.Is(err, io.EOF) && hex.EncodeToString(v.h.Sum(nil)) != v.want {
		return n, ErrDigest
	}
	return n, err
}

// ProgramDir is a ProgramStore in a local folder: one file a program, named by its digest.
type ProgramDir struct {
	dir string
}

// NewProgramDir makes the folder where it is missing, and removes what a former process left half written.
func NewProgramDir(dir string) (*ProgramDir, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("program store %s: %w", dir, err)
	}
	halves, err := filepath.Glob(filepath.Join(dir, "*"+partSuffix))
	if err != nil {
		return nil, fmt.Errorf("program store %s: %w", dir, err)
	}
	for _, h := range halves {
		if err := os.Remove(h); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("program store %s: %w", dir, err)
		}
	}
	return &ProgramDir{dir: dir}, nil
}

// partSuffix ends the names of files that are being written.
const partSuffix = ".part"

// Path returns the file of a program, whether it is there or not.
func (d *ProgramDir) Path(sha256 string) string { return filepath.Join(d.dir, sha256) }

// Stat implements ProgramStore.
func (d *ProgramDir) Stat(_ context.Context, sha256 string) (int64, error) {
	info, err := os.Stat(d.Path(sha256))
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Open implements ProgramStore.
func (d *ProgramDir) Open(_ context.Context, sha256 string) (io.ReadSeekCloser, error) {
	return os.Open(d.Path(sha256))
}

// Put implements ProgramStore: the file gets its name once its bytes are on disk and r has ended well.
func (d *ProgramDir) Put(ctx context.Context, sha256 string, r io.Reader) (err error) {
	f, err := os.CreateTemp(d.dir, sha256+".*"+partSuffix)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = io.Copy(f, r)
	if err == nil {
		err = errors.Join(f.Chmod(0o500), f.Sync())
	}
	if err = errors.Join(err, f.Close(), ctx.Err()); err != nil {
		return err
	}
	return os.Rename(f.Name(), d.Path(sha256))
}

// digest reads the digest from the path.
func (s *Server) digest(r *http.Request) (string, error) {
	if s.o.Programs == nil {
		return "", NotFound("This cluster takes no uploaded programs; stage them in the shared file system.")
	}
	sha := r.PathValue("sha256")
	if !isHex(sha, sha256Digits) {
		return "", BadRequest("%q is not a SHA-256 of 64 hexadecimal digits.", sha)
	}
	return sha, nil
}

// getProgram sends a program to a worker, or, to a HEAD request, tells a client that it need not upload it.
func (s *Server) getProgram(w http.ResponseWriter, r *http.Request) {
	sha, err := s.digest(r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	f, err := s.o.Programs.Open(r.Context(), sha)
	if errors.Is(err, fs.ErrNotExist) {
		err = NotFound("The program %s is not here.", sha)
	}
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	defer s.closing(f, r)
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("ETag", strconv.Quote(sha))
	http.ServeContent(rollingWriter{w, func() { s.deadlines(w, chunkTimeout) }}, r, "", time.Time{}, f)
}

// putProgram receives a program. It is stored when its bytes have the digest of the path, and only then.
func (s *Server) putProgram(w http.ResponseWriter, r *http.Request) {
	sha, err := s.digest(r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	if _, err := s.o.Programs.Stat(r.Context(), sha); err == nil {
		s.write(w, r, http.StatusOK, Empty{})
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, s.maxFile)
	err = s.o.Programs.Put(r.Context(), sha, newVerifying(s.slowBody(w, r.Body), sha))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, ErrDigest):
		err = BadRequest("The program was not stored: %v (%s).", err, sha)
	case errors.As(err, &tooLarge):
		err = bodyError(err)
	}
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	s.o.Log.Info("a program was uploaded", "sha256", sha, "from", r.RemoteAddr)
	s.write(w, r, http.StatusCreated, Empty{})
}
