package rest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"

	"google.golang.org/protobuf/proto"

	"goflink/graph"
)

// maxParts bounds the parts of a multipart submission: the request, the graph, and some room.
const maxParts = 8

// putJob is postJob through YARN's proxy.
func (s *Server) putJob(w http.ResponseWriter, r *http.Request) {
	if s.o.FromProxy != nil && !s.o.FromProxy(r) {
		s.refuse(w, r, &Error{http.StatusForbidden, "PUT /jobs is accepted from YARN's proxy only; use POST."})
		return
	}
	s.postJob(w, r)
}

// postJob takes a JobGraph: as the body itself, or as a part of a multipart form as Flink's clients send it.
func (s *Server) postJob(w http.ResponseWriter, r *http.Request) {
	s.deadlines(w, chunkTimeout)
	r.Body = http.MaxBytesReader(w, r.Body, s.maxBody)
	data, err := readGraph(r, s.slowBody(w, r.Body))
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	id, err := s.submit(r.Context(), data)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	s.o.Log.Info("a job was submitted", "job", id, "from", r.RemoteAddr)
	s.write(w, r, http.StatusAccepted, SubmitAnswer{JobURL: "/jobs/" + id})
}

func (s *Server) submit(ctx context.Context, data []byte) (string, error) {
	var g graph.JobGraph
	if err := proto.Unmarshal(data, &g); err != nil {
		return "", BadRequest("The submission is not a JobGraph of goflink: %v. Submit with a flink command of the same release.", err)
	}
	if !isHexID(g.GetJobId()) {
		return "", BadRequest("The job id %q is not 32 hexadecimal digits.", g.GetJobId())
	}
	if len(g.GetVertices()) == 0 {
		return "", BadRequest("The job graph of %q has no vertices.", g.GetName())
	}
	if err := s.programThere(ctx, g.GetProgram()); err != nil {
		return "", err
	}
	return s.o.Cluster.Submit(ctx, &g)
}

// programThere refuses a submission whose program is neither at a URI nor in the store, before anything starts.
func (s *Server) programThere(ctx context.Context, p *graph.Program) error {
	if !isHex(p.GetSha256(), sha256Digits) {
		return BadRequest("The job graph does not say which program it belongs to (SHA-256 %q).", p.GetSha256())
	}
	if p.GetUri() != "" {
		return nil
	}
	if s.o.Programs == nil {
		return BadRequest("This cluster takes no uploaded programs; the job graph must name the program's URI.")
	}
	_, err := s.o.Programs.Stat(ctx, p.GetSha256())
	if errors.Is(err, fs.ErrNotExist) {
		return BadRequest("The program %s was not uploaded; send it to PUT /programs/%s first.", p.GetSha256(), p.GetSha256())
	}
	return err
}

// readGraph reads the bytes of the JobGraph out of the body.
func readGraph(r *http.Request, body io.Reader) ([]byte, error) {
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || !strings.HasPrefix(media, "multipart/") {
		data, err := io.ReadAll(body)
		if err != nil {
			return nil, bodyError(err)
		}
		return data, nil
	}
	return graphPart(multipart.NewReader(body, params["boundary"]))
}

// graphPart finds the part whose file name the part "request" gives; without such a part, the first file.
func graphPart(mr *multipart.Reader) ([]byte, error) {
	var request SubmitRequest
	var first []byte
	for range maxParts {
		p, err := mr.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, bodyError(err)
		}
		data, err := io.ReadAll(p)
		if err != nil {
			return nil, bodyError(err)
		}
		if p.FormName() == "request" {
			if err := json.Unmarshal(data, &request); err != nil {
				return nil, BadRequest("The part \"request\" is not the JSON that is expected: %v", err)
			}
			continue
		}
		if request.JobGraphFileName != "" && p.FileName() == request.JobGraphFileName {
			return data, nil
		}
		if first == nil {
			first = data
		}
	}
	if first == nil {
		return nil, BadRequest("The submission holds no job graph.")
	}
	return first, nil
}
