package rest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"goflink/conf"
)

// Authenticator lets a request pass (nil) or refuses it with a reason that is sent to the caller.
type Authenticator func(*http.Request) error

// Options are what a server is made with.
type Options struct {
	// Cluster is what the server shows and steers.
	Cluster Cluster
	// Programs is the store for programs that are uploaded; nil refuses uploads.
	Programs ProgramStore
	// Config holds rest.…, web.… and what GET /jobmanager/config shows, redacted; nil is empty.
	Config *conf.Config
	// LogDir is the folder of this process's log files; LogFile and StdoutFile are names in it. Empty ones answer 404.
	LogDir, LogFile, StdoutFile string
	// Authenticate checks each request; nil lets all pass.
	Authenticate Authenticator
	// FromProxy tells whether a request comes from YARN's proxy, whose GET and PUT twins of changing requests are accepted;
	// nil accepts them from everyone.
	FromProxy func(*http.Request) bool
	// OnResult is called when a client has fetched the final result of a job; it must not block. May be nil.
	OnResult func(jobID string)
	// Log is the logger; nil is slog.Default.
	Log *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Server is the REST server of a JobManager. Make it with New, start it with Serve or use it as http.Handler, end it with
// Close.
type Server struct {
	o    Options
	mux  *http.ServeMux
	ops  *operations
	http *http.Server

	serving sync.WaitGroup
	maxBody int64
	maxFile int64
}

// bodyTimeout is how long the sender of a small body, and the reader of a small answer, may take.
const bodyTimeout = 30 * time.Second

// chunkTimeout is how long a single part of a large body or answer may take: it moves on with every part.
const chunkTimeout = time.Minute

// New makes a server that does not listen yet.
func New(o Options) *Server {
	if o.Config == nil {
		o.Config = conf.New()
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{o: o, mux: http.NewServeMux(), maxBody: int64(conf.RestServerMaxContentLength.Get(o.Config)), maxFile: int64(conf.RestProgramMaxSize.Get(o.Config))}
	s.ops = newOperations(conf.RestAsyncStoreDuration.Get(o.Config), o.Now, o.Log)
	s.routes()
	s.http = &http.Server{
		Handler: s, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: conf.RestIdlenessTimeout.Get(o.Config), MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
	}
	return s
}

// Listen opens the first free port of those configured (rest.bind-port, else rest.port) on rest.bind-address. With anyPort,
// as on YARN, only rest.bind-port counts, and a free port is taken without it.
func Listen(ctx context.Context, c *conf.Config, anyPort bool) (net.Listener, error) {
	ports := conf.RestBindPort.Get(c)
	if _, set := c.Lookup(conf.RestBindPort.Key); !set && anyPort {
		ports = conf.Port(0)
	}
	host := conf.RestBindAddress.Get(c)
	var last error
	for port := range ports.All() {
		var lc net.ListenConfig
		l, err := lc.Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err == nil {
			return l, nil
		}
		last = err
		if ctx.Err() != nil {
			break
		}
	}
	return nil, fmt.Errorf("no port of %s (%s) is free for the REST server: %w", conf.RestBindPort.Key, ports, last)
}

// Serve answers requests on l until Close. It returns at once.
func (s *Server) Serve(l net.Listener) {
	s.serving.Go(func() {
		if err := s.http.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
			s.o.Log.Error("the REST server ended", "address", l.Addr().String(), "error", err)
		}
	})
}

// AwaitResults returns once no asynchronous operation is under way and each outcome has been fetched or has expired, or
// when ctx ends. A cluster that ends calls it before Close, so that the client of a stop learns the savepoint's path.
func (s *Server) AwaitResults(ctx context.Context) error { return s.ops.awaitFetched(ctx) }

// Close stops listening, lets requests under way end until ctx does, cancels operations under way and waits for them.
func (s *Server) Close(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	s.serving.Wait()
	s.ops.close()
	return err
}

// ServeHTTP answers one request; "/v1/…" is the same as "/…".
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", conf.WebAllowOrigin.Get(s.o.Config))
	h.Set("X-Content-Type-Options", "nosniff")
	s.deadlines(w, bodyTimeout)
	if s.o.Authenticate != nil {
		if err := s.o.Authenticate(r); err != nil {
			s.refuse(w, r, &Error{http.StatusUnauthorized, "not authenticated: " + err.Error()})
			return
		}
	}
	if p := plainPath(r.URL.Path); p != r.URL.Path || r.URL.RawPath != "" {
		u := *r.URL
		u.Path, u.RawPath = p, ""
		r = r.WithContext(r.Context()) // a copy: the caller's request stays as it is
		r.URL = &u
	}
	s.mux.ServeHTTP(w, r)
}

// plainPath takes the version, doubled slashes and ".." out of a path. YARN's proxy puts a slash too many in front, and a redirect,
// as the standard library answers, would lead past the proxy.
func plainPath(p string) string {
	p = path.Clean("/" + p)
	if rest, ok := strings.CutPrefix(p, "/v1"); ok && (rest == "" || rest[0] == '/') {
		p = "/" + strings.TrimPrefix(rest, "/")
	}
	return p
}

// deadlines gives the client so long to send and to receive. Test recorders have no deadlines, which is no error here.
func (s *Server) deadlines(w http.ResponseWriter, d time.Duration) {
	rc := http.NewResponseController(w)
	if errors.Join(rc.SetReadDeadline(time.Now().Add(d)), rc.SetWriteDeadline(time.Now().Add(d+bodyTimeout))) != nil {
		return
	}
}
