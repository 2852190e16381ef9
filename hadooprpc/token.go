package hadooprpc

import (
	"fmt"
	"log/slog"

	pb "goflink/hadooprpc/proto/hadoopproto"

	"google.golang.org/protobuf/proto"
)

// Token kinds.
const (
	KindAMRM           = "YARN_AM_RM_TOKEN"
	KindNM             = "NMToken"
	KindContainer      = "ContainerToken"
	KindHDFSDelegation = "HDFS_DELEGATION_TOKEN"
	KindRMDelegation   = "RM_DELEGATION_TOKEN"
	KindClientToAM     = "YARN_CLIENT_TOKEN"
)

// Token is a Hadoop security token: a public identifier and a password that proves its possession.
type Token struct {
	Identifier []byte
	Password   []byte
	Kind       string
	Service    string // whom it is for: ip:port, host:port, ha-hdfs:<nameservice>, or empty
}

// TokenFromProto copies a token out of a message.
func TokenFromProto(p *pb.TokenProto) *Token {
	if p == nil {
		return nil
	}
	return &Token{
		Identifier: append([]byte{}, p.GetIdentifier()...), Password: append([]byte{}, p.GetPassword()...),
		Kind: p.GetKind(), Service: p.GetService(),
	}
}

// Proto gives the token as a message.
func (t *Token) Proto() *pb.TokenProto {
	return &pb.TokenProto{
		Identifier: t.Identifier, Password: t.Password, Kind: proto.String(t.Kind), Service: proto.String(t.Service),
	}
}

// String names kind and service, never the password.
func (t *Token) String() string { return fmt.Sprintf("token %s for %q", t.Kind, t.Service) }

// LogValue keeps passwords out of structured logs.
func (t *Token) LogValue() slog.Value { return slog.StringValue(t.String()) }
