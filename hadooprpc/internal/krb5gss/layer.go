package krb5gss

import (
	"errors"
	"fmt"
	"strings"
)

// Security layers of RFC 4752, by their bit, under the names Hadoop's other mechanism uses.
var layerBits = map[string]byte{"auth": 1, "auth-int": 2, "auth-conf": 4}

// strongest is the order when the caller wants nothing in particular.
var strongest = []string{"auth-conf", "auth-int", "auth"}

// maxReceive is the largest message we say we accept: the field has 24 bits.
const maxReceive = 0xffffff

// wrapOverhead is more than what any AES encryption type adds to a message.
const wrapOverhead = 128

// Layer protects messages after the hand-shake.
type Layer struct {
	ctx      *Context
	seal     bool
	maxPlain int
}

// Choose reads the server's offer of layers and answers it with the first wanted one (none wanted: the
// strongest). The layer is nil for plain authentication.
func (c *Context) Choose(offer []byte, wanted []string) (answer []byte, layer *Layer, err error) {
	msg, _, err := c.Unwrap(offer)
	if err != nil {
		return nil, nil, err
	}
	if len(msg) != 4 {
		return nil, nil, errors.New("kerberos: malformed offer of security layers")
	}
	if len(wanted) == 0 {
		wanted = strongest
	}
	peerMax := int(msg[1])<<16 | int(msg[2])<<8 | int(msg[3])
	for _, name := range wanted {
		bit := layerBits[name]
		if msg[0]&bit == 0 {
			continue
		}
		return c.answer(bit, peerMax)
	}
	return nil, nil, fmt.Errorf("kerberos: the server offers security layers %#x, none of the wanted %q (see hadoop.rpc.protection)",
		msg[0], strings.Join(wanted, ","))
}

func (c *Context) answer(bit byte, peerMax int) ([]byte, *Layer, error) {
	reply := []byte{bit, maxReceive >> 16, maxReceive >> 8 & 0xff, maxReceive & 0xff}
	var layer *Layer
	if bit == layerBits["auth"] {
		reply = []byte{bit, 0, 0, 0}
	} else {
		if peerMax <= 2*wrapOverhead {
			return nil, nil, fmt.Errorf("kerberos: the server accepts messages of %d bytes only", peerMax)
		}
		layer = &Layer{ctx: c, seal: bit == layerBits["auth-conf"], maxPlain: peerMax - wrapOverhead}
	}
	answer, err := c.Wrap(reply, false)
	return answer, layer, err
}

// MaxPlain is the largest message that Wrap may be given.
func (l *Layer) MaxPlain() int { return l.maxPlain }

// Wrap protects one message.
func (l *Layer) Wrap(msg []byte) ([]byte, error) { return l.ctx.Wrap(msg, l.seal) }

// Unwrap verifies and opens one message; one without the agreed confidentiality is refused.
func (l *Layer) Unwrap(token []byte) ([]byte, error) {
	msg, sealed, err := l.ctx.Unwrap(token)
	if err == nil && l.seal && !sealed {
		return nil, errors.New("kerberos: the server sent an unencrypted message on an encrypted connection")
	}
	return msg, err
}
