package hadooprpc

import (
	"bufio"
	"bytes"
	"net"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"goflink/hadooprpc/internal/wire"
	pb "goflink/hadooprpc/proto/hadoopproto"
)

// reversing is a layer for tests that turns messages around.
type reversing struct{}

func (reversing) MaxPlain() int { return 7 }

func (reversing) Wrap(msg []byte) ([]byte, error) {
	out := make([]byte, len(msg))
	for i, b := range msg {
		out[len(msg)-1-i] = b
	}
	return out, nil
}

func (r reversing) Unwrap(token []byte) ([]byte, error) { return r.Wrap(token) }

func layered(in []byte) *Session {
	return &Session{addr: "test", r: bufio.NewReader(bytes.NewReader(in)), layer: reversing{}}
}

func wrapResponse(t *testing.T, state pb.RpcSaslProto_SaslState, callID int32, token []byte) []byte {
	t.Helper()
	head := &pb.RpcResponseHeaderProto{CallId: proto.Uint32(uint32(callID)), Status: pb.RpcResponseHeaderProto_SUCCESS.Enum()}
	out, err := wire.AppendFrame(nil, head, &pb.RpcSaslProto{State: state.Enum(), Token: token})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Frames may be cut into any pieces by the wrapping.
func TestUnwrapJoinsPieces(t *testing.T) {
	plain := append(append(lengthOf([]byte("hello")), "hello"...), append(lengthOf([]byte("you")), "you"...)...)
	for size := 1; size <= len(plain); size++ {
		var in []byte
		for rest := plain; len(rest) > 0; rest = rest[min(size, len(rest)):] {
			tok, _ := reversing{}.Wrap(rest[:min(size, len(rest))])
			in = append(in, wrapResponse(t, pb.RpcSaslProto_WRAP, wire.CallSASL, tok)...)
		}
		s := layered(in)
		for _, want := range []string{"hello", "you"} {
			got, err := s.ReadFrame()
			if err != nil || string(got) != want {
				t.Fatalf("pieces of %d: %q, %v", size, got, err)
			}
		}
	}
}

// Once a layer is agreed on, an answer outside of it ends the connection (wrapped-only).
func TestWrappedOnly(t *testing.T) {
	for name, in := range map[string][]byte{
		"a plain answer":       wrapResponse(t, pb.RpcSaslProto_WRAP, 5, []byte("x")),
		"another SASL message": wrapResponse(t, pb.RpcSaslProto_SUCCESS, wire.CallSASL, nil),
	} {
		if got, err := layered(in).ReadFrame(); err == nil {
			t.Errorf("%s was taken as %q", name, got)
		}
	}
}

func TestServerPrincipal(t *testing.T) {
	remote := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}
	for _, c := range []struct{ pattern, addr, want string }{
		{"nn/_HOST@REALM", "Host.Example:8020", "nn/host.example"}, {"nn/fixed@REALM", "h:1", "nn/fixed"}, {"nn/_HOST", "127.0.0.1:1", "nn/127.0.0.1"},
	} {
		got, err := serverPrincipal(c.pattern, c.addr, remote)
		if err != nil || got[0] != c.want {
			t.Errorf("%s at %s is %q, %v", c.pattern, c.addr, got, err)
		}
	}
	if _, err := serverPrincipal("nn@REALM", "h:1", remote); err == nil {
		t.Error("a principal without a host was accepted")
	}
}

func TestTicketCachePath(t *testing.T) {
	for value, want := range map[string]string{"FILE:/x": "/x", "/y": "/y", "KCM:0": "", "KEYRING:persistent:0": ""} {
		got, err := TicketCachePath(func(string) string { return value })
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%s: %q, %v", value, got, err)
		}
	}
	if got, err := TicketCachePath(func(string) string { return "" }); err != nil || !strings.HasPrefix(got, "/tmp/krb5cc_") {
		t.Errorf("%q, %v", got, err)
	}
}

func FuzzSession(f *testing.F) {
	f.Add([]byte{0, 0, 0, 3, 2, 8, 0}, true)
	f.Add([]byte{0, 0, 0, 0}, false)
	f.Fuzz(func(_ *testing.T, in []byte, wrapped bool) {
		s := layered(in)
		if !wrapped {
			s.layer = nil
		}
		for {
			frame, err := s.ReadFrame()
			if err != nil {
				return
			}
			_, _ = decodeSASL(frame)
		}
	})
}
