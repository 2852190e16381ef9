package hdfsstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"goflink/hadooprpc"
)

// clientProtocol is the Java interface of the NameNode's calls for clients.
const clientProtocol = "org.apache.hadoop.hdfs.protocol.ClientProtocol"

// newHDFS makes the file system of an authority; it connects with the first
// call.
func (r *Resolver) newHDFS(authority string) (FS, error) {
	addresses, logical, err := r.o.Hadoop.NamenodeAddresses(authority)
	if err != nil {
		return nil, err
	}
	o := r.o.HDFS.withDefaults()
	nn, err := hadooprpc.NewClient(hadooprpc.Options{
		Addresses: addresses, Protocol: clientProtocol, Auth: r.auth(authority, addresses, logical),
		MaxWait: o.CallTimeout, Dial: o.Dial, Logger: r.o.Logger,
	})
	if err != nil {
		return nil, err
	}
	h := r.overNameNode(authority, nn, o)
	h.logical, h.addresses = logical, addresses
	return h, nil
}

// overNameNode makes the file system whose NameNode is nn.
func (r *Resolver) overNameNode(authority string, nn nameNode, o HDFSOptions) *HDFS {
	hostname := r.o.Hadoop.Bool("dfs.client.use.datanode.hostname", false)
	return &HDFS{
		authority: authority, user: r.o.User, o: o, nn: nn, log: r.o.Logger,
		nodes: newNodeWatch(o, hostname), protection: r.protection(),
	}
}

// protection is the strongest quality of protection that the configuration names
// for data transfers, as Hadoop's own clients choose.
func (r *Resolver) protection() string {
	if !r.o.Hadoop.Secure() {
		return ""
	}
	listed := r.o.Hadoop.Strings("dfs.data.transfer.protection")
	for _, p := range []string{"privacy", "integrity", "authentication"} {
		if slices.ContainsFunc(listed, func(s string) bool { return strings.EqualFold(s, p) }) {
			return p
		}
	}
	return ""
}

// auth chooses the credential for each new connection: a delegation token for
// this cluster if there is one, else Kerberos, else the user's name.
func (r *Resolver) auth(authority string, addresses []string, logical bool) hadooprpc.AuthSource {
	if r.o.Auth != nil {
		return r.o.Auth(authority)
	}
	return func(ctx context.Context) (hadooprpc.Auth, error) {
		protection, err := r.o.Hadoop.Protection()
		if err != nil {
			return hadooprpc.Auth{}, err
		}
		a := hadooprpc.Auth{
			User: r.o.User, Kerberos: r.o.Kerberos, Protection: protection,
			AllowSimple: r.o.Hadoop.AllowSimpleFallback(),
			Principal:   r.o.Hadoop.Get("dfs.namenode.kerberos.principal"),
		}
		if a.Token, err = r.token(ctx, authority, addresses, logical); err != nil {
			return hadooprpc.Auth{}, err
		}
		if r.o.Hadoop.Secure() && a.Token == nil && a.Kerberos == nil {
			return hadooprpc.Auth{}, fmt.Errorf("HDFS %s demands Kerberos, and there is neither a login (kinit, or security.kerberos.login.keytab) nor a delegation token for it", authority)
		}
		return a, nil
	}
}

// token finds the delegation token of a cluster in the token file.
func (r *Resolver) token(ctx context.Context, authority string, addresses []string, logical bool) (*hadooprpc.Token, error) {
	creds, err := hadooprpc.LoadCredentials(func(key string) string {
		if key == hadooprpc.EnvTokenFile {
			return r.o.TokenFile
		}
		return ""
	})
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("HDFS delegation tokens: %w", err)
	}
	if err != nil {
		return nil, err
	}
	tokens := creds.TokensOfKind(hadooprpc.KindHDFSDelegation)
	if len(tokens) == 0 {
		return nil, nil
	}
	services := tokenServices(ctx, authority, addresses, logical)
	for _, t := range tokens {
		if services[strings.ToLower(t.Service)] {
			return t, nil
		}
	}
	return nil, nil
}

// tokenServices are the names under which tokens for a cluster go: the logical
// name, or the NameNode's address by name and by number
// (hadoop.security.token.service.use_ip).
func tokenServices(ctx context.Context, authority string, addresses []string, logical bool) map[string]bool {
	out := map[string]bool{}
	if logical {
		out["ha-hdfs:"+strings.ToLower(authority)] = true
	}
	for _, addr := range addresses {
		out[strings.ToLower(addr)] = true
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			continue
		}
		ips, err := net.DefaultResolver.LookupHost(ctx, host)
		if err != nil {
			continue // a name that cannot be resolved has no service by number
		}
		for _, ip := range ips {
			out[net.JoinHostPort(ip, port)] = true
		}
	}
	return out
}
