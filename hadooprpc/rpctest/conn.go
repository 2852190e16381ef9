package rpctest

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"

	"goflink/hadooprpc"
	"goflink/hadooprpc/internal/digestmd5"
	"goflink/hadooprpc/internal/wire"
	pb "goflink/hadooprpc/proto/hadoopproto"
)

// serverConn is one accepted connection.
type serverConn struct {
	s        *Server
	conn     net.Conn
	r        *bufio.Reader
	layer    *digestmd5.Layer
	plain    bytes.Buffer // unwrapped bytes: a frame may come in several pieces
	protocol string
	user     string
	token    []byte
	qop      string

	writeMu sync.Mutex
}

// serve reads the connection to its end. A FATAL answer goes out before the connection is closed.
func (c *serverConn) serve() {
	defer c.s.remove(c)
	defer c.conn.Close()
	err := c.run()
	var re *hadooprpc.RemoteError
	if errors.As(err, &re) {
		_ = c.sendError(-1, &hadooprpc.RemoteError{Class: re.Class, Message: re.Message, Fatal: true}) // it ends anyway
	}
}

func (c *serverConn) run() error {
	var head [7]byte
	if _, err := io.ReadFull(c.r, head[:]); err != nil {
		return err
	}
	if string(head[:4]) != "hrpc" || head[4] != wire.Version {
		return fmt.Errorf("rpctest: connection header % x", head)
	}
	switch {
	case head[6] == wire.AuthSASL:
		if err := c.sasl(); err != nil {
			return err
		}
	case !c.s.offers(Simple):
		return Error("org.apache.hadoop.security.AccessControlException",
			"SIMPLE authentication is not enabled.  Available:["+strings.Join(c.s.o.Methods, ", ")+"]")
	}
	for {
		frame, err := c.readFrame()
		if err != nil {
			return err
		}
		if err := c.request(frame); err != nil {
			return err
		}
	}
}

// readFrame gives the next frame, unwrapped.
func (c *serverConn) readFrame() ([]byte, error) {
	if c.layer == nil {
		return wire.ReadFrame(c.r)
	}
	return wire.ReadFrame((*unwrapper)(c))
}

// unwrapper is the connection as a stream of unwrapped bytes.
type unwrapper serverConn

func (u *unwrapper) Read(p []byte) (int, error) {
	for u.plain.Len() == 0 {
		frame, err := wire.ReadFrame(u.r)
		if err != nil {
			return 0, err
		}
		msg, err := requestSASL(frame)
		if err != nil {
			return 0, err
		}
		b, err := u.layer.Unwrap(msg.GetToken())
		if err != nil {
			return 0, err
		}
		u.plain.Write(b)
	}
	return u.plain.Read(p)
}

func requestSASL(frame []byte) (*pb.RpcSaslProto, error) {
	head, msg := &pb.RpcRequestHeaderProto{}, &pb.RpcSaslProto{}
	rest, err := wire.Next(frame, head)
	if err != nil {
		return nil, err
	}
	if head.GetCallId() != wire.CallSASL {
		return nil, fmt.Errorf("rpctest: call %d where a SASL message must come", head.GetCallId())
	}
	_, err = wire.Next(rest, msg)
	return msg, err
}

// request handles one frame after the authentication.
func (c *serverConn) request(frame []byte) error {
	head := &pb.RpcRequestHeaderProto{}
	rest, err := wire.Next(frame, head)
	if err != nil {
		return err
	}
	switch head.GetCallId() {
	case wire.CallPing:
		c.s.mu.Lock()
		c.s.mu.pings++
		c.s.mu.Unlock()
		return nil
	case wire.CallContext:
		info := &pb.IpcConnectionContextProto{}
		if _, err := wire.Next(rest, info); err != nil {
			return err
		}
		c.protocol, c.user = info.GetProtocol(), info.GetUserInfo().GetEffectiveUser()
		if c.token != nil && c.user != "" {
			return Error("org.apache.hadoop.security.AccessControlException", "the user of a token connection must be empty")
		}
		return nil
	}
	rh := &pb.RequestHeaderProto{}
	body, err := wire.Next(rest, rh)
	if err != nil {
		return err
	}
	call := &Call{
		Protocol: rh.GetDeclaringClassProtocolName(), Method: rh.GetMethodName(), User: c.user, Token: c.token, QOP: c.qop,
		ClientID: head.GetClientId(), CallID: head.GetCallId(), Retry: head.GetRetryCount(), Remote: c.conn.RemoteAddr(), body: body,
	}
	if call.Protocol != c.protocol {
		return Error("org.apache.hadoop.ipc.RpcNoSuchProtocolException", "unknown protocol: "+call.Protocol)
	}
	c.s.wg.Go(func() { c.handle(call) })
	return nil
}

func (c *serverConn) handle(call *Call) {
	resp, err := c.s.o.Handle(c.s.ctx, call)
	if errors.Is(err, ErrDrop) {
		_ = c.conn.Close()
		return
	}
	if err != nil {
		var re *hadooprpc.RemoteError
		if !errors.As(err, &re) {
			re = &hadooprpc.RemoteError{Class: "java.io.IOException", Message: err.Error()}
		}
		_ = c.sendError(call.CallID, re) // the client may be gone, which is its affair
		return
	}
	head := responseHeader(call.CallID)
	head.ClientId, head.RetryCount = call.ClientID, proto.Int32(call.Retry)
	_ = c.send(head, resp)
}

