package hadooprpc_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"goflink/hadooprpc/internal/wire"
	pb "goflink/hadooprpc/proto/hadoopproto"
)

// requestFrame is a request as another client would write it, without its length.
func requestFrame(t *testing.T, id int32, text string) []byte {
	t.Helper()
	head := &pb.RequestHeaderProto{
		MethodName: proto.String("echo"), DeclaringClassProtocolName: proto.String(testProtocol), ClientProtocolVersion: proto.Uint64(1),
	}
	frame, err := wire.AppendFrame(nil, wire.RequestHeader(id, []byte("0123456789abcdef"), 0), head, &pb.GetDelegationTokenRequestProto{Renewer: proto.String(text)})
	if err != nil {
		t.Fatal(err)
	}
	return frame[4:]
}
