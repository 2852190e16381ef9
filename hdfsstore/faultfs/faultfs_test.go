package faultfs_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"testing"
	"testing/synctest"
	"time"

	"goflink/hdfsstore"
	"goflink/hdfsstore/faultfs"
	"goflink/hdfsstore/fstest"
	"goflink/hdfsstore/memfs"
)

func script(t *testing.T, f *faultfs.FS, text string) {
	t.Helper()
	if err := f.Script(text); err != nil {
		t.Fatal(err)
	}
}

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

// TestConformance runs the suite with no rules and with delays.
func TestConformance(t *testing.T) {
	for _, rules := range []string{"", "all chance=0.02 -> delay 1ms"} {
		f := faultfs.New(memfs.New(), 1)
		script(t, f, rules)
		fstest.Run(t, f, "/")
	}
}

// TestPublishSurvives has Publish succeed, with the right content and nothing
// left over, whatever passes away within its tries.
func TestPublishSurvives(t *testing.T) {
	for _, rules := range []string{
		"create nth=1 -> error dead-node",
		"create nth=1 -> lost transient",
		"write nth=1 -> error dead-node",
		"write nth=1 -> short dead-node",
		"write nth=2 -> lost dead-node",
		"close nth=1 -> error dead-node",
		"close nth=1 -> lost dead-node",
		"rename nth=1 -> error transient",
		"rename nth=1 -> lost transient",
		"create,write,close,rename nth=1 -> error transient",
		"rename nth=1 -> lost transient\nrename nth=1 -> error transient",
		"write nth=1 -> error dead-node\nabort nth=1 -> error transient\ndelete nth=1 -> error transient", // it went while the file system failed
	} {
		t.Run(rules, func(t *testing.T) {
			// Pauses between tries take no time.
			synctest.Test(t, func(t *testing.T) { publishSurvives(t, rules) })
		})
	}
}

func publishSurvives(t *testing.T, rules string) {
	m := memfs.New()
	f := faultfs.New(m, 1)
	script(t, f, rules)
	err := hdfsstore.Publish(t.Context(), f, "/dir/file", hdfsstore.PublishOptions{}, func(w io.Writer) error {
		for _, s := range []string{"one ", "two ", "three"} {
			if err := text(s)(w); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	data, err := hdfsstore.ReadFile(t.Context(), m, "/dir/file", 100)
	if err != nil || string(data) != "one two three" {
		t.Fatalf("the file holds %q, %v", data, err)
	}
	if f.Injected() == 0 {
		t.Fatal("no fault happened")
	}
	infos, err := m.List(t.Context(), "/dir")
	if err != nil || len(infos) != 1 {
		t.Fatalf("left behind (%v):\n%s", err, m.Dump())
	}
}

// TestPublishFails has Publish fail with the cause and leave nothing.
func TestPublishFails(t *testing.T) {
	for rules, want := range map[string]error{
		"create -> error permission":      fs.ErrPermission,
		"write from=2 -> error enospc":    hdfsstore.ErrNoSpace,
		"writes -> error readonly":        hdfsstore.ErrReadOnly,
		"close -> short enospc":           hdfsstore.ErrNoSpace,
		"rename path=file -> error exist": fs.ErrExist,
	} {
		t.Run(rules, func(t *testing.T) {
			m := memfs.New()
			f := faultfs.New(m, 1)
			script(t, f, rules)
			err := hdfsstore.Publish(t.Context(), f, "/file", hdfsstore.PublishOptions{}, func(w io.Writer) error {
				return errors.Join(text("one")(w), text("two")(w))
			})
			if !errors.Is(err, want) {
				t.Fatalf("got %v, want %v", err, want)
			}
			if infos, err := m.List(t.Context(), "/"); err != nil || len(infos) != 0 {
				t.Fatalf("left behind (%v):\n%s", err, m.Dump())
			}
		})
	}
}

func TestBlock(t *testing.T) {
	f := faultfs.New(memfs.New(), 1)
	script(t, f, "mkdir path=b -> block")
	if err := f.Mkdir(t.Context(), "/a", 0o755); err != nil {
		t.Fatal(err)
	}
	blocked := f.Blocked()
	done := make(chan error, 1)
	go func() { done <- f.Mkdir(context.Background(), "/b", 0o755) }()
	<-blocked
	if _, err := f.Stat(t.Context(), "/b"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("blocked operation took place: %v", err)
	}
	f.Release()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := f.Mkdir(ctx, "/x/b", 0o755); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
}

func TestScriptErrors(t *testing.T) {
	f := faultfs.New(memfs.New(), 1)
	for _, text := range []string{"rename", "fly -> error io", "write -> error fire", "write nth=x -> error io", "write path=[ -> error io", "write -> ", "write size=1 -> error io", "write -> delay soon"} {
		if err := f.Script(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
	if err := f.Script("# nothing\n\nwrite path=a/b nth=3 -> error io # third\n"); err != nil {
		t.Error(err)
	}
}
