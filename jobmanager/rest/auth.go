package rest

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Requests are signed with the cluster's secret, which itself never travels:
//
//	Authorization: Goflink <unix milliseconds> <nonce> <hex HMAC-SHA256>
//	Goflink-Content-Sha256: <hex SHA-256 of the body>
//
// The HMAC covers method, path with query, time, nonce and the body's digest, each followed by a line feed.
const (
	authScheme   = "Goflink"
	digestHeader = "Goflink-Content-Sha256"

	// signatureLife bounds how far clocks may differ, and how long nonces are remembered.
	signatureLife = 2 * time.Minute
	// maxNonces bounds the memory for nonces; 1000 requests a second fill it in the life of a signature.
	maxNonces = 120_000
)

// Sign signs a request whose body has the given SHA-256 (64 hexadecimal digits).
func Sign(r *http.Request, secret []byte, bodySHA256 string, now time.Time) {
	nonce := make([]byte, 16)
	rand.Read(nonce) // never fails
	stamp, text := strconv.FormatInt(now.UnixMilli(), 10), hex.EncodeToString(nonce)
	r.Header.Set(digestHeader, bodySHA256)
	r.Header.Set("Authorization", strings.Join([]string{authScheme, stamp, text, signature(r, secret, stamp, text, bodySHA256)}, " "))
}

// BodyDigest is the digest of a body for Sign.
func BodyDigest(body []byte) string {
	d := sha256.Sum256(body)
	return hex.EncodeToString(d[:])
}

func signature(r *http.Request, secret []byte, stamp, nonce, digest string) string {
	h := hmac.New(sha256.New, secret)
	fmt.Fprintf(h, "%s\n%s\n%s\n%s\n%s\n", r.Method, r.URL.RequestURI(), stamp, nonce, digest)
	return hex.EncodeToString(h.Sum(nil))
}

// SecretAuthenticator lets signed requests pass and, without a signature, those that only read and those that unsigned
// accepts (YARN's proxy, whose users cannot sign); unsigned may be nil.
func SecretAuthenticator(secret []byte, unsigned func(*http.Request) bool, now func() time.Time) Authenticator {
	a := &signatures{secret: secret, now: now}
	a.mu.seen = map[string]time.Time{}
	return func(r *http.Request) error {
		if r.Header.Get("Authorization") != "" {
			return a.check(r)
		}
		if reads(r) || (unsigned != nil && unsigned(r)) {
			return nil
		}
		return errors.New("requests that change something are signed with the cluster's secret; use the flink command")
	}
}

// reads tells whether a request only reads. A program's bytes may hold secrets of its author; the GET twins change.
func reads(r *http.Request) bool {
	p := plainPath(r.URL.Path)
	changes := strings.HasSuffix(p, "/yarn-cancel") || strings.HasSuffix(p, "/yarn-stop") || strings.HasPrefix(p, "/programs/")
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && !changes
}

// signatures checks signatures and remembers nonces.
type signatures struct {
	secret []byte
	now    func() time.Time
	mu     struct {
		sync.Mutex
		seen  map[string]time.Time
		swept time.Time
	}
}

var errSignature = errors.New("the request is not signed with this cluster's secret")

func (a *signatures) check(r *http.Request) error {
	parts := strings.Split(r.Header.Get("Authorization"), " ")
	if len(parts) != 4 || parts[0] != authScheme || len(parts[2]) != 32 {
		return errSignature
	}
	ms, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		return errSignature
	}
	digest := r.Header.Get(digestHeader)
	if !hmac.Equal([]byte(signature(r, a.secret, parts[1], parts[2], digest)), []byte(parts[3])) {
		return errSignature
	}
	now := a.now()
	if age := now.Sub(time.UnixMilli(ms)); age > signatureLife || age < -signatureLife {
		return fmt.Errorf("the request was signed %s ago; the clocks of the hosts differ by more than %s", age, signatureLife)
	}
	if err := a.once(parts[2], now); err != nil {
		return err
	}
	return checkBody(r, digest)
}

// once refuses a nonce that was seen before.
func (a *signatures) once(nonce string, now time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Sub(a.mu.swept) > signatureLife {
		for n, at := range a.mu.seen {
			if now.Sub(at) > 2*signatureLife {
				delete(a.mu.seen, n)
			}
		}
		a.mu.swept = now
	}
	if _, dup := a.mu.seen[nonce]; dup {
		return errors.New("the request was sent before")
	}
	if len(a.mu.seen) >= maxNonces {
		return errors.New("too many requests; try again in a minute")
	}
	a.mu.seen[nonce] = now
	return nil
}

// checkBody has the body fail at its end when it is not the one that was signed.
func checkBody(r *http.Request, digest string) error {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		if digest != BodyDigest(nil) {
			return errSignature
		}
		return nil
	}
	r.Body = struct {
		io.Reader
		io.Closer
	}{newVerifying(r.Body, digest), r.Body}
	return nil
}
