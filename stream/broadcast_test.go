package stream

import (
	"fmt"
	"slices"
	"testing"

	"goflink/dataflow"
)

// factors multiplies tokens by the factor of their key, which comes by broadcast;
// tokens that came before it wait for it.
type factors struct {
	factor BroadcastState[string, int64]
	wait   List[int64]
	bad    Value[int64]
	kept   *BroadcastCtx[string]
}

func newFactors(s *Setup[string]) *factors {
	return &factors{factor: NewBroadcastState[string, int64](s, "factors"), wait: NewList[int64](s, "wait"), bad: NewValue[int64](s, "bad")}
}

func (f *factors) OnRecord(ctx *Ctx[string], t token, out *Out[string]) error {
	if t.N == -2 {
		f.factor.Put(f.kept, t.Key, 1)
		return nil
	}
	n, ok := f.factor.Get(t.Key)
	if !ok {
		f.wait.Add(t.N)
		ctx.TimerAt(t.At + 100)
		return nil
	}
	out.Emit(fmt.Sprintf("%s %d of %d", t.Key, t.N*n, f.factor.Len()))
	return nil
}

func (f *factors) OnBroadcast(ctx *BroadcastCtx[string], t token, out *Out[string]) error {
	f.kept = ctx
	switch {
	case t.Key == "clear":
		f.factor.Clear(ctx)
		return nil
	case t.N == 0:
		f.factor.Delete(ctx, t.Key)
		return nil
	case t.N == -1:
		f.bad.Set(1)
		return nil
	case t.N == -3:
		return ctx.ApplyToKeyedState("nowhere", func(string) error { return nil })
	}
	f.factor.Put(ctx, t.Key, t.N)
	if v, ok := f.bad.Get(); ok {
		return fmt.Errorf("state %d of a key, without one", v)
	}
	return ctx.ApplyToKeyedState("wait", func(key string) error {
		if key != t.Key {
			return nil
		}
		for _, n := range f.wait.Get() {
			out.Emit(fmt.Sprintf("%s %d waited, wm=%d", key, n*t.N, ctx.Watermark()))
		}
		f.wait.Clear()
		return nil
	})
}

func (f *factors) OnTimer(ctx *Ctx[string], out *Out[string]) error {
	if !f.wait.Empty() {
		out.Emit(fmt.Sprintf("%s waits, of %d", ctx.Key, f.factor.Len()))
	}
	return nil
}

// rules tells which factor a record without a key would get.
type rules struct {
	factor BroadcastState[string, int64]
	side   *SideOut[string]
}

func newRules(s *Setup[NoKey]) *rules {
	return &rules{NewBroadcastState[string, int64](s, "factors"), SideOutput(s, changed)}
}

func (f *rules) OnRecord(_ *Ctx[NoKey], t token, out *Out[string]) error {
	var ks []string
	f.factor.Each(func(k string, n int64) bool {
		ks = append(ks, fmt.Sprintf("%s=%d", k, n))
		return true
	})
	slices.Sort(ks)
	out.Emit(fmt.Sprintf("%s %v", t.Key, ks))
	return nil
}

func (f *rules) OnBroadcast(ctx *BroadcastCtx[NoKey], t token, _ *Out[string]) error {
	if t.N == -3 {
		return ctx.ApplyToKeyedState("any", func(NoKey) error { return nil })
	}
	f.factor.Put(ctx, t.Key, t.N)
	f.side.Emit(t.Key)
	return nil
}

// TestBroadcastSchema: entries written before a field was added are read, and
// such of another type refused.
func TestBroadcastSchema(t *testing.T) {
	type before struct{ Name string }
	type after struct {
		Name string
		N    int64
	}
	all := &broadcastStates{open: true, now: &moment{}}
	old := &broadcastMap[string, before]{name: "m", codec: mustCodec[broadcastEntry[string, before]](t), m: map[string]before{"a": {"x"}, "b": {"y"}}, all: all}
	from := []dataflow.ListState{{Name: "other"}, old.snapshot()}
	now := &broadcastMap[string, after]{name: "m", codec: mustCodec[broadcastEntry[string, after]](t), m: map[string]after{}, all: all}
	if err := now.restore(from); err != nil || len(now.m) != 2 || now.m["a"] != (after{Name: "x"}) || now.m["b"] != (after{Name: "y"}) {
		t.Errorf("%v, %v", now.m, err)
	}
	bad := &broadcastMap[string, int64]{name: "m", codec: mustCodec[broadcastEntry[string, int64]](t), m: map[string]int64{}, all: all}
	if err := bad.restore(from); err == nil {
		t.Error("another type was read")
	}
	from[1].Items[0] = append(slices.Clone(from[1].Items[0]), 0)
	if err := now.restore(from); err == nil {
		t.Error("a damaged entry was read")
	}
}
