package codec

import (
	"errors"
	"math/big"
	"strings"
	"testing"
)

// Registered for this test binary: a type of another package with hidden fields, a pointer to one, and a type that
// contains itself.
var errRegister = errors.Join(
	Register(Registration[big.Int]{"big.Int", func(dst []byte, v *big.Int) []byte { return v.Append(dst, 16) }, func(src []byte, v *big.Int) error {
		if _, ok := v.SetString(string(src), 16); !ok {
			return errors.New("not a number")
		}
		return nil
	}}),
	Register(Registration[tree]{"tree", appendTree, func(src []byte, v *tree) error {
		v.name = string(src)
		return nil
	}}),
)

type tree struct {
	name string
	kids []*tree
}

func appendTree(dst []byte, v *tree) []byte {
	dst = append(dst, v.name...)
	for _, k := range v.kids {
		dst = appendTree(dst, k)
	}
	return dst
}

func TestRegister(t *testing.T) {
	if errRegister != nil {
		t.Fatal(errRegister)
	}
	type rec struct {
		N    big.Int
		P    *big.Int
		L    []big.Int
		By   map[string]*big.Int
		Tree *tree
	}
	c := mustFor[rec](t)
	huge, _ := new(big.Int).SetString("123456789012345678901234567890", 10)
	v := rec{N: *big.NewInt(-7), P: huge, L: []big.Int{*huge, {}}, By: map[string]*big.Int{"x": huge, "nil": nil}, Tree: &tree{"a", []*tree{{name: "b"}}}}
	b := c.Append(nil, &v)
	var got rec
	if n, err := c.Decode(b, &got); err != nil || n != len(b) {
		t.Fatal(n, err)
	}
	for _, x := range []rec{got, c.Copy(v)} {
		if x.N.Int64() != -7 || x.P.Cmp(huge) != 0 || x.P == huge || x.L[0].Cmp(huge) != 0 || x.By["x"].Cmp(huge) != 0 || x.By["nil"] != nil || x.Tree.name != "ab" {
			t.Errorf("%v", x)
		}
	}
	if s := c.Schema().String(); !strings.Contains(s, "P *custom big.Int") || !strings.Contains(s, "Tree *custom tree") || c.Flat() {
		t.Error(s)
	}
	damaged := append([]byte{3}, "zz"...)
	if _, err := mustFor[big.Int](t).Decode(damaged, new(big.Int)); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "big.Int: not a number") {
		t.Error(err)
	}
}

func TestRegisterRefuses(t *testing.T) {
	type fresh struct{}
	for want, err := range map[string]error{
		`registered as "tree" already`: Register(Registration[tree]{"other", appendTree, func([]byte, *tree) error { return nil }}),
		"lacks a name or a function":   Register(Registration[fresh]{Name: "fresh"}),
		"register the concrete types":  Register(Registration[error]{Name: "error"}),
	} {
		if !errors.Is(err, ErrType) || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
}
