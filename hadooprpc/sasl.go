package hadooprpc

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/jcmturner/gokrb5/v8/krberror"

	"goflink/hadooprpc/internal/digestmd5"
	"goflink/hadooprpc/internal/krb5gss"
	"goflink/hadooprpc/internal/wire"
	pb "goflink/hadooprpc/proto/hadoopproto"
)

// Authentication methods as servers name them.
const (
	methodSimple   = "SIMPLE"
	methodToken    = "TOKEN"
	methodKerberos = "KERBEROS"
)

func saslHeader() *pb.RpcRequestHeaderProto {
	return wire.RequestHeader(wire.CallSASL, []byte{}, 0)
}

// decodeSASL opens a frame that must hold a SASL message; a server's exception becomes an error.
func decodeSASL(frame []byte) (*pb.RpcSaslProto, error) {
	head := &pb.RpcResponseHeaderProto{}
	rest, err := wire.Next(frame, head)
	if err != nil {
		return nil, err
	}
	if err := statusError(head); err != nil {
		return nil, err
	}
	if int32(head.GetCallId()) != wire.CallSASL {
		return nil, fmt.Errorf("the server answered call %d outside of the agreed SASL protection", int32(head.GetCallId()))
	}
	msg := &pb.RpcSaslProto{}
	if _, err := wire.Next(rest, msg); err != nil {
		return nil, err
	}
	return msg, nil
}

// statusError is the exception that a response header carries, or nil.
func statusError(h *pb.RpcResponseHeaderProto) error {
	if h.GetStatus() == pb.RpcResponseHeaderProto_SUCCESS {
		return nil
	}
	fatal := h.GetStatus() == pb.RpcResponseHeaderProto_FATAL
	return newRemoteError(h.GetExceptionClassName(), h.GetErrorMsg(), fatal)
}

func (s *Session) sendSASL(state pb.RpcSaslProto_SaslState, token []byte, auth *pb.RpcSaslProto_SaslAuth) error {
	msg := &pb.RpcSaslProto{State: state.Enum(), Token: token}
	if auth != nil {
		msg.Auths = []*pb.RpcSaslProto_SaslAuth{auth}
	}
	var err error
	if s.wbuf, err = wire.AppendFrame(s.wbuf, saslHeader(), msg); err != nil {
		return err
	}
	return s.flush()
}

func (s *Session) recvSASL() (*pb.RpcSaslProto, error) {
	frame, err := wire.ReadFrame(s.r)
	if err != nil {
		return nil, fmt.Errorf("authentication: %w", err)
	}
	return decodeSASL(frame)
}

// negotiate asks the server for its methods, carries one out, and returns the user for the connection context.
func (s *Session) negotiate(auth Auth) (user string, err error) {
	if err := s.sendSASL(pb.RpcSaslProto_NEGOTIATE, nil, nil); err != nil {
		return "", err
	}
	msg, err := s.recvSASL()
	if err != nil {
		return "", err
	}
	if msg.GetState() == pb.RpcSaslProto_SUCCESS {
		return s.goSimple(auth, nil)
	}
	if msg.GetState() != pb.RpcSaslProto_NEGOTIATE {
		return "", fmt.Errorf("authentication: the server began with %v", msg.GetState())
	}
	var simple *pb.RpcSaslProto_SaslAuth
	for _, offer := range msg.GetAuths() {
		switch {
		case offer.GetMethod() == methodToken && auth.Token != nil:
			return "", s.authenticateToken(offer, auth)
		case offer.GetMethod() == methodKerberos && auth.Kerberos != nil && auth.Token == nil:
			return auth.Kerberos.Principal(), s.authenticateKerberos(offer, auth)
		case offer.GetMethod() == methodSimple:
			simple = offer
		}
	}
	if simple != nil {
		return s.goSimple(auth, simple)
	}
	return "", authErrorf("the server offers %s, we have %s", offered(msg), auth.method())
}

func offered(msg *pb.RpcSaslProto) string {
	var names []string
	for _, a := range msg.GetAuths() {
		names = append(names, a.GetMethod())
	}
	return strings.Join(names, ", ")
}

func (a Auth) method() string {
	switch {
	case a.Token != nil:
		return "a token of kind " + a.Token.Kind
	case a.Kerberos != nil:
		return "a Kerberos login"
	}
	return "the user name " + a.User
}

// goSimple continues without authentication if that is allowed. To an offered SIMPLE the server sends no answer.
func (s *Session) goSimple(auth Auth, offer *pb.RpcSaslProto_SaslAuth) (string, error) {
	if !auth.AllowSimple {
		return "", authErrorf("the server does not authenticate, but we have %s (ipc.client.fallback-to-simple-auth-allowed is false)", auth.method())
	}
	user := auth.User
	if user == "" && auth.Kerberos != nil {
		user = auth.Kerberos.Principal()
	}
	if offer == nil {
		return user, nil
	}
	return user, s.sendSASL(pb.RpcSaslProto_INITIATE, []byte{}, offer)
}

