package testbed

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"

	"goflink/hdfsstore"
)

// URI is a path in the test's HDFS folder as hdfs://….
func (b *Bed) URI(name string) string { return b.Cluster.URI(path.Join(b.Dir, name)) }

// FS is HDFS as the user sees it.
func (b *Bed) FS() hdfsstore.FS { return b.fs }

// StagingDir is the folder of an application in the user's staging area.
func (b *Bed) StagingDir(app string) string { return path.Join(b.StagingRoot(), app) }

// StagingRoot is the user's staging area.
func (b *Bed) StagingRoot() string { return "/user/" + User + "/.flink" }

// Local opens local folders as hdfsstore does.
func (b *Bed) Local() hdfsstore.FS {
	b.T.Helper()
	r := hdfsstore.NewResolver(hdfsstore.Options{})
	b.T.Cleanup(func() { b.Must(r.Close()) })
	fsys, _, err := r.For("/")
	b.must(err)
	return fsys
}

// Lines calls f with each line of the visible files of a folder. Names that
// begin with "." or "_" are not visible: they wait for a checkpoint, or belong
// to an attempt that died.
func (b *Bed) Lines(fsys hdfsstore.FS, dir string, f func(line []byte)) (files int) {
	b.T.Helper()
	list, err := fsys.List(b.T.Context(), dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0
	}
	b.must(err)
	for _, info := range list {
		if strings.HasPrefix(info.Name, ".") || strings.HasPrefix(info.Name, "_") {
			continue
		}
		name := path.Join(dir, info.Name)
		if info.IsDir {
			files += b.Lines(fsys, name, f)
			continue
		}
		files++
		b.fileLines(fsys, name, f)
	}
	return files
}

func (b *Bed) fileLines(fsys hdfsstore.FS, name string, f func(line []byte)) {
	b.T.Helper()
	in, err := fsys.Open(b.T.Context(), name)
	b.must(err)
	defer in.Close()
	sc := bufio.NewScanner(bufio.NewReaderSize(in, 1<<20))
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		f(sc.Bytes())
	}
	b.must(sc.Err())
}

// WriteFile writes a file into the test's folder.
func (b *Bed) WriteFile(name string, write func(w io.Writer) error) {
	b.T.Helper()
	w, err := b.fs.Create(b.T.Context(), path.Join(b.Dir, name), hdfsstore.CreateOptions{})
	b.must(err)
	out := bufio.NewWriterSize(w, 1<<20)
	err = write(out)
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		_ = w.Abort() // the test ends anyway
		b.T.Fatal(err)
	}
	b.must(w.Close())
}

// Files are all files in a folder of HDFS and below it.
func (b *Bed) Files(dir string) []string {
	b.T.Helper()
	list, err := b.fs.List(b.T.Context(), dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	b.must(err)
	var out []string
	for _, info := range list {
		if name := path.Join(dir, info.Name); info.IsDir {
			out = append(out, b.Files(name)...)
		} else {
			out = append(out, name)
		}
	}
	return out
}
