package control

import (
	"errors"
	"io"
	"net"
	"testing"
)

func shake(t *testing.T, client, server Secret) (error, error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			done <- err
			return
		}
		defer conn.Close()
		done <- Handshake(conn, server, false)
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	err = Handshake(conn, client, true)
	conn.Close()
	return err, <-done
}

func TestHandshake(t *testing.T) {
	a, err := NewSecret()
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewSecret()
	if err != nil {
		t.Fatal(err)
	}
	if c, s := shake(t, a, a); c != nil || s != nil {
		t.Errorf("same secret: %v, %v", c, s)
	}
	if c, s := shake(t, a, b); c == nil || !errors.Is(s, ErrSecret) {
		t.Errorf("another secret: client %v, server %v", c, s)
	}
	if c, _ := shake(t, nil, b); c == nil {
		t.Error("a cluster without a secret must not connect")
	}
}

// A peer that mirrors what it receives knows nothing.
func TestHandshakeMirror(t *testing.T) {
	client, mirror := net.Pipe()
	go func() { _, _ = io.Copy(mirror, mirror); mirror.Close() }()
	defer mirror.Close()
	secret := Secret("0123456789")
	errs := make(chan error, 1)
	go func() { errs <- Handshake(&buffered{Conn: client}, secret, true) }()
	if err := <-errs; err == nil {
		t.Error("a mirror passed the handshake")
	}
	client.Close()
}

// buffered lets a write on a pipe return before it was read.
type buffered struct{ net.Conn }

func (b *buffered) Write(p []byte) (int, error) {
	c := append([]byte(nil), p...)
	go func() { _, _ = b.Conn.Write(c) }()
	return len(p), nil
}

func TestSecretStaysOutOfLogs(t *testing.T) {
	if s := (Secret("hunter2")).String(); s != "******" {
		t.Error(s)
	}
}