// authenticateToken runs DIGEST-MD5.
func (s *Session) authenticateToken(offer *pb.RpcSaslProto_SaslAuth, auth Auth) error {
	if offer.GetMechanism() != "DIGEST-MD5" {
		return authErrorf("token authentication by %s is not supported, only DIGEST-MD5", offer.GetMechanism())
	}
	creds := digestmd5.TokenCredentials(auth.Token.Identifier, auth.Token.Password)
	uri := offer.GetProtocol() + "/" + offer.GetServerId()
	client, response, err := digestmd5.NewClient(offer.GetChallenge(), uri, creds, auth.Protection)
	if err != nil {
		return &AuthError{Err: err}
	}
	offer.Challenge = nil
	if err := s.sendSASL(pb.RpcSaslProto_INITIATE, response, offer); err != nil {
		return err
	}
	msg, err := s.recvSASL()
	if err != nil {
		return err
	}
	if msg.GetState() != pb.RpcSaslProto_SUCCESS {
		return fmt.Errorf("authentication: expected SUCCESS, the server sent %v", msg.GetState())
	}
	l, err := client.Finish(msg.GetToken())
	if err != nil {
		return &AuthError{Err: err}
	}
	if l != nil {
		s.layer = l
	}
	return nil
}

// authenticateKerberos runs GSSAPI with mutual authentication: ticket, proof of the server, choice of the layer.
func (s *Session) authenticateKerberos(offer *pb.RpcSaslProto_SaslAuth, auth Auth) error {
	if offer.GetMechanism() != "GSSAPI" {
		return authErrorf("kerberos authentication by %s is not supported, only GSSAPI", offer.GetMechanism())
	}
	spn := offer.GetProtocol() + "/" + offer.GetServerId()
	if err := s.checkPrincipal(spn, auth); err != nil {
		return err
	}
	ctx, token, err := krb5gss.NewContext(auth.Kerberos.client, spn)
	if err != nil {
		return ticketError(err)
	}
	offer.Challenge = nil
	if err := s.sendSASL(pb.RpcSaslProto_INITIATE, token, offer); err != nil {
		return err
	}
	msg, err := s.recvSASL()
	if err != nil {
		return err
	}
	if err := ctx.Accept(msg.GetToken()); err != nil {
		return &AuthError{Err: err}
	}
	// An empty token, which must be present.
	if err := s.sendSASL(pb.RpcSaslProto_RESPONSE, []byte{}, nil); err != nil {
		return err
	}
	return s.chooseKerberosLayer(ctx, auth)
}

// ticketError is permanent unless the KDC could not be reached.
func ticketError(err error) error {
	var ke krberror.Krberror
	if errors.As(err, &ke) && ke.RootCause == krberror.NetworkingError {
		return err
	}
	return &AuthError{Err: err}
}

func (s *Session) chooseKerberosLayer(ctx *krb5gss.Context, auth Auth) error {
	msg, err := s.recvSASL()
	if err != nil {
		return err
	}
	answer, l, err := ctx.Choose(msg.GetToken(), auth.Protection)
	if err != nil {
		return &AuthError{Err: err}
	}
	if err := s.sendSASL(pb.RpcSaslProto_RESPONSE, answer, nil); err != nil {
		return err
	}
	if msg, err = s.recvSASL(); err != nil {
		return err
	}
	if msg.GetState() != pb.RpcSaslProto_SUCCESS {
		return fmt.Errorf("authentication: expected SUCCESS, the server sent %v", msg.GetState())
	}
	if l != nil {
		s.layer = l
	}
	return nil
}

// checkPrincipal refuses a server whose principal is not the configured one: the offer itself comes unprotected.
func (s *Session) checkPrincipal(spn string, auth Auth) error {
	if auth.Principal == "" {
		return nil
	}
	want, err := serverPrincipal(auth.Principal, s.addr, s.conn.RemoteAddr())
	if err != nil {
		return err
	}
	for _, w := range want {
		if w == spn {
			return nil
		}
	}
	return authErrorf("the server says it is %s, the configuration says %s", spn, strings.Join(want, " or "))
}

// serverPrincipal replaces _HOST of a configured principal, without its realm, by what names the server.
func serverPrincipal(pattern, addr string, remote net.Addr) ([]string, error) {
	name, _, _ := strings.Cut(pattern, "@")
	service, host, ok := strings.Cut(name, "/")
	if !ok {
		return nil, authErrorf("the configured Kerberos principal %s has no host part", pattern)
	}
	if host != "_HOST" {
		return []string{service + "/" + host}, nil
	}
	h, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("server address: %w", err)
	}
	out := []string{service + "/" + strings.ToLower(h)}
	if net.ParseIP(h) == nil {
		return out, nil
	}
	// The address was given as a number; the principal holds the name.
	ip, _, err := net.SplitHostPort(remote.String())
	if err != nil {
		return nil, fmt.Errorf("server address: %w", err)
	}
	names, err := net.LookupAddr(ip)
	if err != nil {
		return out, nil // the number itself may be the name, as on test clusters
	}
	for _, n := range names {
		out = append(out, service+"/"+strings.ToLower(strings.TrimSuffix(n, ".")))
	}
	return out, nil
}
