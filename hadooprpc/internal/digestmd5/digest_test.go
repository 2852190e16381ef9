package digestmd5

import (
	"bytes"
	"strings"
	"testing"
)

// The example of RFC 2831 section 4, with its fixed nonces.
func TestRFCExample(t *testing.T) {
	p := Params{Realm: "elwood.innosoft.com", Nonce: "OA6MG9tEQGm2hh", CNonce: "OA6MHXh6VqTrRk", URI: "imap/elwood.innosoft.com", QOP: QOPAuth}
	c := Credentials{Name: "chris", Password: "secret"}
	if got := p.digest(c, "AUTHENTICATE"); got != "d388dad90d4bbd760a152321f2143af7" {
		t.Errorf("response %s", got)
	}
	if got := p.digest(c, ""); got != "ea40f60335c427b5527b84dbabcdfffd" {
		t.Errorf("rspauth %s", got)
	}
}

// handshake runs both sides.
func handshake(t *testing.T, qops, ciphers string, wanted []string) (client, server *Layer, agreed string) {
	t.Helper()
	s, challenge, err := NewServer(qops, ciphers)
	if err != nil {
		t.Fatal(err)
	}
	creds := TokenCredentials([]byte("id"), []byte("pass"))
	c, response, err := NewClient(challenge, "/default", creds, wanted)
	if err != nil {
		t.Fatal(err)
	}
	proof, server, err := s.Verify(response, func(name string) (string, bool) { return creds.Password, name == creds.Name })
	if err != nil {
		t.Fatal(err)
	}
	client, err = c.Finish(proof)
	if err != nil {
		t.Fatal(err)
	}
	return client, server, c.QOP()
}

func TestLayers(t *testing.T) {
	for _, c := range []struct{ qops, ciphers, qop string }{
		{"auth", "", QOPAuth}, {"auth,auth-int", "", QOPInt}, {"auth,auth-int,auth-conf", "rc4", QOPConf}, {"auth-conf", "3des,rc4", QOPConf},
	} {
		client, server, qop := handshake(t, c.qops, c.ciphers, nil)
		if qop != c.qop || (client == nil) != (qop == QOPAuth) {
			t.Fatalf("%v agreed on %s", c, qop)
		}
		for n := 0; client != nil && n < 40; n++ {
			msg := bytes.Repeat([]byte{byte(n)}, n)
			exchange(t, client, server, msg, qop)
			exchange(t, server, client, msg, qop)
		}
	}
}

func exchange(t *testing.T, from, to *Layer, msg []byte, qop string) {
	t.Helper()
	w, err := from.Wrap(msg)
	if err != nil {
		t.Fatal(err)
	}
	if qop == QOPConf && len(msg) > 8 && bytes.Contains(w, msg) {
		t.Error("a sealed message shows its text")
	}
	got, err := to.Unwrap(w)
	if err != nil || !bytes.Equal(got, msg) {
		t.Fatalf("%d bytes became %d, %v", len(msg), len(got), err)
	}
}

func TestTampering(t *testing.T) {
	for _, cipher := range []string{"", "rc4", "3des"} {
		qops := QOPConf
		if cipher == "" {
			qops = QOPInt
		}
		for i := range 48 {
			client, server, _ := handshake(t, qops, cipher, nil)
			w, err := client.Wrap([]byte("hello, world"))
			if err != nil {
				t.Fatal(err)
			}
			bad := append([]byte{}, w...)
			bad[i%len(bad)] ^= 1 << (i % 8)
			if _, err := server.Unwrap(bad); err == nil {
				t.Errorf("%s: a changed byte %d went unnoticed", cipher, i)
			}
			if _, err := server.Unwrap(w[:i%len(w)]); err == nil {
				t.Errorf("%s: a short message went unnoticed", cipher)
			}
		}
		client, server, _ := handshake(t, qops, cipher, nil)
		w, err := client.Wrap([]byte("once"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := server.Unwrap(w); err != nil {
			t.Fatal(err)
		}
		if _, err := server.Unwrap(w); err == nil {
			t.Errorf("%s: a repeated message was accepted", cipher)
		}
	}
}

func TestRefusals(t *testing.T) {
	creds := TokenCredentials([]byte("id"), []byte("pass"))
	for _, ch := range []string{
		"", "nonce", `nonce="x"`, `nonce="x",algorithm=md5`, `nonce="x",nonce="y",algorithm=md5-sess`, `nonce="x`, `nonce="x",algorithm=md5-sess,qop="other"`,
		`nonce="x",algorithm=md5-sess,qop="auth-conf",cipher="des"`, `nonce="x",algorithm=md5-sess,maxbuf=1`,
	} {
		if _, _, err := NewClient([]byte(ch), "/default", creds, nil); err == nil {
			t.Errorf("challenge %q was accepted", ch)
		}
	}
	s, challenge, err := NewServer("auth", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := NewClient(challenge, "/default", creds, []string{QOPConf}); err == nil || !strings.Contains(err.Error(), "hadoop.rpc.protection") {
		t.Errorf("weaker protection than wanted: %v", err)
	}
	c, response, err := NewClient(challenge, "/default", creds, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Verify(response, func(string) (string, bool) { return "other", true }); err == nil {
		t.Error("a wrong password was accepted")
	}
	if _, err := c.Finish([]byte("rspauth=00000000000000000000000000000000")); err == nil {
		t.Error("a server without the password was accepted")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`realm="default",nonce="a\"b",qop="auth,auth-conf",charset=utf-8,algorithm=md5-sess`))
	f.Add([]byte(`a=b,,c="d" ,e=`))
	f.Fuzz(func(_ *testing.T, b []byte) {
		_, _ = parse(b)
		_, _, _ = NewClient(b, "/default", Credentials{}, nil)
	})
}

func FuzzUnwrap(f *testing.F) {
	f.Add([]byte("0123456789012345678901234567890123456789"), true)
	f.Add([]byte{}, false)
	f.Fuzz(func(t *testing.T, b []byte, des bool) {
		p := Params{QOP: QOPConf, Cipher: "rc4", MaxBuf: defaultMaxBuf}
		if des {
			p.Cipher = "3des"
		}
		l, err := newLayer(p, Credentials{}, true)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = l.Unwrap(b)
	})
}
