package faultconn

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// TestFates: each fault shows itself to one of the sides, after the bytes before
// it went over unharmed; what is switched off does nothing.
func TestFates(t *testing.T) {
	seen := map[Fault]bool{}
	for seed := uint64(1); seed < 60; seed++ {
		n := New(seed, Rates{Fail: 1, Bytes: 3000, Delay: 0.05, MostDelay: time.Microsecond, Pieces: 0.5})
		a, b := net.Pipe()
		c := n.Wrap(a).(*conn)
		done := make(chan []byte, 1)
		go func() {
			got, _ := io.ReadAll(b)
			b.Close()
			done <- got
		}()
		data := bytes.Repeat([]byte("0123456789"), 150)
		var err error
		for range 20 {
			if _, err = c.Write(data); err != nil {
				break
			}
		}
		c.Close()
		got := <-done
		if want := bytes.Repeat(data, 20); !bytes.HasPrefix(want, got) {
			t.Fatalf("seed %d: other bytes came", seed)
		}
		if c.fate == ReadError { // nothing is read here
			continue
		}
		if err == nil && c.fate != Silent || c.fate != Silent && !errors.Is(err, ErrInjected) || n.Failed() != 1 {
			t.Fatalf("seed %d: %s: error %v, %s", seed, c.fate, err, n.Counts())
		}
		seen[c.fate] = true
	}
	if len(seen) != len(fatal)-1 {
		t.Errorf("drawn: %v", seen)
	}
	n := New(1, Rates{Fail: 1, Bytes: 1, Delay: 1, MostDelay: time.Hour})
	n.Off(true)
	a, b := net.Pipe()
	go func() { _, _ = io.Copy(b, b); b.Close() }()
	c := n.Wrap(a)
	var one [1]byte
	if _, err := c.Write([]byte{7}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(one[:]); err != nil || one[0] != 7 {
		t.Fatal(err)
	}
	c.Close()
}

func TestReadError(t *testing.T) {
	for seed := uint64(1); ; seed++ {
		n := New(seed, Rates{Fail: 1, Bytes: 10})
		a, b := net.Pipe()
		c := n.Wrap(a).(*conn)
		if c.fate != ReadError {
			a.Close()
			b.Close()
			continue
		}
		go func() { _, _ = b.Write(make([]byte, 100)); b.Close() }()
		_, err := io.ReadAll(c)
		if !errors.Is(err, ErrInjected) || n.Failed() != 1 {
			t.Errorf("%v, %s", err, n.Counts())
		}
		c.Close()
		return
	}
}
