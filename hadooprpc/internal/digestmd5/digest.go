// Package digestmd5 is the SASL mechanism DIGEST-MD5 (RFC 2831) as Hadoop uses it for tokens: both sides of the
// authentication and the integrity and confidentiality layers (rc4 and 3des). It owns no connection and no
// goroutine; a Layer is used by one writer and one reader at a time.
//
// MD5, RC4 and 3DES are what the protocol prescribes. They authenticate against Hadoop servers that offer
// nothing else; nothing of our own relies on them.
package digestmd5

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The qualities of protection, in rising strength.
const (
	QOPAuth = "auth"
	QOPInt  = "auth-int"
	QOPConf = "auth-conf"
)

// maxDirectives bounds what is parsed of a peer's message; Hadoop sends nine at most.
const maxDirectives = 32

// maxMessage bounds a challenge or response. Token identifiers, base64-encoded in it, can take some kilobytes.
const maxMessage = 256 << 10

// defaultMaxBuf is what a peer that names no maxbuf accepts (RFC 2831 section 2.1.1).
const defaultMaxBuf = 65536

// Params are the inputs of the digest that both sides know.
type Params struct {
	Realm, Nonce, CNonce string
	URI                  string // protocol "/" server id
	QOP                  string
	Cipher               string // "rc4" or "3des" when QOP is auth-conf
	MaxBuf               int    // the largest wrapped message the peer accepts
}

// Credentials are the SASL name and password. Hadoop uses the base64 of a token's identifier and password.
type Credentials struct{ Name, Password string }

// TokenCredentials encodes a token's identifier and password.
func TokenCredentials(identifier, password []byte) Credentials {
	return Credentials{
		Name:     base64.StdEncoding.EncodeToString(identifier),
		Password: base64.StdEncoding.EncodeToString(password),
	}
}

// a1 is the secret part of the digest; its MD5 is also the root of the layers' keys.
func (p Params) a1(c Credentials) string {
	h := md5.Sum([]byte(c.Name + ":" + p.Realm + ":" + c.Password))
	return string(h[:]) + ":" + p.Nonce + ":" + p.CNonce
}

// digest is the response-value of RFC 2831 section 2.1.2.1; method is empty for the server's proof.
func (p Params) digest(c Credentials, method string) string {
	a2 := method + ":" + p.URI
	if p.QOP != QOPAuth {
		a2 += ":00000000000000000000000000000000"
	}
	return hexMD5(hexMD5(p.a1(c)) + ":" + p.Nonce + ":00000001:" + p.CNonce + ":" + p.QOP + ":" + hexMD5(a2))
}

func hexMD5(s string) string {
	h := md5.Sum([]byte(s))
	return hex.EncodeToString(h[:])
}

func randomText() (string, error) {
	b := make([]byte, 24)
	if _, err := rand.Read(b); err != nil {
		return "", fmt.Errorf("random nonce: %w", err)
	}
	return base64.StdEncoding.EncodeToString(b), nil
}

// Client is the initiating side of one authentication.
type Client struct {
	params Params
	creds  Credentials
}

// NewClient answers a server's challenge: it chooses the first wanted quality of protection that the server
// offers (none wanted: the strongest offered) and returns the response to send.
func NewClient(challenge []byte, uri string, creds Credentials, wanted []string) (*Client, []byte, error) {
	kv, err := parse(challenge)
	if err != nil {
		return nil, nil, err
	}
	if kv["nonce"] == "" || kv["algorithm"] != "md5-sess" {
		return nil, nil, fmt.Errorf("digest-md5: challenge without nonce or with algorithm %q", kv["algorithm"])
	}
	p := Params{Realm: kv["realm"], Nonce: kv["nonce"], URI: uri, MaxBuf: defaultMaxBuf}
	if p.QOP, err = chooseQOP(kv["qop"], wanted); err != nil {
		return nil, nil, err
	}
	if p.QOP == QOPConf {
		if p.Cipher, err = chooseCipher(kv["cipher"]); err != nil {
			return nil, nil, err
		}
	}
	if v := kv["maxbuf"]; v != "" {
		if p.MaxBuf, err = parseMaxBuf(v); err != nil {
			return nil, nil, err
		}
	}
	if p.CNonce, err = randomText(); err != nil {
		return nil, nil, err
	}
	c := &Client{params: p, creds: creds}
	return c, c.response(), nil
}

func parseMaxBuf(v string) (int, error) {
	n, err := strconv.Atoi(v)
	if err != nil || n < 1024 || n > 16<<20 {
		return 0, fmt.Errorf("digest-md5: maxbuf %q is out of range", v)
	}
	return n, nil
}

