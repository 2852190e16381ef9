package rest

import (
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
)

// TestResourceRequirements reads and changes the bounds of a job's parallelism.
func TestResourceRequirements(t *testing.T) {
	s, cluster := newServer(t, nil)
	const path = "/jobs/" + jobID + "/resource-requirements"
	want := `{"` + vertex2 + `":{"parallelism":{"lowerBound":1,"upperBound":1}},"` + vertex1 + `":{"parallelism":{"lowerBound":1,"upperBound":4}}}`
	if w := call(t, s, "GET", "/v1"+path, ""); w.Code != 200 || strings.TrimSpace(w.Body.String()) != want {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	body := `{"` + vertex1 + `":{"parallelism":{"lowerBound":2,"upperBound":-1}},"` + vertex2 + `":{"parallelism":{"upperBound":3}}}`
	if w := call(t, s, "PUT", path, body); w.Code != 200 || strings.TrimSpace(w.Body.String()) != "{}" {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if got := map[string]ParallelismBounds{vertex1: {2, DefaultBound}, vertex2: {DefaultBound, 3}}; !reflect.DeepEqual(cluster.bounds, got) {
		t.Fatalf("%v", cluster.bounds)
	}
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"PUT", path, `{"` + vertex1 + `":{}}`, 400},
		{"PUT", path, ``, 400},
		{"PUT", path, `[]`, 400},
		{"PUT", path, `{"` + vertex1 + `":{"parallelism":{"lowerBound":"x"}}}`, 400},
		{"PUT", "/jobs/" + otherJob + "/resource-requirements", body, 404},
		{"GET", "/jobs/" + otherJob + "/resource-requirements", "", 404},
		{"GET", "/jobs/xyz/resource-requirements", "", 400},
		{"PUT", "/jobs/xyz/resource-requirements", body, 400},
	} {
		if w := call(t, s, c.method, c.path, c.body); w.Code != c.status {
			t.Errorf("%s %s %s: status %d, want %d: %s", c.method, c.path, c.body, w.Code, c.status, w.Body)
		}
	}
}

// TestRequirementsAreSigned: the PUT is a change like any other.
func TestRequirementsAreSigned(t *testing.T) {
	secret := []byte("0123456789abcdef0123456789abcdef")
	s, cluster := newServer(t, func(o *Options) { o.Authenticate = SecretAuthenticator(secret, nil, o.Now) })
	const path = "/jobs/" + jobID + "/resource-requirements"
	body := `{"` + vertex1 + `":{"parallelism":{"lowerBound":1,"upperBound":2}},"` + vertex2 + `":{"parallelism":{"lowerBound":1,"upperBound":1}}}`
	send := func(sign bool) int {
		r := httptest.NewRequest("PUT", path, strings.NewReader(body))
		if sign {
			Sign(r, secret, BodyDigest([]byte(body)), at(20000))
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w.Code
	}
	if got := send(false); got != 401 || cluster.bounds != nil {
		t.Errorf("without a signature: status %d", got)
	}
	if got := send(true); got != 200 || cluster.bounds[vertex1].Upper != 2 {
		t.Errorf("signed: status %d", got)
	}
	if w := call(t, s, "GET", path, ""); w.Code != 200 {
		t.Errorf("reading: status %d", w.Code)
	}
}
