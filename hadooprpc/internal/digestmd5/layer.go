package digestmd5

import (
	"crypto/cipher"
	"crypto/des"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rc4"
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	macLen     = 10
	trailerLen = 6 // message type 1 and sequence number
)

// Layer protects messages after an authentication that agreed on auth-int or auth-conf. Wrap and Unwrap keep
// separate state, so that one goroutine may write while another reads.
type Layer struct {
	send, recv half
	maxPlain   int
}

// half is one direction: signing key, sequence number and running cipher.
type half struct {
	ki     []byte
	seq    uint32
	stream *rc4.Cipher
	block  cipher.BlockMode
}

// newLayer derives the keys of RFC 2831 sections 2.3 and 2.4, nil for QOP auth.
func newLayer(p Params, c Credentials, client bool) (*Layer, error) {
	if p.QOP == QOPAuth {
		return nil, nil
	}
	ha1 := md5.Sum([]byte(p.a1(c)))
	key := func(text string) []byte {
		h := md5.Sum(append(append([]byte{}, ha1[:]...), text...))
		return h[:]
	}
	toServer := half{ki: key("Digest session key to client-to-server signing key magic constant")}
	toClient := half{ki: key("Digest session key to server-to-client signing key magic constant")}
	if p.QOP == QOPConf {
		kcc := key("Digest H(A1) to client-to-server sealing key magic constant")
		kcs := key("Digest H(A1) to server-to-client sealing key magic constant")
		if err := errors.Join(toServer.seal(p.Cipher, kcc, client), toClient.seal(p.Cipher, kcs, !client)); err != nil {
			return nil, err
		}
	}
	l := &Layer{send: toServer, recv: toClient, maxPlain: p.MaxBuf - macLen - trailerLen - 8}
	if !client {
		l.send, l.recv = toClient, toServer
	}
	return l, nil
}

// seal sets the direction's cipher up, for encryption or decryption.
func (h *half) seal(name string, key []byte, encrypt bool) error {
	switch name {
	case "rc4":
		s, err := rc4.NewCipher(key)
		if err != nil {
			return fmt.Errorf("digest-md5: rc4: %w", err)
		}
		h.stream = s
		return nil
	case "3des":
		k1, k2 := expandDES(key[:7]), expandDES(key[7:14])
		b, err := des.NewTripleDESCipher(append(append(append([]byte{}, k1...), k2...), k1...))
		if err != nil {
			return fmt.Errorf("digest-md5: 3des: %w", err)
		}
		if encrypt {
			h.block = cipher.NewCBCEncrypter(b, key[8:16])
		} else {
			h.block = cipher.NewCBCDecrypter(b, key[8:16])
		}
		return nil
	}
	return fmt.Errorf("digest-md5: cipher %q is not supported", name)
}

// expandDES spreads 56 key bits over eight bytes; DES ignores the lowest (parity) bit of each.
func expandDES(in []byte) []byte {
	var v uint64
	for _, b := range in {
		v = v<<8 | uint64(b)
	}
	out := make([]byte, 8)
	for i := 7; i >= 0; i-- {
		out[i] = byte(v&0x7f) << 1
		v >>= 7
	}
	return out
}

func (h *half) mac(msg []byte) []byte {
	m := hmac.New(md5.New, h.ki)
	var seq [4]byte
	binary.BigEndian.PutUint32(seq[:], h.seq)
	m.Write(seq[:])
	m.Write(msg)
	return m.Sum(nil)[:macLen]
}

// MaxPlain is the largest message that Wrap may be given, by the peer's maxbuf.
func (l *Layer) MaxPlain() int { return l.maxPlain }

// Wrap protects one message.
func (l *Layer) Wrap(msg []byte) ([]byte, error) {
	h := &l.send
	out := append(make([]byte, 0, len(msg)+macLen+trailerLen+8), msg...)
	if h.block != nil {
		pad := h.block.BlockSize() - (len(msg)+macLen)%h.block.BlockSize()
		for range pad {
			out = append(out, byte(pad))
		}
	}
	out = append(out, h.mac(msg)...)
	if h.stream != nil {
		h.stream.XORKeyStream(out, out)
	}
	if h.block != nil {
		h.block.CryptBlocks(out, out)
	}
	out = append(out, 0, 1)
	out = binary.BigEndian.AppendUint32(out, h.seq)
	h.seq++
	return out, nil
}

// Unwrap verifies and opens one message. After an error the layer is of no use any more.
func (l *Layer) Unwrap(token []byte) ([]byte, error) {
	h := &l.recv
	if len(token) < macLen+trailerLen {
		return nil, errors.New("digest-md5: wrapped message is too short")
	}
	body, trailer := append([]byte{}, token[:len(token)-trailerLen]...), token[len(token)-trailerLen:]
	if binary.BigEndian.Uint16(trailer) != 1 || binary.BigEndian.Uint32(trailer[2:]) != h.seq {
		return nil, errors.New("digest-md5: wrapped message out of sequence")
	}
	if h.stream != nil {
		h.stream.XORKeyStream(body, body)
	}
	pad := 0
	if h.block != nil {
		if len(body)%h.block.BlockSize() != 0 {
			return nil, errors.New("digest-md5: wrapped message is not whole blocks")
		}
		h.block.CryptBlocks(body, body)
		if len(body) > macLen {
			pad = int(body[len(body)-macLen-1])
		}
		if pad < 1 || pad > h.block.BlockSize() || len(body)-macLen-pad < 0 {
			return nil, errors.New("digest-md5: wrapped message with wrong padding")
		}
	}
	msg, mac := body[:len(body)-macLen-pad], body[len(body)-macLen:]
	if !hmac.Equal(mac, h.mac(msg)) {
		return nil, errors.New("digest-md5: wrapped message fails its integrity check")
	}
	h.seq++
	return msg, nil
}