func (c *Client) response() []byte {
	p := c.params
	out := fmt.Sprintf(`charset=utf-8,username="%s",realm="%s",nonce="%s",nc=00000001,cnonce="%s",digest-uri="%s",maxbuf=65536,response=%s,qop=%s`,
		c.creds.Name, escape(p.Realm), escape(p.Nonce), p.CNonce, escape(p.URI), p.digest(c.creds, "AUTHENTICATE"), p.QOP)
	if p.Cipher != "" {
		out += `,cipher="` + p.Cipher + `"`
	}
	return []byte(out)
}

// Finish verifies the server's proof and returns the layer to use from now on, nil for QOP auth.
func (c *Client) Finish(proof []byte) (*Layer, error) {
	want := "rspauth=" + c.params.digest(c.creds, "")
	if !hmac.Equal([]byte(want), proof) {
		return nil, errors.New("digest-md5: the server's proof (rspauth) is wrong: it does not know the token's password")
	}
	return newLayer(c.params, c.creds, true)
}

// QOP is the quality of protection agreed on.
func (c *Client) QOP() string { return c.params.QOP }

// Server is the accepting side of one authentication, for tests.
type Server struct {
	nonce   string
	realm   string
	qops    string
	ciphers string
	params  Params
	creds   Credentials
}

// NewServer makes the accepting side. qops is a comma-separated list; ciphers too, for auth-conf.
func NewServer(qops, ciphers string) (*Server, []byte, error) {
	nonce, err := randomText()
	if err != nil {
		return nil, nil, err
	}
	s := &Server{nonce: nonce, realm: "default", qops: qops, ciphers: ciphers}
	ch := fmt.Sprintf(`realm="%s",nonce="%s",qop="%s",charset=utf-8,`, s.realm, nonce, qops)
	if ciphers != "" {
		ch += `cipher="` + ciphers + `",`
	}
	return s, []byte(ch + "algorithm=md5-sess"), nil
}

// Verify checks the client's response against the password that lookup knows for the name, and returns the
// server's proof and the layer.
func (s *Server) Verify(response []byte, lookup func(name string) (password string, ok bool)) ([]byte, *Layer, error) {
	kv, err := parse(response)
	if err != nil {
		return nil, nil, err
	}
	if kv["nonce"] != s.nonce {
		return nil, nil, errors.New("digest-md5: the response is for another nonce")
	}
	if _, err := chooseQOP(s.qops, []string{kv["qop"]}); err != nil {
		return nil, nil, err
	}
	pass, ok := lookup(kv["username"])
	if !ok {
		return nil, nil, errors.New("digest-md5: unknown token")
	}
	s.creds = Credentials{Name: kv["username"], Password: pass}
	s.params = Params{
		Realm: kv["realm"], Nonce: s.nonce, CNonce: kv["cnonce"], URI: kv["digest-uri"],
		QOP: kv["qop"], Cipher: kv["cipher"], MaxBuf: defaultMaxBuf,
	}
	if want := s.params.digest(s.creds, "AUTHENTICATE"); !hmac.Equal([]byte(want), []byte(kv["response"])) {
		return nil, nil, errors.New("digest-md5: digest response format violation or wrong password")
	}
	layer, err := newLayer(s.params, s.creds, false)
	if err != nil {
		return nil, nil, err
	}
	return []byte("rspauth=" + s.params.digest(s.creds, "")), layer, nil
}

// Name is the authenticated name, the base64 of the token's identifier.
func (s *Server) Name() string { return s.creds.Name }

func chooseQOP(offered string, wanted []string) (string, error) {
	if offered == "" {
		offered = QOPAuth
	}
	if len(wanted) == 0 {
		wanted = []string{QOPConf, QOPInt, QOPAuth}
	}
	for _, w := range wanted {
		if has(offered, w) {
			return w, nil
		}
	}
	return "", fmt.Errorf("digest-md5: the server offers protection %q, none of the wanted %q (see hadoop.rpc.protection)",
		offered, strings.Join(wanted, ","))
}

func chooseCipher(offered string) (string, error) {
	for _, c := range []string{"3des", "rc4"} {
		if has(offered, c) {
			return c, nil
		}
	}
	return "", fmt.Errorf("digest-md5: none of the server's ciphers %q is supported (3des, rc4)", offered)
}

// has tells whether a comma-separated list names v.
func has(list, v string) bool {
	for _, e := range strings.Split(list, ",") {
		if strings.EqualFold(strings.TrimSpace(e), v) {
			return true
		}
	}
	return false
}

// QOP is the quality of protection that the client chose.
func (s *Server) QOP() string { return s.params.QOP }
