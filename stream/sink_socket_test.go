package stream_test

import (
	"bufio"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"goflink/stream"
	"goflink/stream/streamtest"
)

// listen is a server that ends the first connection after so many lines; lines
// gets what it read.
func listen(t *testing.T, first int) (port int, lines func() []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var got []string
	wg.Go(func() {
		for limit := first; ; limit = -1 {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			in := bufio.NewScanner(conn)
			in.Buffer(nil, 1<<20)
			for n := 0; n != limit && in.Scan(); n++ {
				mu.Lock()
				got = append(got, in.Text())
				mu.Unlock()
			}
			conn.(*net.TCPConn).SetLinger(0) // the sender sees a reset
			conn.Close()
		}
	})
	return l.Addr().(*net.TCPAddr).Port, func() []string {
		l.Close()
		wg.Wait()
		return got
	}
}

func TestSocketSink(t *testing.T) {
	port, lines := listen(t, -1)
	prog := program(t, func(env *stream.Env) {
		env.SetParallelism(2)
		stream.ToSocket(stream.Sequence(env, 1, 500), "127.0.0.1", port, nil, 0)
	})
	run(t, prog, streamtest.Options{})
	if got := lines(); len(got) != 500 || !slices.Contains(got, "500") {
		t.Errorf("%d lines", len(got))
	}
}

// TestSocketSinkAgain connects again; only what was on its way is lost.
func TestSocketSinkAgain(t *testing.T) {
	port, lines := listen(t, 3)
	big := strings.Repeat("x", 64<<10) // more than buffers hold on the way
	prog := program(t, func(env *stream.Env) {
		s := stream.Map(stream.Sequence(env, 1, 300, stream.Parallelism(1)), func(i int64) string { return fmt.Sprint(i, big) })
		stream.ToSocket(s, "127.0.0.1", port, nil, -1)
	})
	run(t, prog, streamtest.Options{})
	got := lines()
	if len(got) < 4 || !strings.HasPrefix(got[len(got)-1], "300") {
		t.Errorf("%d lines", len(got))
	}
}

func TestSocketSinkErrors(t *testing.T) {
	port, lines := listen(t, -1)
	lines() // nobody listens any more
	prog := program(t, func(env *stream.Env) {
		stream.ToSocket(stream.Sequence(env, 1, 5), "127.0.0.1", port, nil, 2, stream.Name("out"))
	})
	c, err := streamtest.New(prog, streamtest.Options{})
	if err == nil {
		c.Close()
	}
	if err == nil || !strings.Contains(err.Error(), `operator "Sink: out": socket 127.0.0.1:`) {
		t.Errorf("got %v", err)
	}
	env := stream.NewEnv(stream.Settings{})
	stream.ToSocket(stream.Sequence(env, 1, 5), "h", 0, nil, -2, stream.Parallelism(2))
	_, err = env.Program()
	for _, want := range []string{"port 0", "-2 retries", "cannot have 2"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
}

func TestPrintErr(t *testing.T) {
	prog := program(t, func(env *stream.Env) {
		stream.FromSlice(env, []int{1, 2}).PrintErr()
	})
	c, err := streamtest.New(prog, streamtest.Options{})
	must(t, err)
	defer c.Close()
	must(t, c.Run())
	if got := c.ErrLines(); !slices.Equal(got, []string{"1", "2"}) || len(c.Lines()) > 0 {
		t.Errorf("printed %v and %v", got, c.Lines())
	}
}
