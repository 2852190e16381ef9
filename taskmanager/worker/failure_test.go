package worker

import (
	"strings"
	"testing"
)

// TestUserFrame: a panic names the place in the user's code, whoever of Go's
// packages lies above it.
func TestUserFrame(t *testing.T) {
	for stack, want := range map[string]string{
		"main.build.func1(0x32)\n\t/home/u/job/main.go:28 +0x9e\ngoflink/stream.(*mapOp[...]).Collect(0x0)\n\t/g/stream/map.go:36 +0x24":                              "main.build.func1 (job/main.go:28)",
		"strings.Repeat(...)\n\tstrings/strings.go:1\nencoding/json.Unmarshal(...)\n\tjson/decode.go:5\nmyjobs/parse.Line({0x1, 0x2})\n\tmyjobs/parse/line.go:7 +0x1": "myjobs/parse.Line (parse/line.go:7)",
		"goflink/stream.(*Out[...]).Emit(0x1)\n\tstream/process.go:3\nexample.com/x.(*f).OnRecord(0x1)\n\tx/f.go:9 +0x1":                                              "example.com/x.(*f).OnRecord (x/f.go:9)",
		"goflink/taskmanager/worker.guard(0x0)\n\tworker/failure.go:55 +0x51\ncreated by sync.(*WaitGroup).Go in goroutine 1\n\tsync/waitgroup.go:238":                "",
		"": "",
	} {
		if got := userFrame(stack); got != want {
			t.Errorf("userFrame(%q) = %q, want %q", stack, got, want)
		}
	}
	err := guard(func() error { panic("boo") })
	if err == nil || !strings.HasPrefix(err.Error(), "panic: boo") {
		t.Errorf("got %v", err)
	}
}
