package rest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestSignatures(t *testing.T) {
	secret := []byte("0123456789abcdef0123456789abcdef")
	now := at(20000)
	fromProxy := false
	s, cluster := newServer(t, func(o *Options) {
		o.Authenticate = SecretAuthenticator(secret, func(*http.Request) bool { return fromProxy }, func() time.Time { return now })
	})
	send := func(r *http.Request) int {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w.Code
	}
	request := func(method, path, body string) *http.Request {
		return httptest.NewRequest(method, path, strings.NewReader(body))
	}
	signed := func(method, path, body string) *http.Request {
		r := request(method, path, body)
		Sign(r, secret, BodyDigest([]byte(body)), now)
		return r
	}
	const stop, cancel = "/v1/jobs/" + jobID + "/stop", "/jobs/" + jobID + "?mode=cancel"
	expect := func(what string, r *http.Request, status int) {
		t.Helper()
		if got := send(r); got != status {
			t.Errorf("%s: status %d, want %d", what, got, status)
		}
	}
	expect("reading without a signature", request("GET", "/jobs/overview", ""), 200)
	expect("changing without a signature", request("PATCH", cancel, ""), 401)
	expect("the GET twin without a signature", request("GET", "/jobs/"+jobID+"/yarn-cancel", ""), 401)
	expect("a program without a signature", request("GET", "/programs/"+strings.Repeat("a", 64), ""), 401)
	expect("signed", signed("PATCH", cancel, ""), 202)
	expect("signed with a body", signed("POST", stop, `{"drain":true}`), 202)
	s.ops.wg.Wait()

	r := signed("POST", stop, `{"drain":true}`)
	r.Body = request("POST", stop, `{"drain":null}`).Body
	expect("another body", r, 400)
	r = signed("PATCH", cancel, "")
	again := r.Clone(r.Context())
	expect("once", r, 202)
	expect("replayed", again, 401)
	r = signed("PATCH", cancel, "")
	r.Method = "PUT"
	expect("another method", r, 401)
	r = signed("PATCH", cancel, "")
	r.URL.RawQuery = "mode=other"
	expect("another query", r, 401)
	r = request("PATCH", cancel, "")
	Sign(r, []byte("another secret"), BodyDigest(nil), now)
	expect("another secret", r, 401)
	r = signed("PATCH", cancel, "")
	now = now.Add(5 * time.Minute)
	expect("late", r, 401)
	r = request("PATCH", cancel, "")
	r.Header.Set("Authorization", "Basic abc")
	expect("another scheme", r, 401)
	fromProxy = true
	expect("through the proxy", request("PUT", cancel, ""), 202)
	if len(cluster.cancelled) != 3 || len(cluster.stops) != 1 {
		t.Errorf("cancelled %d times, stopped %d times", len(cluster.cancelled), len(cluster.stops))
	}
}

func TestNoncesAreForgottenAndBounded(t *testing.T) {
	a := &signatures{}
	a.mu.seen = map[string]time.Time{}
	now := at(0)
	if a.once("x", now) != nil || a.once("x", now) == nil {
		t.Error("a nonce passes once")
	}
	if err := a.once("y", now.Add(3*signatureLife)); err != nil || len(a.mu.seen) != 1 {
		t.Errorf("%v, %d nonces", err, len(a.mu.seen))
	}
	for i := range maxNonces {
		a.mu.seen[fmt.Sprint(i)] = now.Add(3 * signatureLife)
	}
	if err := a.once("z", now.Add(3*signatureLife)); err == nil {
		t.Error("nonces are without bound")
	}
}
