package rest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"mime/multipart"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"goflink/conf"
	"goflink/graph"
)

func programDigest(b string) string {
	d := sha256.Sum256([]byte(b))
	return hex.EncodeToString(d[:])
}

func withStore(t *testing.T) (*Server, *fakeCluster, *ProgramDir) {
	t.Helper()
	store, err := NewProgramDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s, cluster := newServer(t, func(o *Options) {
		o.Programs = store
		o.Config = conf.FromMap(map[string]string{"rest.program.max-size": "1000"})
	})
	return s, cluster, store
}

func encoded(t *testing.T, g *graph.JobGraph) string {
	t.Helper()
	b, err := proto.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPrograms(t *testing.T) {
	s, _, store := withStore(t)
	const text = "the bytes of a program"
	sha := programDigest(text)
	if w := call(t, s, "HEAD", "/programs/"+sha, ""); w.Code != 404 || w.Body.Len() != 0 {
		t.Errorf("before the upload: %d %q", w.Code, w.Body)
	}
	answer[ErrorAnswer](t, s, "PUT", "/programs/"+sha, "other bytes", 400)
	answer[ErrorAnswer](t, s, "PUT", "/programs/"+sha, strings.Repeat("x", 2000), 413)
	answer[ErrorAnswer](t, s, "PUT", "/programs/xyz", text, 400)
	if files, err := os.ReadDir(store.dir); err != nil || len(files) != 0 {
		t.Errorf("refused uploads left files: %v, %v", files, err)
	}
	answer[Empty](t, s, "PUT", "/programs/"+sha, text, 201)
	answer[Empty](t, s, "PUT", "/programs/"+sha, text, 200)
	if w := call(t, s, "HEAD", "/programs/"+sha, ""); w.Code != 200 || w.Header().Get("Content-Length") != "22" {
		t.Errorf("after the upload: %d %v", w.Code, w.Header())
	}
	if w := call(t, s, "GET", "/programs/"+sha, ""); w.Code != 200 || w.Body.String() != text {
		t.Errorf("download: %d %q", w.Code, w.Body)
	}
	if info, err := os.Stat(store.Path(sha)); err != nil || info.Mode().Perm() != 0o500 {
		t.Errorf("file %v, %v", info, err)
	}
}

func TestProgramDirIsCleaned(t *testing.T) {
	dir := t.TempDir()
	d, err := NewProgramDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.Path("abc.1"+partSuffix), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := NewProgramDir(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(d.Path("abc.1" + partSuffix)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("half a program stays: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := d.Put(ctx, "x", strings.NewReader("y")); !errors.Is(err, context.Canceled) {
		t.Errorf("put after the end: %v", err)
	}
}

func TestSubmit(t *testing.T) {
	s, cluster, _ := withStore(t)
	const text = "program"
	g := &graph.JobGraph{JobId: jobID, Name: "j", Vertices: []*graph.Vertex{{Id: vertex1}}, Program: &graph.Program{Sha256: programDigest(text)}}
	a := answer[ErrorAnswer](t, s, "POST", "/jobs", encoded(t, g), 400)
	if !strings.Contains(a.Errors[0], "was not uploaded") {
		t.Errorf("answer %v", a)
	}
	answer[Empty](t, s, "PUT", "/programs/"+programDigest(text), text, 201)
	if a := answer[SubmitAnswer](t, s, "POST", "/jobs", encoded(t, g), 202); a.JobURL != "/jobs/"+jobID {
		t.Errorf("answer %+v", a)
	}
	var body bytes.Buffer
	mw := multipart.NewWriter(&body)
	part := func(name, file, text string) {
		w, err := mw.CreateFormFile(name, file)
		if err == nil {
			_, err = io.WriteString(w, text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := mw.WriteField("request", `{"jobGraphFileName":"graph.bin","jobJarFileNames":[]}`); err != nil {
		t.Fatal(err)
	}
	part("file_0", "other.bin", "junk")
	part("file_1", "graph.bin", encoded(t, g))
	if err := mw.Close(); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/v1/jobs", &body)
	r.Header.Set("Content-Type", mw.FormDataContentType())
	w := httptest.NewRecorder()
	if s.ServeHTTP(w, r); w.Code != 202 || len(cluster.submitted) != 2 || cluster.submitted[1].GetName() != "j" {
		t.Errorf("multipart: %d %s", w.Code, w.Body)
	}
	for want, bad := range map[string]*graph.JobGraph{
		"job id":      {JobId: "x"},
		"no vertices": {JobId: jobID},
		"SHA-256":     {JobId: jobID, Vertices: g.Vertices},
	} {
		if a := answer[ErrorAnswer](t, s, "POST", "/jobs", encoded(t, bad), 400); !strings.Contains(a.Errors[0], want) {
			t.Errorf("answer %v, want %q", a, want)
		}
	}
	g.Program = &graph.Program{Sha256: programDigest("elsewhere"), Uri: "hdfs:///cache/x"}
	answer[SubmitAnswer](t, s, "POST", "/jobs", encoded(t, g), 202)
}

func FuzzSubmit(f *testing.F) {
	f.Add([]byte("\x12\x01x"), "application/octet-stream")
	f.Add([]byte("--b\r\nContent-Disposition: form-data; name=\"request\"\r\n\r\n{}\r\n--b--"), "multipart/form-data; boundary=b")
	s := New(Options{Cluster: &fakeCluster{}})
	f.Fuzz(func(t *testing.T, body []byte, contentType string) {
		r := httptest.NewRequest("POST", "/jobs", bytes.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		w := httptest.NewRecorder()
		if s.ServeHTTP(w, r); w.Code >= 500 {
			t.Errorf("status %d: %s", w.Code, w.Body)
		}
	})
}
