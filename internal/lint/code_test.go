package lint

import (
	"go/ast"
	"go/token"
	"strings"
	"testing"
)

// goOwners are the functions that may start a goroutine with a plain go
// statement whose end the rule cannot see, with the reason why it ends.
// The key is "folder.Function" or "folder.Type.Method".
var goOwners = map[string]string{
	"client/cli.command.lines": "a read of the terminal cannot be interrupted: it ends with standard input, or with the process",
	"launch.watchParent":       "it ends the process when its parent is gone, and lives as long as the process",
}

// TestGoroutinesHaveOwners finds go statements that nobody visibly waits for.
// Goroutines are started through sync.WaitGroup.Go or errgroup.Group.Go; a
// plain go statement is good when the function it starts tells its end first
// thing: defer wg.Done(), or defer close(done).
func TestGoroutinesHaveOwners(t *testing.T) {
	for _, f := range written(t) {
		if f.test {
			continue // goleak watches tests
		}
		for _, decl := range f.ast.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			ast.Inspect(fn, func(n ast.Node) bool {
				if g, ok := n.(*ast.GoStmt); ok && !tellsItsEnd(g) && goOwners[ownerKey(f, fn)] == "" {
					t.Errorf("%s:%d: naked go statement in %s: use sync.WaitGroup.Go or errgroup.Group.Go of an owner whose Close waits",
						f.path, f.line(g.Pos()), fn.Name.Name)
				}
				return true
			})
		}
	}
}

func ownerKey(f *goFile, fn *ast.FuncDecl) string {
	key := f.dir + "."
	if fn.Recv != nil && len(fn.Recv.List) == 1 {
		if name := typeName(fn.Recv.List[0].Type); name != "" {
			key += name + "."
		}
	}
	return key + fn.Name.Name
}

func typeName(e ast.Expr) string {
	switch x := e.(type) {
	case *ast.StarExpr:
		return typeName(x.X)
	case *ast.IndexExpr:
		return typeName(x.X)
	case *ast.IndexListExpr:
		return typeName(x.X)
	case *ast.Ident:
		return x.Name
	}
	return ""
}

// tellsItsEnd tells whether the started function literal begins with deferred
// calls of which one is X.Done() or close(X).
func tellsItsEnd(g *ast.GoStmt) bool {
	lit, ok := g.Call.Fun.(*ast.FuncLit)
	if !ok {
		return false
	}
	for _, s := range lit.Body.List {
		d, ok := s.(*ast.DeferStmt)
		if !ok {
			return false
		}
		switch fun := d.Call.Fun.(type) {
		case *ast.SelectorExpr:
			if fun.Sel.Name == "Done" {
				return true
			}
		case *ast.Ident:
			if fun.Name == "close" {
				return true
			}
		}
	}
	return false
}

// TestErrorsAreWrapped finds fmt.Errorf calls that take an error and wrap
// none: errors.Is and errors.As would be blind behind them.
func TestErrorsAreWrapped(t *testing.T) {
	for _, f := range written(t) {
		if f.test {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if ok && isErrorf(call) && takesError(call.Args[1:]) && !strings.Contains(formatOf(call.Args[0]), "%w") {
				t.Errorf("%s:%d: fmt.Errorf takes an error and does not wrap it: %%w", f.path, f.line(call.Pos()))
			}
			return true
		})
	}
}

func isErrorf(call *ast.CallExpr) bool {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != "Errorf" || len(call.Args) < 2 {
		return false
	}
	pkg, ok := sel.X.(*ast.Ident)
	return ok && pkg.Name == "fmt"
}

// formatOf returns the constant text in a format expression; a format that is
// not constant is taken to wrap.
func formatOf(e ast.Expr) string {
	switch x := e.(type) {
	case *ast.BasicLit:
		return x.Value
	case *ast.BinaryExpr:
		if x.Op == token.ADD {
			return formatOf(x.X) + formatOf(x.Y)
		}
	case *ast.ParenExpr:
		return formatOf(x.X)
	}
	return "%w"
}

// takesError goes by names: err, fooErr, ctx.Err(), err.Error().
func takesError(args []ast.Expr) bool {
	for _, a := range args {
		switch x := a.(type) {
		case *ast.Ident:
			if x.Name == "err" || strings.HasSuffix(x.Name, "Err") {
				return true
			}
		case *ast.CallExpr:
			sel, ok := x.Fun.(*ast.SelectorExpr)
			if ok && len(x.Args) == 0 && (sel.Sel.Name == "Err" || sel.Sel.Name == "Error") {
				return true
			}
		}
	}
	return false
}
