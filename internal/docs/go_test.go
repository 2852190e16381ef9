package docs

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
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

// TestGoBlocksCompile type-checks the Go blocks of each page, as a package that
// lies in the repository for the go command only.
func TestGoBlocksCompile(t *testing.T) {
	abs, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	replace := map[string]string{}
	packages, programs := map[string]bool{}, map[string]bool{}
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
			pkg, name := fmt.Sprintf("page%d", i), strings.ReplaceAll(b.attrs["file"], "_test.go", "_tests.go") // go build leaves tests out
			if name == "" {
				name = fmt.Sprintf("fragment%d.go", j)
				if strings.HasPrefix(b.text, "package ") {
					pkg = fmt.Sprintf("page%dblock%d", i, j)
				}
			}
			file := filepath.Join(dir, fmt.Sprintf("%d-%d.go", i, j))
			if err := os.WriteFile(file, []byte("//line "+p.name+":1\n"+text), 0o644); err != nil {
				t.Fatal(err)
			}
			replace[filepath.Join(abs, "internal", "docs", pkg, name)] = file
			packages["./internal/docs/"+pkg] = true
			programs[pkg] = programs[pkg] || strings.Contains(text, "func main()")
		}
	}
	for pkg, complete := range programs {
		if complete {
			continue
		}
		file := filepath.Join(dir, pkg+".go")
		if err := os.WriteFile(file, []byte("package main\n\nfunc main() {}\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		replace[filepath.Join(abs, "internal", "docs", pkg, "no_main.go")] = file
	}
	build(t, abs, dir, replace, packages)
}

func build(t *testing.T, abs, dir string, replace map[string]string, packages map[string]bool) {
	t.Helper()
	data, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, data, 0o644); err != nil {
		t.Fatal(err)
	}
	if len(packages) == 0 {
		t.Fatal("no Go blocks were found")
	}
	args := []string{"build", "-overlay", overlay, "./conf"} // of several packages nothing is linked
	for p := range packages {
		args = append(args, p)
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = abs
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("go build: %v (lines count from the begin of the block)\n%s", err, out)
	}
}
