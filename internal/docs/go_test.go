package docs

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// imports are the packages that fragments may use, by the name before the dot.
var imports = map[string]string{
	"stream": "goflink/stream", "streamtest": "goflink/stream/streamtest",
	"context": "context", "errors": "errors", "fmt": "fmt", "math": "math", "slices": "slices", "strconv": "strconv", "strings": "strings", "time": "time",
}

var qualifier = regexp.MustCompile(`\b([a-z]+)\.[A-Z]`)

// importsOf are the imports that a fragment needs.
func importsOf(text string) string {
	var out []string
	for _, m := range qualifier.FindAllStringSubmatch(text, -1) {
		if path := imports[m[1]]; path != "" && !slices.Contains(out, path) {
			out = append(out, path)
		}
	}
	slices.Sort(out)
	var b strings.Builder
	for _, p := range out {
		fmt.Fprintf(&b, "import %q\n", p)
	}
	return b.String()
}

// fragment makes a file of a Go block: as it is, of declarations, or of the
// statements of a build function.
func fragment(b block) (string, error) {
	if strings.HasPrefix(b.text, "package ") || b.attrs["file"] != "" {
		return b.text, nil
	}
	decls := "package main\n\n" + importsOf(b.text+b.with) + b.text
	if _, err := parser.ParseFile(token.NewFileSet(), "", decls, 0); err == nil {
		return decls, nil
	}
	params := "env *stream.Env"
	if b.with != "" {
		params += ", " + b.with
	}
	body := "func _(" + params + ") {\n" + b.text
	f, err := parser.ParseFile(token.NewFileSet(), "", "package main\n"+body+"}\n", 0)
	if err != nil {
		return "", err
	}
	for _, s := range f.Decls[0].(*ast.FuncDecl).Body.List {
		if a, ok := s.(*ast.AssignStmt); ok && a.Tok == token.DEFINE {
			for _, l := range a.Lhs { // examples may leave what they made
				body += "_ = " + l.(*ast.Ident).Name + "\n"
			}
		}
	}
	return "package main\n\n" + importsOf(body) + body + "}\n", nil
}

// TestGoBlocksCompile type-checks the Go blocks of each page: those that are whole
// files of a package each, the others of a page together.
func TestGoBlocksCompile(t *testing.T) {
	set := token.NewFileSet()
	packages := map[string][]*ast.File{}
	for i, p := range pages(t) {
		for j, b := range p.blocks {
			if b.lang != "go" {
				continue
			}
			text, err := fragment(b)
			if err != nil {
				t.Errorf("%s:%d: %v", p.name, b.line, err)
				continue
			}
			pkg := fmt.Sprintf("page%d", i)
			if b.attrs["file"] == "" && strings.HasPrefix(b.text, "package ") {
				pkg = fmt.Sprintf("page%dblock%d", i, j)
			}
			// Lines count from the begin of the block.
			f, err := parser.ParseFile(set, fmt.Sprintf("%s, block at line %d", p.name, b.line), text, parser.SkipObjectResolution)
			if err != nil {
				t.Errorf("%v", err)
				continue
			}
			packages[pkg] = append(packages[pkg], f)
		}
	}
	if len(packages) == 0 {
		t.Fatal("no Go blocks were found")
	}
	check := types.Config{Importer: compiled(t, set, packages), Error: func(err error) { t.Errorf("%v", err) }}
	for name, files := range packages {
		_, _ = check.Check(name, set, files, nil) // Error has them all
	}
}

// compiled imports what the files import from what the go command has compiled for
// these tests: with the race detector when they run under it.
func compiled(t *testing.T, set *token.FileSet, packages map[string][]*ast.File) types.Importer {
	t.Helper()
	args := []string{"list", "-export", "-deps", "-f", "{{if .Export}}{{.ImportPath}}={{.Export}}{{end}}"}
	if race {
		args = append(args, "-race")
	}
	var paths []string
	for _, files := range packages {
		for _, f := range files {
			for _, i := range f.Imports {
				paths = append(paths, strings.Trim(i.Path.Value, `"`))
			}
		}
	}
	slices.Sort(paths)
	cmd := exec.Command("go", append(args, slices.Compact(paths)...)...)
	cmd.Dir, cmd.Stderr = root, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	exports := map[string]string{}
	for line := range strings.Lines(string(out)) {
		if path, file, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			exports[path] = file
		}
	}
	return importer.ForCompiler(set, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
}
