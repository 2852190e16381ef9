package lint

import (
	"go/ast"
	"go/format"
	"strconv"
	"strings"
	"testing"
)

// module is the prefix of our own import paths.
const module = "goflink/"

// layers is the package map, top first: a package imports packages of lower
// layers, or below its own folder, never upwards or sideways.
var layers = [][]string{
	{"cmd", "e2e", "benchmark", "examples"},
	{"client", "appmaster"},
	{"launch"},
	{"jobmanager", "taskmanager"},
	{"stream"},
	{"dataflow"},
	{"graph"},
	{"state"},
	{"codec"},
	{"control"},
	{"hdfsstore"},
	{"yarnrpc"},
	{"hadooprpc"},
	{"metrics"},
	{"conf"},
}

// crossings are the imports that go upwards or sideways, with their reason.
var crossings = map[[2]string]string{
	{"client", "appmaster/spec"}:      "what the client writes and the ApplicationMaster reads, without code of either",
	{"appmaster", "client/program"}:   "application mode: the ApplicationMaster plans the program, as the client does elsewhere",
	{"taskmanager", "appmaster/spec"}: "the names of what the ApplicationMaster puts into a container",
	{"taskmanager", "jobmanager/ha"}:  "the leader's file, in which a container finds the next ApplicationMaster",
	{"stream", "launch"}:              "stream.Main hands over to the roles of a job binary; launch does not import stream",
}

// layerOf returns the layer of a folder of the repository, and whether the map
// has it.
func layerOf(dir string) (int, bool) {
	top, _, _ := strings.Cut(dir, "/")
	for i, l := range layers {
		for _, d := range l {
			if d == top {
				return i, true
			}
		}
	}
	return 0, false
}

func allowedImport(from, to string) bool {
	topFrom, _, _ := strings.Cut(from, "/")
	topTo, _, _ := strings.Cut(to, "/")
	if topFrom == topTo || crossings[[2]string{topFrom, to}] != "" || topFrom == "internal" || topTo == "internal" {
		return true
	}
	a, okA := layerOf(from)
	b, okB := layerOf(to)
	return okA && okB && a < b
}

func TestImportDirection(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.test {
			continue // tests may import fakes and real peers
		}
		if _, ok := layerOf(f.dir); !ok && !strings.HasPrefix(f.dir, "internal/") {
			t.Errorf("%s: folder %q is in no layer: add it to the map in internal/lint/layout_test.go", f.path, f.dir)
		}
		for _, spec := range f.ast.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			to, own := strings.CutPrefix(path, module)
			if own && !allowedImport(f.dir, to) {
				t.Errorf("%s:%d: %s imports %s, which is above or beside it", f.path, f.line(spec.Pos()), f.dir, to)
			}
		}
	}
}

func TestNoCatchAllPackages(t *testing.T) {
	for _, f := range goFiles(t) {
		switch f.ast.Name.Name {
		case "util", "utils", "common", "helpers", "misc":
			t.Errorf("%s: a package named %s says nothing: name it after what it owns", f.path, f.ast.Name.Name)
		}
	}
}

func TestPackageComments(t *testing.T) {
	has := map[string]bool{}
	for _, f := range goFiles(t) {
		if f.test {
			continue
		}
		ok := f.ast.Doc != nil && strings.HasPrefix(f.ast.Doc.Text(), "Package ")
		if f.ast.Name.Name == "main" {
			ok = f.ast.Doc != nil
		}
		has[f.dir] = has[f.dir] || ok
	}
	for dir, ok := range has {
		if !ok {
			t.Errorf("%s: no package comment: what it owns, who calls it, its goroutines, locks and invariants", dir)
		}
	}
}

func TestExportedNamesHaveComments(t *testing.T) {
	for _, f := range written(t) {
		if f.test || f.ast.Name.Name == "main" {
			continue
		}
		for _, decl := range f.ast.Decls {
			for _, name := range undocumented(decl) {
				t.Errorf("%s:%d: exported %s has no comment", f.path, f.line(name.Pos()), name.Name)
			}
		}
	}
}

// undocumented lists the exported functions and types that decl declares
// without a comment. Methods are left out: many only satisfy an interface.
func undocumented(decl ast.Decl) []*ast.Ident {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil && d.Name.IsExported() && d.Doc == nil {
			return []*ast.Ident{d.Name}
		}
	case *ast.GenDecl:
		var out []*ast.Ident
		for _, s := range d.Specs {
			ts, ok := s.(*ast.TypeSpec)
			if ok && ts.Name.IsExported() && d.Doc == nil && ts.Doc == nil && ts.Comment == nil {
				out = append(out, ts.Name)
			}
		}
		return out
	}
	return nil
}

const (
	maxFunctionLines = 70  // one screen and a half; half of the models' functions have less than 10
	maxFileLines     = 500 // one type or one family of operators
)

func TestFunctionLength(t *testing.T) {
	for _, f := range written(t) {
		for _, decl := range f.ast.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := f.line(fn.End()) - f.line(fn.Pos()) + 1; n > maxFunctionLines {
				t.Errorf("%s:%d: %s has %d lines, at most %d", f.path, f.line(fn.Pos()), fn.Name.Name, n, maxFunctionLines)
			}
		}
	}
}

func TestFileLength(t *testing.T) {
	for _, f := range written(t) {
		if n := strings.Count(string(f.src), "\n"); n > maxFileLines {
			t.Errorf("%s has %d lines, at most %d: one file holds one type or one family of operators", f.path, n, maxFileLines)
		}
	}
}

func TestFormatted(t *testing.T) {
	for _, f := range goFiles(t) {
		want, err := format.Source(f.src)
		if err != nil {
			t.Errorf("%s: %v", f.path, err)
			continue
		}
		if string(want) != string(f.src) {
			t.Errorf("%s is not formatted: gofmt -w %s", f.path, f.path)
		}
	}
}
