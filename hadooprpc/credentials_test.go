package hadooprpc

import (
	"bytes"
	"encoding/hex"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"goflink/hadooprpc/internal/wire"
	pb "goflink/hadooprpc/proto/hadoopproto"
)

func sampleCredentials() *Credentials {
	c := &Credentials{}
	c.AddToken("", &Token{Identifier: []byte{1, 2}, Password: []byte("pw"), Kind: KindAMRM})
	c.AddToken("b", &Token{Identifier: bytes.Repeat([]byte{9}, 300), Password: []byte{}, Kind: KindHDFSDelegation, Service: "1.2.3.4:8020"})
	c.AddSecret("s", []byte("secret"))
	return c
}

// What Hadoop writes, byte by byte (security/Credentials.java).
func TestCredentialsBytes(t *testing.T) {
	empty := &Credentials{}
	if got := empty.Bytes(); !bytes.Equal(got, []byte{'H', 'D', 'T', 'S', 0, 0, 0}) {
		t.Errorf("empty credentials are % x", got)
	}
	c := &Credentials{}
	c.AddToken("a", &Token{Identifier: []byte{7}, Password: []byte{8, 9}, Kind: "K", Service: "s"})
	c.AddSecret("x", []byte{5})
	want := "48445453" + "00" + "01" + "0161" + "0107" + "020809" + "014b" + "0173" + "01" + "0178" + "0105"
	if got := hex.EncodeToString(c.Bytes()); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestCredentialsRoundTrip(t *testing.T) {
	c := sampleCredentials()
	got, err := ParseCredentials(c.Bytes())
	if err != nil || !reflect.DeepEqual(got, c) {
		t.Fatalf("got %v, %v", got, err)
	}
	if tok := got.TokensOfKind(KindAMRM); len(tok) != 1 || string(tok[0].Password) != "pw" {
		t.Errorf("tokens %v", tok)
	}
	workers := got.WithoutKind(KindAMRM)
	if len(workers.Aliases()) != 1 || string(workers.Secret("s")) != "secret" || workers.Token("") != nil || got.Token("") == nil {
		t.Errorf("workers' credentials %v", workers.Aliases())
	}
}

func TestCredentialsVersion1(t *testing.T) {
	msg := &pb.CredentialsProto{
		Tokens:  []*pb.CredentialsKVProto{{Alias: proto.String("a"), Token: (&Token{Identifier: []byte{1}, Password: []byte{2}, Kind: "K", Service: "S"}).Proto()}},
		Secrets: []*pb.CredentialsKVProto{{Alias: proto.String("s"), Secret: []byte("x")}},
	}
	frame, err := wire.AppendFrame(nil, msg)
	if err != nil {
		t.Fatal(err)
	}
	c, err := ParseCredentials(append([]byte("HDTS\x01"), frame[4:]...))
	if err != nil || c.Token("a").Service != "S" || string(c.Secret("s")) != "x" {
		t.Errorf("got %v, %v", c, err)
	}
}

func TestMalformedCredentials(t *testing.T) {
	good := sampleCredentials().Bytes()
	for n := range good {
		if _, err := ParseCredentials(good[:n]); err == nil {
			t.Errorf("the first %d of %d bytes were accepted", n, len(good))
		}
	}
	for _, b := range []string{"HDTX\x00\x00\x00", "HDTS\x02", "HDTS\x00\x00\x00\x00", "HDTS\x00\x8c\x7f\xff\xff\xff", "HDTS\x00\xff\x01", "HDTS\x00\x01\x01\xff\x00\x00\x00\x00\x00"} {
		if _, err := ParseCredentials([]byte(b)); err == nil {
			t.Errorf("%q was accepted", b)
		}
	}
}

func TestLoadCredentials(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(path, sampleCredentials().Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{EnvTokenFile: path}
	c, err := LoadCredentials(func(k string) string { return env[k] })
	if err != nil || len(c.Aliases()) != 2 {
		t.Errorf("got %v, %v", c, err)
	}
	env[EnvTokenFile] = path + "x"
	if _, err := LoadCredentials(func(k string) string { return env[k] }); err == nil {
		t.Error("a missing file was accepted")
	}
	if c, err := LoadCredentials(func(string) string { return "" }); err != nil || len(c.Aliases()) != 0 {
		t.Errorf("without the variable: %v, %v", c, err)
	}
}

// Passwords and secrets must not reach logs.
func TestSecretFree(t *testing.T) {
	c := sampleCredentials()
	var out bytes.Buffer
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "credentials", c, "token", c.Token(""))
	if strings.Contains(out.String(), "pw") || strings.Contains(out.String(), "secret\"") {
		t.Errorf("logged %s", out.String())
	}
}

func TestVLong(t *testing.T) {
	for _, v := range []int64{0, 1, -1, 127, 128, -112, -113, 255, 256, 65535, 1 << 31, -1 << 31, math.MaxInt64, math.MinInt64} {
		b := appendVLong(nil, v)
		r := &writableReader{b: b}
		if got := r.vlong(); got != v || r.err != nil || len(r.b) != 0 {
			t.Errorf("%d became %d, %v (% x)", v, got, r.err, b)
		}
	}
}

func FuzzParseCredentials(f *testing.F) {
	f.Add(sampleCredentials().Bytes())
	f.Add([]byte("HDTS\x01\x00"))
	f.Add([]byte("HDTS\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseCredentials(b)
		if err != nil {
			return
		}
		again, err := ParseCredentials(c.Bytes())
		if err != nil || !bytes.Equal(again.Bytes(), c.Bytes()) {
			t.Errorf("% x did not survive: %v", b, err)
		}
	})
}
