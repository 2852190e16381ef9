package hdfsstore

import (
	"context"
	"errors"
	"net"

	"google.golang.org/protobuf/proto"

	"goflink/hadooprpc"
	"goflink/hadooprpc/proto/hadoopproto"
)

// DelegationToken gets a token by which other processes act as this user, until
// the cluster's longest token life (7 days by default) is over. renewer may renew
// it: the ResourceManager's principal, for tokens of an application. On clusters
// without Kerberos the answer is nil: nobody needs one there.
//
// The token's service is set so that Hadoop's own clients (a NodeManager that
// fetches files) find it: "ha-hdfs:" and the name service, or the NameNode's
// address by number.
func (h *HDFS) DelegationToken(ctx context.Context, renewer string) (*hadooprpc.Token, error) {
	req := &hadoopproto.GetDelegationTokenRequestProto{Renewer: proto.String(renewer)}
	resp := &hadoopproto.GetDelegationTokenResponseProto{}
	if err := h.call(ctx, "get a delegation token of", "/", "getDelegationToken", req, resp); err != nil {
		return nil, err
	}
	token := hadooprpc.TokenFromProto(resp.GetToken())
	if token == nil {
		return nil, nil
	}
	if h.logical {
		token.Service = "ha-hdfs:" + h.authority
		return token, nil
	}
	addr, err := net.ResolveTCPAddr("tcp", h.addresses[0])
	if err != nil {
		return nil, &Error{Op: "get a delegation token of", Path: h.URI("/"), Err: err}
	}
	token.Service = addr.String()
	return token, nil
}

// RenewToken extends a token's life by one renewal interval, a day by default, as
// its renewer only.
func (h *HDFS) RenewToken(ctx context.Context, t *hadooprpc.Token) error {
	req := &hadoopproto.RenewDelegationTokenRequestProto{Token: t.Proto()}
	return h.call(ctx, "renew the delegation token of", "/", "renewDelegationToken", req, &hadoopproto.RenewDelegationTokenResponseProto{})
}

// CancelToken ends a token's life.
func (h *HDFS) CancelToken(ctx context.Context, t *hadooprpc.Token) error {
	req := &hadoopproto.CancelDelegationTokenRequestProto{Token: t.Proto()}
	return h.call(ctx, "cancel the delegation token of", "/", "cancelDelegationToken", req, &hadoopproto.CancelDelegationTokenResponseProto{})
}

var errNotHDFS = errors.New("is not on HDFS")

// HDFSFor is For, where only HDFS will do.
func (r *Resolver) HDFSFor(uri string) (*HDFS, string, error) {
	fsys, p, err := r.For(uri)
	if err != nil {
		return nil, "", err
	}
	h, ok := fsys.(*HDFS)
	if !ok {
		return nil, "", &Error{Op: "use", Path: uri, Err: errNotHDFS}
	}
	return h, p, nil
}
