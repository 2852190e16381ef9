package wire

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"testing"

	"google.golang.org/protobuf/proto"

	pb "goflink/hadooprpc/proto/hadoopproto"
)

func TestFrameRoundTrip(t *testing.T) {
	head := RequestHeader(CallPing, []byte{}, 7)
	if head.GetRetryCount() != -1 {
		t.Errorf("retry count %d of a ping", head.GetRetryCount())
	}
	tok := &pb.TokenProto{Identifier: bytes.Repeat([]byte{1}, 3*firstChunk), Password: []byte{}, Kind: proto.String("k"), Service: proto.String("")}
	frame, err := AppendFrame([]byte("before"), head, tok)
	if err != nil {
		t.Fatal(err)
	}
	body, err := ReadFrame(bytes.NewReader(frame[6:]))
	if err != nil {
		t.Fatal(err)
	}
	head2, tok2 := &pb.RpcRequestHeaderProto{}, &pb.TokenProto{}
	if body, err = Next(body, head2); err != nil {
		t.Fatal(err)
	}
	if body, err = Next(body, tok2); err != nil || len(body) != 0 {
		t.Fatalf("%d bytes left, %v", len(body), err)
	}
	if !proto.Equal(head, head2) || !proto.Equal(tok, tok2) {
		t.Error("messages differ")
	}
}

// A peer that announces much and sends little must not make us take memory (bounded-frame).
func TestBoundedFrame(t *testing.T) {
	if _, err := ReadFrame(bytes.NewReader([]byte("HTTP/1.1 400"))); err == nil {
		t.Error("a frame of 1.2 GB was accepted")
	}
	announced := []byte{7, 0xff, 0xff, 0xff}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := ReadFrame(bytes.NewReader(announced)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a short frame: %v", err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 4*firstChunk {
		t.Errorf("%d bytes were taken for an announced length", n)
	}
	if _, err := ReadFrame(bytes.NewReader(nil)); !errors.Is(err, io.EOF) {
		t.Errorf("end between frames: %v", err)
	}
}

func FuzzNext(f *testing.F) {
	frame, err := AppendFrame(nil, RequestHeader(3, []byte("0123456789abcdef"), 0))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(frame[4:])
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(_ *testing.T, b []byte) {
		rest, err := Next(b, &pb.RpcResponseHeaderProto{})
		if err == nil {
			_, _ = Next(rest, &pb.RpcSaslProto{})
		}
	})
}
