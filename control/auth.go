package control

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"google.golang.org/grpc/credentials"
)

// Secret is a cluster's shared secret. Both planes demand it.
type Secret []byte

// SecretSize is the length of a generated secret in bytes.
const SecretSize = 32

// NewSecret makes a random secret.
func NewSecret() (Secret, error) {
	s := make(Secret, SecretSize)
	if _, err := rand.Read(s); err != nil {
		return nil, fmt.Errorf("making the cluster secret: %w", err)
	}
	return s, nil
}

// String keeps a secret out of logs.
func (Secret) String() string { return "******" }

// ErrSecret is returned when the other end does not know the cluster's secret.
var ErrSecret = errors.New("the other end does not know this cluster's secret")

const (
	handshakeMagic   = "GFL1"
	nonceSize        = 32
	helloSize        = len(handshakeMagic) + nonceSize
	handshakeTimeout = 10 * time.Second
)

// Handshake proves to each end that the other knows the secret: both send a
// nonce, then an HMAC-SHA256 over both nonces and their role. Nothing that was
// overheard can be replayed, and the two directions cannot be mirrored. It
// takes one round trip more than a plain connection.
func Handshake(conn net.Conn, secret Secret, client bool) error {
	if len(secret) == 0 {
		return errors.New("control: the cluster has no secret")
	}
	if err := conn.SetDeadline(time.Now().Add(handshakeTimeout)); err != nil {
		return fmt.Errorf("control: handshake with %s: %w", conn.RemoteAddr(), err)
	}
	if err := handshake(conn, secret, client); err != nil {
		return fmt.Errorf("control: handshake with %s: %w", conn.RemoteAddr(), err)
	}
	return conn.SetDeadline(time.Time{})
}

func handshake(conn net.Conn, secret Secret, client bool) error {
	hello := make([]byte, helloSize)
	copy(hello, handshakeMagic)
	if _, err := rand.Read(hello[len(handshakeMagic):]); err != nil {
		return err
	}
	if _, err := conn.Write(hello); err != nil {
		return err
	}
	peer := make([]byte, helloSize)
	if _, err := io.ReadFull(conn, peer); err != nil {
		return err
	}
	if string(peer[:len(handshakeMagic)]) != handshakeMagic {
		return errors.New("the other end does not speak goflink's protocol")
	}
	mine, theirs := hello[len(handshakeMagic):], peer[len(handshakeMagic):]
	if hmac.Equal(mine, theirs) {
		return ErrSecret // our own nonce mirrored
	}
	if client { // the client proves itself first: a server answers nobody it does not know
		if _, err := conn.Write(proof(secret, "client", mine, theirs)); err != nil {
			return err
		}
		return expect(conn, proof(secret, "server", mine, theirs))
	}
	if err := expect(conn, proof(secret, "client", theirs, mine)); err != nil {
		return err
	}
	_, err := conn.Write(proof(secret, "server", theirs, mine))
	return err
}

func proof(secret Secret, role string, clientNonce, serverNonce []byte) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(role))
	h.Write(clientNonce)
	h.Write(serverNonce)
	return h.Sum(nil)
}

func expect(conn net.Conn, want []byte) error {
	got := make([]byte, len(want))
	if _, err := io.ReadFull(conn, got); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return ErrSecret // a server closes on a wrong proof
		}
		return err
	}
	if !hmac.Equal(got, want) {
		return ErrSecret
	}
	return nil
}

// Credentials makes gRPC connections start with the Handshake. It gives no
// confidentiality: security.ssl.internal.* does.
func Credentials(secret Secret) credentials.TransportCredentials { return &transport{secret} }

type transport struct{ secret Secret }

type authInfo struct{ credentials.CommonAuthInfo }

func (authInfo) AuthType() string { return "goflink-secret" }

func info() credentials.AuthInfo {
	return authInfo{credentials.CommonAuthInfo{SecurityLevel: credentials.NoSecurity}}
}

func (t *transport) ClientHandshake(ctx context.Context, _ string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if err := Handshake(conn, t.secret, true); err != nil {
		conn.Close()
		return nil, nil, err
	}
	return conn, info(), nil
}

func (t *transport) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if err := Handshake(conn, t.secret, false); err != nil {
		conn.Close()
		return nil, nil, err
	}
	return conn, info(), nil
}

func (t *transport) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "goflink-secret"}
}
func (t *transport) Clone() credentials.TransportCredentials { return &transport{t.secret} }

// OverrideServerName does nothing: the secret, not a name, authenticates.
func (t *transport) OverrideServerName(string) error { return nil }
