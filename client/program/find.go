package program

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"goflink/control"
)

// File is a job binary on the local disk.
type File struct {
	// Path is absolute, Name its last part as the user wrote it.
	Path, Name string
	// SHA256 is the digest of its content in hex, Size its length in bytes.
	SHA256 string
	Size   int64
	// Note is something the user should know, such as that X runs where X.jar
	// was named; empty mostly.
	Note string
}

// Find looks at the file that a user named as the program. The error says what
// is wrong with it and what to do.
func Find(path string) (*File, error) {
	f := &File{Path: path}
	info, err := os.Stat(path)
	if bare, isJar := strings.CutSuffix(path, ".jar"); isJar && errors.Is(err, fs.ErrNotExist) {
		if other, e := os.Stat(bare); e == nil && other.Mode().IsRegular() {
			f.Path, f.Note = bare, fmt.Sprintf("%s does not exist, %s does: running it.", path, bare)
			info, err = other, nil
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &missingError{path}
	case err != nil:
		return nil, fmt.Errorf("the program %s cannot be read: %w", path, err)
	case info.IsDir():
		return nil, fmt.Errorf("the program %s is a folder: give the path of a job binary, for example what go build -o %s makes of it", path, filepath.Base(path))
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("the program %s is not a regular file", path)
	}
	if f.Path, err = filepath.Abs(f.Path); err != nil {
		return nil, fmt.Errorf("the program %s: %w", path, err)
	}
	f.Name = filepath.Base(f.Path)
	if err := f.inspect(); err != nil {
		return nil, fmt.Errorf("the program %s %w", strings.TrimSpace(path), err)
	}
	if info.Mode().Perm()&0o111 == 0 {
		return nil, fmt.Errorf("the program %s is not executable: chmod +x %s", path, path)
	}
	return f, nil
}

// missingError is a program that is not there.
type missingError struct{ path string }

func (e *missingError) Error() string {
	return fmt.Sprintf("the program %s does not exist: give the path of a job binary (go build makes one of a main package that calls stream.Main)", e.path)
}

// Unwrap tells the kind of error.
func (e *missingError) Unwrap() error { return fs.ErrNotExist }

// inspect reads the file once: header, marker, digest.
func (f *File) inspect() error {
	file, err := os.Open(f.Path)
	if err != nil {
		return fmt.Errorf("cannot be opened: %w", err)
	}
	defer file.Close()
	header := make([]byte, 64)
	n, err := io.ReadFull(file, header)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return fmt.Errorf("cannot be read: %w", err)
	}
	if err := platform(header[:n], runtime.GOARCH); err != nil {
		return err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("cannot be read: %w", err)
	}
	digest := sha256.New()
	// Joined when it runs: the compiler would put the whole marker into bin/flink.
	scan := &markerScan{marker: append([]byte(control.MarkerHead), control.MarkerTail...)}
	if f.Size, err = io.CopyBuffer(io.MultiWriter(digest, scan), file, make([]byte, 1<<20)); err != nil {
		return fmt.Errorf("cannot be read: %w", err)
	}
	if !scan.found {
		return errors.New("is no goflink job: its main function has to call stream.Main, and it has to be built with the goflink module")
	}
	f.SHA256 = hex.EncodeToString(digest.Sum(nil))
	return nil
}

// markerScan looks for the marker in what is written to it, over the borders
// of the writes.
type markerScan struct {
	marker []byte
	tail   []byte // the end of what came before, shorter than the marker
	found  bool
}

// Write never fails.
func (s *markerScan) Write(p []byte) (int, error) {
	if s.found {
		return len(p), nil
	}
	keep := len(s.marker) - 1
	border := append(s.tail, p[:min(keep, len(p))]...)
	s.found = bytes.Contains(border, s.marker) || bytes.Contains(p, s.marker)
	if len(p) >= keep {
		s.tail = append(s.tail[:0], p[len(p)-keep:]...)
	} else {
		s.tail = append([]byte(nil), border[max(0, len(border)-keep):]...)
	}
	return len(p), nil
}

// buildHint is how a binary for a cluster is made.
const buildHint = "build it with CGO_ENABLED=0 GOOS=linux GOARCH=%s go build"

// platform tells by the first bytes of a file whether a Linux host of this
// architecture can execute it.
func platform(header []byte, goarch string) error {
	hint := fmt.Sprintf(buildHint, goarch)
	starts := func(magic string) bool { return bytes.HasPrefix(header, []byte(magic)) }
	switch {
	case len(header) == 0:
		return errors.New("is an empty file")
	case starts("PK\x03\x04"):
		return errors.New("is a jar: goflink runs Go programs, not Java's. Write the job against package stream and build it with go build; a job binary takes the place of the jar in all commands")
	case starts("MZ"):
		return errors.New("is built for Windows: " + hint)
	case starts("\xcf\xfa\xed\xfe"), starts("\xce\xfa\xed\xfe"), starts("\xca\xfe\xba\xbe"), starts("\xfe\xed\xfa"):
		return errors.New("is built for macOS: " + hint)
	case starts("#!"):
		return errors.New("is a script: give the job binary itself")
	case !starts(elf.ELFMAG):
		return errors.New("is no executable file: give a job binary, as go build makes it")
	case len(header) < 52:
		return errors.New("is cut off: copy or build it again")
	}
	return elfPlatform(header, goarch, hint)
}

func elfPlatform(header []byte, goarch, hint string) error {
	var order binary.ByteOrder = binary.LittleEndian
	if elf.Data(header[elf.EI_DATA]) == elf.ELFDATA2MSB {
		order = binary.BigEndian
	}
	kind, machine := elf.Type(order.Uint16(header[16:])), elf.Machine(order.Uint16(header[18:]))
	want := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[goarch]
	switch os := elf.OSABI(header[elf.EI_OSABI]); {
	case os != elf.ELFOSABI_NONE && os != elf.ELFOSABI_LINUX:
		return fmt.Errorf("is built for %s: %s", strings.TrimPrefix(os.String(), "ELFOSABI_"), hint)
	case machine != want || elf.Class(header[elf.EI_CLASS]) != elf.ELFCLASS64:
		return fmt.Errorf("is built for the architecture %s and this is %s: %s", archName(machine), goarch, hint)
	case kind != elf.ET_EXEC && kind != elf.ET_DYN:
		return fmt.Errorf("is an object file, not a program: %s", hint)
	}
	return nil
}

func archName(m elf.Machine) string {
	if name, ok := map[elf.Machine]string{elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64", elf.EM_386: "386", elf.EM_ARM: "arm"}[m]; ok {
		return name
	}
	return strings.ToLower(strings.TrimPrefix(m.String(), "EM_"))
}
