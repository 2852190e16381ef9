package state_test

import (
	"testing"

	"goflink/codec"
	"goflink/state"
)

// TestDropKey: without a key nothing is found and nothing is written.
func TestDropKey(t *testing.T) {
	kc, err := codec.Key[string]()
	if err != nil {
		t.Fatal(err)
	}
	k, err := state.OpenKeyed(state.Env{Range: state.Range{Start: 0, End: 8}, MaxParallelism: 8}, kc)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	v, err := state.NewValue(k, state.Desc[int64]{Name: "v"})
	if err != nil {
		t.Fatal(err)
	}
	k.SetKey("")
	v.Set(7)
	k.DropKey()
	if n, ok := v.Get(); ok {
		t.Errorf("%d was found without a key", n)
	}
	if err := k.EachKey("v", func(string, state.Namespace) error { v.Set(8); return nil }); err != nil || k.Err() != nil {
		t.Errorf("%v, %v", err, k.Err())
	}
	v.Set(9)
	if k.Err() == nil {
		t.Error("a value was written without a key")
	}
	k.SetKey("")
	k.SetNamespace(state.Namespace{})
	if n, _ := v.Get(); n != 8 {
		t.Errorf("the value is %d", n)
	}
}
