package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"goflink/conf"
)

var codeRE = regexp.MustCompile("`([^`]+)`")

// inline calls f for every piece of inline code.
func (p *page) inline(f func(code string, line int)) {
	for i, l := range p.prose {
		for _, m := range codeRE.FindAllStringSubmatch(l, -1) {
			f(m[1], i+1)
		}
	}
}

// exported are the names of a package: functions and types, and "Type.Member".
func exported(t *testing.T, dir string) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	files, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(set, file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		collect(f, names)
	}
	return names
}

func collect(f *ast.File, names map[string]bool) {
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			name := d.Name.Name
			if d.Recv != nil {
				name = receiver(d.Recv.List[0].Type) + "." + name
			}
			names[name] = true
		case *ast.GenDecl:
			for _, s := range d.Specs {
				spec, ok := s.(*ast.TypeSpec)
				if !ok {
					continue
				}
				names[spec.Name.Name] = true
				if st, ok := spec.Type.(*ast.StructType); ok {
					for _, field := range st.Fields.List {
						for _, n := range field.Names {
							names[spec.Name.Name+"."+n.Name] = true
						}
					}
				}
			}
		}
	}
}

func receiver(e ast.Expr) string {
	switch x := e.(type) {
	case *ast.StarExpr:
		return receiver(x.X)
	case *ast.IndexExpr:
		return receiver(x.X)
	case *ast.IndexListExpr:
		return receiver(x.X)
	case *ast.Ident:
		return x.Name
	}
	return ""
}

var (
	functionRE = regexp.MustCompile(`\bstream\.([A-Z]\w*)`)
	memberRE   = regexp.MustCompile(`(?:^|[^.\w])([A-Z]\w+\.[A-Z]\w*)`)
)

// TestNamesOfTheAPI: functions, types and methods that pages for users name are
// there.
func TestNamesOfTheAPI(t *testing.T) {
	names := exported(t, "stream")
	members := exported(t, "stream/streamtest")
	for n := range names {
		members[n] = true
	}
	found := 0
	for _, p := range pages(t) {
		if !strings.HasPrefix(p.name, "docs/") {
			continue
		}
		p.inline(func(code string, line int) {
			for _, m := range functionRE.FindAllStringSubmatch(code, -1) {
				if found++; !names[m[1]] {
					t.Errorf("%s:%d: package stream has no %s", p.name, line, m[1])
				}
			}
			for _, m := range memberRE.FindAllStringSubmatch(code, -1) {
				if found++; !members[m[1]] && !strings.Contains(code, "(") { // what has arguments is Java's
					t.Errorf("%s:%d: packages stream and streamtest have no %s", p.name, line, m[1])
				}
			}
		})
	}
	if found < 50 {
		t.Errorf("only %d names found: the pattern does not fit the pages", found)
	}
}

var (
	keyRE     = regexp.MustCompile(`^([a-z][a-z-]*(?:\.[a-zA-Z0-9-]+)+)(?::.*)?$`)
	settingRE = regexp.MustCompile(`(?:^|\s)-y?D\s?([a-zA-Z0-9.$-]+)=`)
	fileRE    = regexp.MustCompile(`\.(?:sh|md|go|log|out|err|yaml|yml|java|tsv|xml|graph|json)$`)
)

// TestConfigurationKeys: keys that pages name exist, and those that they tell
// the reader to set have an effect.
func TestConfigurationKeys(t *testing.T) {
	sections := map[string]bool{}
	for _, o := range conf.Options() {
		first, _, _ := strings.Cut(o.Key, ".")
		sections[first] = true
	}
	found := 0
	for _, p := range pages(t) {
		if p.name == "docs/configuration.md" {
			continue // generated from the options
		}
		p.inline(func(code string, line int) {
			m := keyRE.FindStringSubmatch(code)
			if m == nil || fileRE.MatchString(code) || !sections[strings.Split(m[1], ".")[0]] {
				return
			}
			found++
			for _, u := range conf.Unknown(conf.FromMap(map[string]string{m[1]: ""})) {
				t.Errorf("%s:%d: %s", p.name, line, u)
			}
		})
		for _, b := range p.blocks {
			for _, m := range settingRE.FindAllStringSubmatch(b.text, -1) {
				found++
				warnings, _ := conf.Notes(conf.FromMap(map[string]string{m[1]: "?"}))
				for _, w := range warnings {
					t.Errorf("%s:%d: %s", p.name, b.line, w)
				}
			}
		}
	}
	if found < 50 {
		t.Errorf("only %d keys found: the pattern does not fit the pages", found)
	}
}