func responseHeader(callID int32) *pb.RpcResponseHeaderProto {
	return &pb.RpcResponseHeaderProto{
		CallId: proto.Uint32(uint32(callID)), Status: pb.RpcResponseHeaderProto_SUCCESS.Enum(), ServerIpcVersionNum: proto.Uint32(wire.Version),
	}
}

func (c *serverConn) sendError(callID int32, re *hadooprpc.RemoteError) error {
	head := responseHeader(callID)
	head.Status = pb.RpcResponseHeaderProto_ERROR.Enum()
	if re.Fatal {
		head.Status = pb.RpcResponseHeaderProto_FATAL.Enum()
	}
	head.ExceptionClassName, head.ErrorMsg = proto.String(re.Class), proto.String(re.Message)
	return c.send(head)
}

// send writes one answer, wrapped if a layer is in force.
func (c *serverConn) send(msgs ...proto.Message) error {
	frame, err := wire.AppendFrame(nil, msgs...)
	if err != nil {
		return err
	}
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	if c.layer != nil {
		token, err := c.layer.Wrap(frame)
		if err != nil {
			return err
		}
		msg := &pb.RpcSaslProto{State: pb.RpcSaslProto_WRAP.Enum(), Token: token}
		if frame, err = wire.AppendFrame(nil, responseHeader(wire.CallSASL), msg); err != nil {
			return err
		}
	}
	_, err = c.conn.Write(frame)
	return err
}

// sasl negotiates, as Hadoop's server does.
func (c *serverConn) sasl() error {
	if _, err := c.nextSASL(pb.RpcSaslProto_NEGOTIATE); err != nil {
		return err
	}
	if !c.s.offers(Token) {
		return c.sendSASL(&pb.RpcSaslProto{State: pb.RpcSaslProto_SUCCESS.Enum()})
	}
	digest, challenge, err := digestmd5.NewServer(c.s.o.QOP, c.s.o.Ciphers)
	if err != nil {
		return err
	}
	offer := &pb.RpcSaslProto{State: pb.RpcSaslProto_NEGOTIATE.Enum()}
	offer.Auths = append(offer.Auths, saslAuth(Token, "DIGEST-MD5", challenge))
	if c.s.offers(Simple) {
		offer.Auths = append(offer.Auths, saslAuth(Simple, "", nil))
	}
	if err := c.sendSASL(offer); err != nil {
		return err
	}
	msg, err := c.nextSASL(pb.RpcSaslProto_INITIATE)
	if err != nil {
		return err
	}
	if len(msg.GetAuths()) != 1 || msg.GetAuths()[0].GetMethod() != Token {
		if c.s.offers(Simple) {
			return nil
		}
		return Error("org.apache.hadoop.security.AccessControlException", "only TOKEN is enabled")
	}
	return c.verify(digest, msg.GetToken())
}

func saslAuth(method, mechanism string, challenge []byte) *pb.RpcSaslProto_SaslAuth {
	return &pb.RpcSaslProto_SaslAuth{
		Method: proto.String(method), Mechanism: proto.String(mechanism), Protocol: proto.String(""),
		ServerId: proto.String("default"), Challenge: challenge,
	}
}

func (c *serverConn) verify(digest *digestmd5.Server, response []byte) error {
	proof, layer, err := digest.Verify(response, c.lookup)
	if err != nil {
		return Error("org.apache.hadoop.security.token.SecretManager$InvalidToken", err.Error())
	}
	if c.token, err = base64.StdEncoding.DecodeString(digest.Name()); err != nil {
		return fmt.Errorf("rpctest: token name: %w", err)
	}
	if err := c.sendSASL(&pb.RpcSaslProto{State: pb.RpcSaslProto_SUCCESS.Enum(), Token: proof}); err != nil {
		return err
	}
	c.layer, c.qop = layer, digest.QOP()
	return nil
}

// lookup gives the SASL password of a SASL name.
func (c *serverConn) lookup(name string) (string, bool) {
	id, err := base64.StdEncoding.DecodeString(name)
	if err != nil || c.s.o.Password == nil {
		return "", false
	}
	pass, ok := c.s.o.Password(id)
	return base64.StdEncoding.EncodeToString(pass), ok
}

func (c *serverConn) nextSASL(want pb.RpcSaslProto_SaslState) (*pb.RpcSaslProto, error) {
	frame, err := wire.ReadFrame(c.r)
	if err != nil {
		return nil, err
	}
	msg, err := requestSASL(frame)
	if err == nil && msg.GetState() != want {
		err = fmt.Errorf("rpctest: SASL state %v, expected %v", msg.GetState(), want)
	}
	return msg, err
}

func (c *serverConn) sendSASL(msg *pb.RpcSaslProto) error {
	return c.send(responseHeader(wire.CallSASL), msg)
}
