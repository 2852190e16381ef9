// Package krb5gss is the initiating side of the GSS-API Kerberos 5 mechanism (RFC 4121) with mutual
// authentication, and the SASL mechanism GSSAPI (RFC 4752) on top, as far as Hadoop RPC needs them. gokrb5 gives
// tickets and cryptography. A Context belongs to one connection; after the hand-shake one goroutine may wrap
// while another unwraps. RC4 service keys (RFC 4757) are refused: they use tokens of another shape.
package krb5gss

import (
	"bytes"
	"crypto/hmac"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/jcmturner/gofork/encoding/asn1"
	"github.com/jcmturner/gokrb5/v8/asn1tools"
	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/crypto/etype"
	"github.com/jcmturner/gokrb5/v8/gssapi"
	"github.com/jcmturner/gokrb5/v8/iana/chksumtype"
	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/iana/flags"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

// Wrap token flags (RFC 4121 section 4.2.2) and the header's length.
const (
	flagAcceptor  = 1
	flagSealed    = 2
	flagSubkey    = 4
	wrapHeaderLen = 16
)

// contextFlags are asked for: mutual authentication, replay and sequence detection, confidentiality, integrity.
const contextFlags = gssapi.ContextFlagMutual | gssapi.ContextFlagReplay | gssapi.ContextFlagSequence |
	gssapi.ContextFlagConf | gssapi.ContextFlagInteg

// Context is an initiator's security context.
type Context struct {
	session types.EncryptionKey // of the ticket
	key     types.EncryptionKey // of the context: the acceptor's subkey, if it sent one
	subkey  bool
	auth    types.Authenticator
	sendSeq uint64
	recvSeq uint64
	etype   etype.EType
}

// NewContext gets a service ticket and returns the context with the first token to send.
func NewContext(cl *client.Client, spn string) (*Context, []byte, error) {
	ticket, key, err := cl.GetServiceTicket(spn)
	if err != nil {
		return nil, nil, fmt.Errorf("kerberos ticket for %s: %w", spn, err)
	}
	if key.KeyType == etypeID.RC4_HMAC {
		return nil, nil, fmt.Errorf("kerberos service %s has an RC4 key only: give it AES keys", spn)
	}
	auth, err := types.NewAuthenticator(cl.Credentials.Domain(), cl.Credentials.CName())
	if err != nil {
		return nil, nil, fmt.Errorf("kerberos authenticator: %w", err)
	}
	auth.Cksum = types.Checksum{CksumType: chksumtype.GSSAPI, Checksum: channelChecksum()}
	c := &Context{session: key, auth: auth, sendSeq: uint64(auth.SeqNumber)}
	if err := c.setKey(key, false); err != nil {
		return nil, nil, err
	}
	token, err := c.apReq(ticket)
	return c, token, err
}

// channelChecksum is the 0x8003 checksum (RFC 4121 section 4.1.1): no channel binding, and the flags.
func channelChecksum() []byte {
	b := make([]byte, 24)
	binary.LittleEndian.PutUint32(b, 16)
	binary.LittleEndian.PutUint32(b[20:], uint32(contextFlags))
	return b
}

func (c *Context) apReq(ticket messages.Ticket) ([]byte, error) {
	req, err := messages.NewAPReq(ticket, c.session, c.auth)
	if err != nil {
		return nil, fmt.Errorf("kerberos AP-REQ: %w", err)
	}
	types.SetFlag(&req.APOptions, flags.APOptionMutualRequired)
	body, err := req.Marshal()
	if err != nil {
		return nil, fmt.Errorf("encode kerberos AP-REQ: %w", err)
	}
	oid, err := asn1.Marshal(gssapi.OIDKRB5.OID())
	if err != nil {
		return nil, fmt.Errorf("encode the mechanism's oid: %w", err)
	}
	return asn1tools.AddASNAppTag(append(append(oid, 1, 0), body...), 0), nil
}

func (c *Context) setKey(key types.EncryptionKey, subkey bool) error {
	et, err := crypto.GetEtype(key.KeyType)
	if err != nil {
		return fmt.Errorf("kerberos encryption type %d: %w", key.KeyType, err)
	}
	c.key, c.subkey, c.etype = key, subkey, et
	return nil
}

// Accept verifies the acceptor's AP-REP: only who has the service's key can have made it.
func (c *Context) Accept(token []byte) error {
	var oid asn1.ObjectIdentifier
	rest, err := asn1.UnmarshalWithParams(token, &oid, "application,explicit,tag:0")
	if err != nil {
		return fmt.Errorf("kerberos answer: %w", err)
	}
	if len(rest) < 2 || rest[0] != 2 || rest[1] != 0 {
		return errors.New("kerberos answer is no AP-REP")
	}
	var rep messages.APRep
	if err := rep.Unmarshal(rest[2:]); err != nil {
		return fmt.Errorf("kerberos AP-REP: %w", err)
	}
	if len(rep.EncPart.Cipher) < shortestCipher(c.etype) {
		return errors.New("kerberos AP-REP is too short")
	}
	plain, err := crypto.DecryptEncPart(rep.EncPart, c.session, keyusage.AP_REP_ENCPART)
	if err != nil {
		return fmt.Errorf("decrypt kerberos AP-REP: %w", err)
	}
	var part messages.EncAPRepPart
	if err := part.Unmarshal(plain); err != nil {
		return fmt.Errorf("decode kerberos AP-REP: %w", err)
	}
	if part.CTime.Unix() != c.auth.CTime.Unix() || part.Cusec != c.auth.Cusec {
		return errors.New("kerberos AP-REP answers another request")
	}
	c.recvSeq = uint64(part.SequenceNumber)
	if len(part.Subkey.KeyValue) > 0 {
		return c.setKey(part.Subkey, true)
	}
	return nil
}

// Wrap protects a message; seal also encrypts it.
func (c *Context) Wrap(msg []byte, seal bool) ([]byte, error) {
	head := make([]byte, wrapHeaderLen)
	head[0], head[1], head[3] = 5, 4, 0xff
	if c.subkey {
		head[2] |= flagSubkey
	}
	if seal {
		head[2] |= flagSealed
	}
	binary.BigEndian.PutUint64(head[8:], c.sendSeq)
	c.sendSeq++
	signed := append(append(make([]byte, 0, len(msg)+wrapHeaderLen), msg...), head...)
	if seal {
		_, ct, err := c.etype.EncryptMessage(c.key.KeyValue, signed, keyusage.GSSAPI_INITIATOR_SEAL)
		if err != nil {
			return nil, fmt.Errorf("kerberos wrap: %w", err)
		}
		return append(head, ct...), nil
	}
	sum, err := c.etype.GetChecksumHash(c.key.KeyValue, signed, keyusage.GSSAPI_INITIATOR_SEAL)
	if err != nil {
		return nil, fmt.Errorf("kerberos wrap: %w", err)
	}
	binary.BigEndian.PutUint16(head[4:], uint16(len(sum)))
	return append(append(head, msg...), sum...), nil
}

// Unwrap verifies and opens the acceptor's message, and tells whether it was encrypted.
func (c *Context) Unwrap(token []byte) (msg []byte, sealed bool, err error) {
	if len(token) < wrapHeaderLen || token[0] != 5 || token[1] != 4 || token[2]&flagAcceptor == 0 {
		return nil, false, errors.New("kerberos: not an acceptor's wrap token")
	}
	if (token[2]&flagSubkey != 0) != c.subkey {
		return nil, false, errors.New("kerberos: wrap token under another key")
	}
	if seq := binary.BigEndian.Uint64(token[8:]); seq != c.recvSeq {
		return nil, false, fmt.Errorf("kerberos: wrap token out of sequence (%d, expected %d)", seq, c.recvSeq)
	}
	extra, rotate := int(binary.BigEndian.Uint16(token[4:])), int(binary.BigEndian.Uint16(token[6:]))
	head := append([]byte{}, token[:wrapHeaderLen]...)
	body := unrotate(token[wrapHeaderLen:], rotate)
	head[6], head[7] = 0, 0 // the rotation is not covered by the checksum
	sealed = token[2]&flagSealed != 0
	if sealed {
		msg, err = c.open(head, body, extra)
	} else {
		msg, err = c.verify(head, body, extra)
	}
	if err == nil {
		c.recvSeq++
	}
	return msg, sealed, err
}

// unrotate undoes the right rotation of a wrap token (RFC 4121 section 4.2.5) in a copy.
func unrotate(b []byte, by int) []byte {
	if len(b) == 0 {
		return nil
	}
	by %= len(b)
	return append(append(make([]byte, 0, len(b)), b[by:]...), b[:by]...)
}

// shortestCipher is the length of an encrypted empty message. gokrb5 panics on shorter ones.
func shortestCipher(et etype.EType) int {
	return et.GetConfounderByteSize() + et.GetHMACBitLength()/8
}

func (c *Context) open(head, body []byte, extra int) ([]byte, error) {
	if len(body) < shortestCipher(c.etype)+wrapHeaderLen {
		return nil, errors.New("kerberos: sealed message is too short")
	}
	plain, err := c.etype.DecryptMessage(c.key.KeyValue, body, keyusage.GSSAPI_ACCEPTOR_SEAL)
	if err != nil {
		return nil, fmt.Errorf("kerberos unwrap: %w", err)
	}
	end := len(plain) - wrapHeaderLen - extra
	if end < 0 || !bytes.Equal(plain[len(plain)-wrapHeaderLen:], head) {
		return nil, errors.New("kerberos: the header of a sealed message does not match")
	}
	return plain[:end], nil
}

func (c *Context) verify(head, body []byte, extra int) ([]byte, error) {
	if extra > len(body) {
		return nil, errors.New("kerberos: wrap token is too short")
	}
	head[4], head[5] = 0, 0
	msg, sum := body[:len(body)-extra], body[len(body)-extra:]
	signed := append(append(make([]byte, 0, len(msg)+wrapHeaderLen), msg...), head...)
	want, err := c.etype.GetChecksumHash(c.key.KeyValue, signed, keyusage.GSSAPI_ACCEPTOR_SEAL)
	if err != nil {
		return nil, fmt.Errorf("kerberos unwrap: %w", err)
	}
	if !hmac.Equal(want, sum) {
		return nil, errors.New("kerberos: a message fails its integrity check")
	}
	return msg, nil
}
