package main

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"goflink/stream"
	"goflink/stream/streamtest"
)

func TestSocketWindowWordCount(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done, seen := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		fmt.Fprint(conn, "to be\nor not to be\n")
		<-seen // windows of processing time that are open at the end of data yield nothing
		conn.Close()
	}()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	env := stream.NewEnv(stream.Settings{Args: []string{"--hostname", "127.0.0.1", "--port", port}})
	if err := build(env); err != nil {
		t.Fatal(err)
	}
	p, err := env.Program()
	if err != nil {
		t.Fatal(err)
	}
	c, err := streamtest.New(p, streamtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i := 0; len(c.Lines()) < 4 && i < 1_000_000; i++ {
		if err := c.RunSteps(1); err != nil {
			t.Fatal(err)
		}
		if len(c.Lines()) == 0 && c.Finished() {
			break
		}
	}
	close(seen)
	ln.Close()
	<-done
	lines := c.Lines()
	slices.Sort(lines)
	if got := strings.Join(lines, ", "); got != "be : 2, not : 1, or : 1, to : 2" {
		t.Errorf("got %s", got)
	}
}

func TestNoPort(t *testing.T) {
	err := build(stream.NewEnv(stream.Settings{}))
	if err == nil || !strings.HasPrefix(err.Error(), "No port specified. Please run 'SocketWindowWordCount") {
		t.Errorf("got %v", err)
	}
}
