package rest

import "testing"

func TestCutStack(t *testing.T) {
	for text, want := range map[string][2]string{
		"one reason\n":        {"one reason", ""},
		"two\n  + lines of\n": {"two\n  + lines of", ""},
		"panic: boo\nmain.f(0x1)\n\t/src/main.go:3 +0x1\nmain.g()\n\t/src/main.go:9\n": {"panic: boo", "main.f(0x1)\n\t/src/main.go:3 +0x1\nmain.g()\n\t/src/main.go:9\n"},
		"source.go:3: no such file\n\tat somewhere":                                    {"source.go:3: no such file", "\tat somewhere\n"},
		"boo\ngoroutine 1 [running]:\nmain.f()\n":                                      {"boo", "goroutine 1 [running]:\nmain.f()\n"},
		"ended\n" + StderrHead + "\nfatal error: x\n":                                  {"ended", StderrHead + "\nfatal error: x\n"},
		"": {"", ""},
	} {
		if reason, stack := CutStack(text); reason != want[0] || stack != want[1] {
			t.Errorf("CutStack(%q) = %q, %q; want %q", text, reason, stack, want)
		}
	}
}
