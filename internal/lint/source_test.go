package lint

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// goFile is one parsed Go file of the repository.
type goFile struct {
	path      string // from the root, with slashes
	dir       string // folder of path, "." for the root
	src       []byte
	fset      *token.FileSet
	ast       *ast.File
	generated bool
	test      bool
}

// line is the line number of a position in f.
func (f *goFile) line(p token.Pos) int { return f.fset.Position(p).Line }

var generatedRE = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

// skippedDirs are never part of the sources.
var skippedDirs = map[string]bool{".git": true, "bin": true, "dist": true, "log": true, "node_modules": true}

// root is the repository's folder.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		t.Fatalf("this test must run in internal/lint of the repository: %v", err)
	}
	return dir
}

// walk calls visit for every regular file of the repository.
func walk(t *testing.T, visit func(path string, data []byte)) {
	t.Helper()
	top := root(t)
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(top, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if skippedDirs[rel] {
				return filepath.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() || rel == ".git" { // a file in a linked work tree
			return nil
		}
		data, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			return nil // an editor's temporary file
		}
		if err != nil {
			return err
		}
		visit(filepath.ToSlash(rel), data)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

var parsed struct {
	once  sync.Once
	files []*goFile
	fails []string
}

// goFiles parses the repository once for all rules.
func goFiles(t *testing.T) []*goFile {
	t.Helper()
	parsed.once.Do(func() {
		walk(t, func(path string, data []byte) {
			if !strings.HasSuffix(path, ".go") || strings.Contains(path, "/testdata/") {
				return
			}
			f := &goFile{
				path: path, dir: filepath.ToSlash(filepath.Dir(path)), src: data, fset: token.NewFileSet(),
				generated: generatedRE.Match(data), test: strings.HasSuffix(path, "_test.go"),
			}
			var err error
			if f.ast, err = parser.ParseFile(f.fset, path, data, parser.ParseComments); err != nil {
				parsed.fails = append(parsed.fails, err.Error())
				return
			}
			parsed.files = append(parsed.files, f)
		})
	})
	for _, e := range parsed.fails {
		t.Errorf("does not parse: %s", e)
	}
	return parsed.files
}

// written returns the files that people write: not the generated ones.
func written(t *testing.T) []*goFile {
	t.Helper()
	var out []*goFile
	for _, f := range goFiles(t) {
		if !f.generated {
			out = append(out, f)
		}
	}
	return out
}
