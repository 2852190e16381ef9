package krb5gss

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/types"
)

var etypes = map[int32]int{etypeID.AES128_CTS_HMAC_SHA1_96: 16, etypeID.AES256_CTS_HMAC_SHA1_96: 32}

func newTestContext(t testing.TB, etype int32, subkey bool) *Context {
	t.Helper()
	c := &Context{sendSeq: 5, recvSeq: 9}
	if err := c.setKey(types.EncryptionKey{KeyType: etype, KeyValue: bytes.Repeat([]byte{7}, etypes[etype])}, subkey); err != nil {
		t.Fatal(err)
	}
	return c
}

// acceptorWrap makes the token of the other side, rotated by rrc.
func acceptorWrap(t testing.TB, c *Context, seq uint64, msg []byte, sealed bool, rrc int) []byte {
	t.Helper()
	head := make([]byte, wrapHeaderLen)
	head[0], head[1], head[2], head[3] = 5, 4, flagAcceptor, 0xff
	if c.subkey {
		head[2] |= flagSubkey
	}
	if sealed {
		head[2] |= flagSealed
	}
	binary.BigEndian.PutUint64(head[8:], seq)
	signed := append(append([]byte{}, msg...), head...)
	var body []byte
	if sealed {
		_, ct, err := c.etype.EncryptMessage(c.key.KeyValue, signed, keyusage.GSSAPI_ACCEPTOR_SEAL)
		if err != nil {
			t.Fatal(err)
		}
		body = ct
	} else {
		sum, err := c.etype.GetChecksumHash(c.key.KeyValue, signed, keyusage.GSSAPI_ACCEPTOR_SEAL)
		if err != nil {
			t.Fatal(err)
		}
		body = append(append([]byte{}, msg...), sum...)
		binary.BigEndian.PutUint16(head[4:], uint16(len(sum)))
	}
	binary.BigEndian.PutUint16(head[6:], uint16(rrc))
	cut := len(body) - rrc%len(body)
	return append(append(head, body[cut:]...), body[:cut]...)
}

func TestUnwrap(t *testing.T) {
	for etype := range etypes {
		for _, sealed := range []bool{true, false} {
			for _, rrc := range []int{0, 1, 12, 28, 1000} {
				c := newTestContext(t, etype, rrc == 28)
				for seq := uint64(9); seq < 12; seq++ {
					got, was, err := c.Unwrap(acceptorWrap(t, c, seq, []byte("hello"), sealed, rrc))
					if err != nil || string(got) != "hello" || was != sealed {
						t.Fatalf("etype %d sealed %v rotated by %d: %q, %v, %v", etype, sealed, rrc, got, was, err)
					}
				}
			}
		}
	}
}

func TestUnwrapRefuses(t *testing.T) {
	c := newTestContext(t, etypeID.AES256_CTS_HMAC_SHA1_96, false)
	for _, sealed := range []bool{true, false} {
		good := acceptorWrap(t, c, 9, []byte("hello"), sealed, 0)
		for i := range good {
			if i == 3 {
				continue // the filler byte of the header is covered, but no more than that it is there
			}
			bad := append([]byte{}, good...)
			bad[i] ^= 0x10
			if _, _, err := c.Unwrap(bad); err == nil {
				t.Errorf("sealed %v: a changed byte %d went unnoticed", sealed, i)
			}
			if _, _, err := c.Unwrap(good[:i]); err == nil {
				t.Errorf("sealed %v: the first %d bytes were accepted", sealed, i)
			}
		}
		if _, _, err := c.Unwrap(acceptorWrap(t, c, 10, []byte("hello"), sealed, 0)); err == nil {
			t.Error("a token out of sequence was accepted")
		}
	}
}

// What we wrap opens with the initiator's key usage, and numbers go up.
func TestWrap(t *testing.T) {
	c := newTestContext(t, etypeID.AES256_CTS_HMAC_SHA1_96, true)
	for seq := uint64(5); seq < 8; seq++ {
		token, err := c.Wrap([]byte("hello"), true)
		if err != nil {
			t.Fatal(err)
		}
		plain, err := crypto.DecryptMessage(token[wrapHeaderLen:], c.key, keyusage.GSSAPI_INITIATOR_SEAL)
		if err != nil || !bytes.Equal(plain, append([]byte("hello"), token[:wrapHeaderLen]...)) {
			t.Fatalf("sealed text %q, %v", plain, err)
		}
		if token[2] != flagSealed|flagSubkey || binary.BigEndian.Uint64(token[8:]) != seq {
			t.Errorf("header % x", token[:wrapHeaderLen])
		}
	}
}

func TestChoose(t *testing.T) {
	for _, x := range []struct {
		offer  byte
		wanted []string
		bit    byte
	}{
		{7, nil, 4}, {3, nil, 2}, {1, nil, 1}, {7, []string{"auth-int", "auth-conf"}, 2}, {1, []string{"auth-conf"}, 0}, {0, nil, 0},
	} {
		c := newTestContext(t, etypeID.AES256_CTS_HMAC_SHA1_96, false)
		answer, layer, err := c.Choose(acceptorWrap(t, c, 9, []byte{x.offer, 1, 0, 0}, false, 0), x.wanted)
		if x.bit == 0 {
			if err == nil {
				t.Errorf("%v: accepted", x)
			}
			continue
		}
		if err != nil || answer[wrapHeaderLen] != x.bit || (layer == nil) != (x.bit == 1) {
			t.Fatalf("%v: % x, %v, %v", x, answer, layer, err)
		}
		if layer != nil && layer.MaxPlain() != 65536-wrapOverhead {
			t.Errorf("at most %d bytes", layer.MaxPlain())
		}
	}
}

// An encrypted connection must stay one.
func TestLayerRefusesUnsealed(t *testing.T) {
	c := newTestContext(t, etypeID.AES256_CTS_HMAC_SHA1_96, false)
	l := &Layer{ctx: c, seal: true, maxPlain: 100}
	if _, err := l.Unwrap(acceptorWrap(t, c, 9, []byte("x"), false, 0)); err == nil {
		t.Error("an unencrypted message was accepted")
	}
}

func FuzzUnwrap(f *testing.F) {
	c := newTestContext(f, etypeID.AES128_CTS_HMAC_SHA1_96, false)
	f.Add(acceptorWrap(f, c, 9, []byte("hello"), true, 28))
	f.Add(acceptorWrap(f, c, 9, []byte("hello"), false, 12))
	f.Fuzz(func(t *testing.T, b []byte) {
		c := newTestContext(t, etypeID.AES128_CTS_HMAC_SHA1_96, false)
		_, _, _ = c.Unwrap(b)
		_ = c.Accept(b)
	})
}
