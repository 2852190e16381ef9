package hadooprpc

import (
	"context"
	"errors"
	"fmt"
	"net"

	"google.golang.org/protobuf/proto"

	"goflink/hadooprpc/proto/hadoopproto"
)

// ProtocolNamenode is the Java name of the protocol between HDFS clients and NameNodes.
const ProtocolNamenode = "org.apache.hadoop.hdfs.protocol.ClientProtocol"

// keyNamenodePrincipal holds the NameNode's Kerberos principal.
const keyNamenodePrincipal = "dfs.namenode.kerberos.principal"

// NewNamenodeClient makes a client of the NameNodes behind the authority of an hdfs URI (empty: fs.defaultFS).
func NewNamenodeClient(conf *Conf, authority string, auth Auth) (*Client, error) {
	addrs, _, err := conf.NamenodeAddresses(authority)
	if err != nil {
		return nil, err
	}
	if auth.Protection == nil {
		if auth.Protection, err = conf.Protection(); err != nil {
			return nil, err
		}
	}
	if auth.Principal == "" && auth.Kerberos != nil {
		auth.Principal = conf.Get(keyNamenodePrincipal)
	}
	return NewClient(Options{Addresses: addrs, Protocol: ProtocolNamenode, Auth: StaticAuth(auth)})
}

// HDFSDelegationToken gets a token for the NameNodes of an authority (empty: fs.defaultFS), with the service set
// by which it is found again. Only a Kerberos login may get one. The renewer is who may prolong it: for tokens
// that are submitted with an application it must be the ResourceManager's principal.
func HDFSDelegationToken(ctx context.Context, conf *Conf, krb *Kerberos, authority, renewer string) (*Token, error) {
	c, err := NewNamenodeClient(conf, authority, Auth{Kerberos: krb})
	if err != nil {
		return nil, err
	}
	req := &hadoopproto.GetDelegationTokenRequestProto{Renewer: proto.String(renewer)}
	resp := &hadoopproto.GetDelegationTokenResponseProto{}
	err = errors.Join(c.Call(ctx, "getDelegationToken", req, resp), c.Close())
	if err != nil {
		return nil, fmt.Errorf("delegation token of HDFS: %w", err)
	}
	t := TokenFromProto(resp.GetToken())
	if t == nil {
		return nil, fmt.Errorf("delegation token of HDFS: %s issued none, since it does not use Kerberos", c.Addr())
	}
	if t.Service, err = HDFSTokenService(conf, authority); err != nil {
		return nil, err
	}
	return t, nil
}

// HDFSTokenService is the service name of tokens for an authority (empty: fs.defaultFS): "ha-hdfs:<nameservice>"
// for a logical one, else ip:port, or host:port when hadoop.security.token.service.use_ip is false.
func HDFSTokenService(conf *Conf, authority string) (string, error) {
	if authority == "" {
		var err error
		if authority, err = conf.defaultAuthority(); err != nil {
			return "", err
		}
	}
	addrs, logical, err := conf.NamenodeAddresses(authority)
	if err != nil {
		return "", err
	}
	if logical && len(addrs) > 1 {
		return "ha-hdfs:" + authority, nil
	}
	if !conf.Bool("hadoop.security.token.service.use_ip", true) {
		return addrs[0], nil
	}
	a, err := net.ResolveTCPAddr("tcp", addrs[0])
	if err != nil {
		return "", fmt.Errorf("resolve the NameNode %s: %w", addrs[0], err)
	}
	return a.String(), nil
}
