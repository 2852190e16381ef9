package lint

import (
	"go/ast"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"goflink/conf"
)

func TestConfigurationKeysAreDocumented(t *testing.T) {
	for _, o := range conf.Options() {
		if strings.TrimSpace(o.Doc) == "" {
			t.Errorf("configuration key %s has no description", o.Key)
		}
	}
}

// shownOnly are options without effect that some code reads all the same, to
// show or to check them.
var shownOnly = map[string]bool{"HighAvailabilityStorageDir": true, "JobManagerArchiveDir": true}

// TestConfigurationKeysHaveEffect: who sets a key expects something. A key that
// no code reads is listed as idle (conf/idle.go), and the client warns of it.
func TestConfigurationKeysHaveEffect(t *testing.T) {
	options, used := map[string]string{}, map[string]bool{}
	for _, f := range written(t) {
		if f.test {
			continue
		}
		if f.dir == "conf" {
			readConf(f, options, used)
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "conf" {
					used[sel.Sel.Name] = true
				}
			}
			return true
		})
	}
	if len(options) < 200 {
		t.Fatalf("only %d options found: this rule reads them wrongly", len(options))
	}
	for name, key := range options {
		switch idle := conf.IdleReason(key) != ""; {
		case !idle && !used[name]:
			t.Errorf("conf.%s (%s) is read by no code: use it, or list it with its reason in conf/idle.go", name, key)
		case idle && used[name] && !shownOnly[name]:
			t.Errorf("conf.%s (%s) is read, and listed in conf/idle.go as without effect: take it out there", name, key)
		}
	}
}

// readConf collects the options that a file of package conf declares, and those
// that its functions read.
func readConf(f *goFile, options map[string]string, used map[string]bool) {
	for _, decl := range f.ast.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok {
			ast.Inspect(fn, func(n ast.Node) bool {
				if x, ok := n.(*ast.Ident); ok {
					used[x.Name] = true
				}
				return true
			})
			continue
		}
		gen, ok := decl.(*ast.GenDecl)
		if !ok || gen.Tok != token.VAR {
			continue
		}
		for _, spec := range gen.Specs {
			if v, ok := spec.(*ast.ValueSpec); ok && len(v.Values) == 1 && v.Names[0].IsExported() {
				if key := firstString(v.Values[0]); key != "" {
					options[v.Names[0].Name] = key
				}
			}
		}
	}
}

// firstString is the first argument of the innermost call of a chain, when it
// is a string: FooOption("key", …).Optional().
func firstString(e ast.Expr) string {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return ""
	}
	if sel, ok := call.Fun.(*ast.SelectorExpr); ok {
		return firstString(sel.X)
	}
	if len(call.Args) == 0 {
		return ""
	}
	lit, ok := call.Args[0].(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return ""
	}
	key, err := strconv.Unquote(lit.Value)
	if err != nil {
		return ""
	}
	return key
}
