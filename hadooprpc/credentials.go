package hadooprpc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"

	"goflink/hadooprpc/internal/wire"
	pb "goflink/hadooprpc/proto/hadoopproto"
)

// EnvTokenFile names the variable with the path of a container's credentials file.
const EnvTokenFile = "HADOOP_TOKEN_FILE_LOCATION"

// maxCredentials bounds a credentials file; tokens have some hundred bytes each.
const maxCredentials = 16 << 20

const credentialsMagic = "HDTS"

// Credentials are the tokens and secrets that travel with an application, by alias. The zero value is empty.
type Credentials struct {
	tokens  map[string]*Token
	secrets map[string][]byte
}

// AddToken stores a token under an alias, by custom its service.
func (c *Credentials) AddToken(alias string, t *Token) {
	if c.tokens == nil {
		c.tokens = map[string]*Token{}
	}
	c.tokens[alias] = t
}

// AddSecret stores secret bytes under an alias.
func (c *Credentials) AddSecret(alias string, secret []byte) {
	if c.secrets == nil {
		c.secrets = map[string][]byte{}
	}
	c.secrets[alias] = bytes.Clone(secret)
}

// Secret gives the secret bytes under an alias, nil if there are none.
func (c *Credentials) Secret(alias string) []byte { return bytes.Clone(c.secrets[alias]) }

// Token gives the token under an alias, or nil.
func (c *Credentials) Token(alias string) *Token { return c.tokens[alias] }

// TokensOfKind lists the tokens of a kind in the order of their aliases. The ResourceManager gives its token to
// an ApplicationMaster under an empty alias and service, so that the kind is the way to find it.
func (c *Credentials) TokensOfKind(kind string) []*Token {
	var out []*Token
	for _, a := range c.Aliases() {
		if c.tokens[a].Kind == kind {
			out = append(out, c.tokens[a])
		}
	}
	return out
}

// Aliases lists the aliases of the tokens, sorted.
func (c *Credentials) Aliases() []string { return slices.Sorted(maps.Keys(c.tokens)) }

// WithoutKind gives a copy without the tokens of a kind: workers must not get the ApplicationMaster's.
func (c *Credentials) WithoutKind(kind string) *Credentials {
	out := &Credentials{secrets: maps.Clone(c.secrets)}
	for a, t := range c.tokens {
		if t.Kind != kind {
			out.AddToken(a, t)
		}
	}
	return out
}

// LogValue keeps tokens and secrets out of logs.
func (c *Credentials) LogValue() slog.Value {
	return slog.StringValue(fmt.Sprintf("%d tokens, %d secrets", len(c.tokens), len(c.secrets)))
}

// LoadCredentials reads the file that env (os.Getenv) names under HADOOP_TOKEN_FILE_LOCATION. Without the
// variable the credentials are empty.
func LoadCredentials(env func(string) string) (*Credentials, error) {
	path := env(EnvTokenFile)
	if path == "" {
		return &Credentials{}, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the credentials file %s names: %w", EnvTokenFile, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxCredentials+1))
	if err != nil {
		return nil, fmt.Errorf("read the credentials file %s: %w", path, err)
	}
	c, err := ParseCredentials(b)
	if err != nil {
		return nil, fmt.Errorf("read the credentials file %s: %w", path, err)
	}
	return c, nil
}

// ParseCredentials decodes a credentials file of format version 0 (Writables) or 1 (protobuf).
func ParseCredentials(b []byte) (*Credentials, error) {
	if len(b) > maxCredentials {
		return nil, fmt.Errorf("hadoop credentials: more than %d bytes", maxCredentials)
	}
	rest, ok := bytes.CutPrefix(b, []byte(credentialsMagic))
	if !ok || len(rest) == 0 {
		return nil, errors.New("hadoop credentials: the file does not start with HDTS and a version")
	}
	switch rest[0] {
	case 0:
		return parseCredentials0(rest[1:])
	case 1:
		return parseCredentials1(rest[1:])
	}
	return nil, fmt.Errorf("hadoop credentials: format version %d is unknown (0 and 1 are supported)", rest[0])
}

func parseCredentials0(b []byte) (*Credentials, error) {
	c := &Credentials{}
	r := &writableReader{b: b}
	for n := r.count(); n > 0 && r.err == nil; n-- {
		alias := r.text()
		c.AddToken(alias, &Token{Identifier: r.bytes(), Password: r.bytes(), Kind: r.text(), Service: r.text()})
	}
	for n := r.count(); n > 0 && r.err == nil; n-- {
		alias := r.text()
		c.AddSecret(alias, r.bytes())
	}
	if r.err != nil {
		return nil, r.err
	}
	if len(r.b) != 0 {
		return nil, fmt.Errorf("hadoop credentials: %d bytes too many", len(r.b))
	}
	return c, nil
}

func parseCredentials1(b []byte) (*Credentials, error) {
	msg := &pb.CredentialsProto{}
	if _, err := wire.Next(b, msg); err != nil {
		return nil, fmt.Errorf("hadoop credentials: %w", err)
	}
	c := &Credentials{}
	for _, kv := range msg.GetTokens() {
		if kv.GetToken() == nil {
			return nil, fmt.Errorf("hadoop credentials: no token under alias %q", kv.GetAlias())
		}
		c.AddToken(kv.GetAlias(), TokenFromProto(kv.GetToken()))
	}
	for _, kv := range msg.GetSecrets() {
		c.AddSecret(kv.GetAlias(), kv.GetSecret())
	}
	return c, nil
}

// Bytes encodes the credentials in format version 0, as launch contexts carry them and all Hadoop versions read
// them. Equal credentials give equal bytes.
func (c *Credentials) Bytes() []byte {
	out := append([]byte(credentialsMagic), 0)
	out = appendVLong(out, int64(len(c.tokens)))
	for _, alias := range c.Aliases() {
		t := c.tokens[alias]
		out = appendBytes(out, alias)
		out = appendBytes(out, t.Identifier)
		out = appendBytes(out, t.Password)
		out = appendBytes(out, t.Kind)
		out = appendBytes(out, t.Service)
	}
	out = appendVLong(out, int64(len(c.secrets)))
	for _, alias := range slices.Sorted(maps.Keys(c.secrets)) {
		out = appendBytes(out, alias)
		out = appendBytes(out, c.secrets[alias])
	}
	return out
}
