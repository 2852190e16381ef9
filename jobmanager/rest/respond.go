package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"
)

const contentJSON = "application/json; charset=UTF-8"

// handler answers a request with a status and a value that is written as JSON, or with an error.
type handler func(r *http.Request) (status int, answer any, err error)

// get makes a handler of a function that answers with 200.
func get[T any](f func(r *http.Request) (T, error)) handler {
	return func(r *http.Request) (int, any, error) {
		v, err := f(r)
		return http.StatusOK, v, err
	}
}

// accepted makes a handler of a function that answers with 202.
func accepted[T any](f func(r *http.Request) (T, error)) handler {
	return func(r *http.Request) (int, any, error) {
		v, err := f(r)
		return http.StatusAccepted, v, err
	}
}

// route registers a handler of JSON.
func (s *Server) route(pattern string, h handler) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		if r.Body != nil {
			r.Body = http.MaxBytesReader(w, r.Body, s.maxBody)
		}
		status, v, err := h(r)
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		s.write(w, r, status, v)
	})
}

func (s *Server) write(w http.ResponseWriter, r *http.Request, status int, v any) {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false) // descriptions hold <br/>, as in Flink
	if err := enc.Encode(v); err != nil {
		s.o.Log.Error("an answer of the REST server cannot be written as JSON", "path", r.URL.Path, "error", err)
		status, body = http.StatusInternalServerError, *bytes.NewBufferString(`{"errors":["Internal server error."]}`)
	}
	w.Header().Set("Content-Type", contentJSON)
	w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return
	}
	if _, err := w.Write(body.Bytes()); err != nil {
		s.o.Log.Debug("the client of the REST server is gone", "path", r.URL.Path, "error", err)
	}
}

// refuse answers with an error. Its message is all that leaves the process.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	status := statusOf(err)
	messages := []string{err.Error()}
	if status >= http.StatusInternalServerError {
		s.o.Log.Warn("a REST request failed", "method", r.Method, "path", r.URL.Path, "status", status, "error", err)
	}
	if status == http.StatusInternalServerError {
		messages = []string{"Internal server error.", err.Error()}
	}
	s.write(w, r, status, ErrorAnswer{Errors: messages})
}

// readJSON reads a small JSON body into v; an empty body leaves v as it is. Unknown fields are ignored, as in Flink.
func readJSON(r *http.Request, v any) error {
	if ct := r.Header.Get("Content-Type"); ct != "" {
		if media, _, err := mime.ParseMediaType(ct); err != nil || media == "application/x-www-form-urlencoded" {
			// curl -d without a header sends this type with a JSON body; it is read as JSON.
			r.Header.Set("Content-Type", contentJSON)
		}
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return bodyError(err)
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	if err := json.Unmarshal(body, v); err != nil {
		return BadRequest("Bad request received. The body is not the JSON that is expected: %v", err)
	}
	return nil
}

// bodyError keeps the status of a body that is too large; any other failure is the sender's.
func bodyError(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return &Error{http.StatusRequestEntityTooLarge, "The body is larger than the " + strconv.FormatInt(tooLarge.Limit, 10) + " bytes that are accepted (rest.server.max-content-length, rest.program.max-size)."}
	}
	return BadRequest("The body could not be read: %v", err)
}

// rolling moves the deadlines on with every part of a large body or answer.
type rolling struct {
	io.Reader
	move func()
}

func (b rolling) Read(p []byte) (int, error) {
	b.move()
	return b.Reader.Read(p)
}

// slowBody is a body that may take long, as long as it flows.
func (s *Server) slowBody(w http.ResponseWriter, body io.Reader) io.Reader {
	return rolling{body, func() { s.deadlines(w, chunkTimeout) }}
}

// queryInt reads a whole number from the query.
func queryInt(r *http.Request, name string, absent int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return absent, nil
	}
	v, err := strconv.Atoi(text)
	if err != nil || v < 0 {
		return 0, BadRequest("Bad request, could not parse parameters: Cannot resolve query parameter (%s) from value %q.", name, text)
	}
	return v, nil
}

// pathID reads an id of 32 hexadecimal digits from the path.
func pathID(r *http.Request, name string) (string, error) {
	id := r.PathValue(name)
	if !isHexID(id) {
		return "", BadRequest("Bad request, could not parse parameters: Cannot resolve path parameter (%s) from value %q.", name, id)
	}
	return id, nil
}

func pathInt(r *http.Request, name string) (int64, error) {
	text := r.PathValue(name)
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil || v < 0 {
		return 0, BadRequest("Bad request, could not parse parameters: Cannot resolve path parameter (%s) from value %q.", name, text)
	}
	return v, nil
}

// isHexID tells whether id is 32 lower-case hexadecimal digits.
func isHexID(id string) bool { return isHex(id, 32) }

func isHex(s string, digits int) bool {
	if len(s) != digits {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func (s *Server) now() time.Time { return s.o.Now() }
