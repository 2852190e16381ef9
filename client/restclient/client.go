package restclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"goflink/conf"
	"goflink/jobmanager/rest"
)

// Options are what a client is made with.
type Options struct {
	// Base is the server's address, http://host:port, with or without a path.
	Base string
	// Secret signs requests; empty sends them unsigned.
	Secret []byte
	// Attempts bounds how often a request is sent when no answer comes; at least 1.
	Attempts int
	// RetryDelay is the pause between attempts.
	RetryDelay time.Duration
	// ConnectTimeout bounds the wait for a connection, Timeout for the answer to a small request.
	ConnectTimeout, Timeout time.Duration
	// MaxContent bounds an answer in bytes.
	MaxContent int64
	// Log gets a line per repeated attempt; nil is slog.Default.
	Log *slog.Logger
}

// OptionsFrom reads attempts, delays and bounds from the configuration (rest.…, client.timeout).
func OptionsFrom(base string, c *conf.Config) Options {
	return Options{
		Base: base, Attempts: conf.RestRetryMaxAttempts.Get(c) + 1, RetryDelay: conf.RestRetryDelay.Get(c), ConnectTimeout: conf.RestConnectionTimeout.Get(c),
		Timeout: conf.ClientTimeout.Get(c), MaxContent: int64(conf.RestClientMaxContentLength.Get(c)),
	}
}

// Client speaks to one REST server.
type Client struct {
	o    Options
	base *url.URL
	http *http.Client
}

// New makes a client. It does not connect yet.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.Base)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("the JobManager's address %q is not of the form http://host:port", o.Base)
	}
	u.Path = strings.TrimSuffix(u.Path, "/")
	o.Attempts = max(o.Attempts, 1)
	if o.ConnectTimeout <= 0 {
		o.ConnectTimeout = conf.RestConnectionTimeout.Default
	}
	if o.Timeout <= 0 {
		o.Timeout = conf.ClientTimeout.Default
	}
	if o.MaxContent <= 0 {
		o.MaxContent = int64(conf.RestClientMaxContentLength.Default)
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	dialer := &net.Dialer{Timeout: o.ConnectTimeout}
	// The cluster is asked directly: a proxy for the web would not know it.
	transport := &http.Transport{DialContext: dialer.DialContext, MaxIdleConnsPerHost: 4, IdleConnTimeout: 30 * time.Second,
		TLSHandshakeTimeout: o.ConnectTimeout, ExpectContinueTimeout: time.Second}
	return &Client{o: o, base: u, http: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}, nil
}

// Base returns the server's address.
func (c *Client) Base() string { return c.base.String() }

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// StatusError is a refusal of the server.
type StatusError struct {
	// Status is the HTTP status, Messages what the server says, the first one the reason.
	Status   int
	Messages []string
	// Attempt counts from 1: later ones may be refused because the first one had its effect.
	Attempt int
}

// Error returns the server's messages.
func (e *StatusError) Error() string {
	text := strings.TrimSpace(strings.Join(e.Messages, " "))
	if text == "" {
		text = fmt.Sprintf("the JobManager answers with status %d (%s)", e.Status, http.StatusText(e.Status))
	}
	return text
}

// IsNotFound tells whether the server does not know what was asked for.
func IsNotFound(err error) bool { return hasStatus(err, http.StatusNotFound) }

// IsAnswer tells whether err is what the server said, and not that it could not be asked.
func IsAnswer(err error) bool {
	var refused *StatusError
	var failed *OperationError
	return errors.As(err, &refused) || errors.As(err, &failed)
}

func hasStatus(err error, status int) bool {
	var e *StatusError
	return errors.As(err, &e) && e.Status == status
}

// request is a request that can be sent more than once.
type request struct {
	method, path string
	query        url.Values
	contentType  string
	// body opens the body anew for each attempt; nil without one. size and sha256 are the body's.
	body   func() (io.ReadCloser, error)
	size   int64
	sha256 string
	// slow says that the transfer may take as long as it flows.
	slow bool
}

// withBytes gives the request a body in memory.
func (q request) withBytes(contentType string, b []byte) request {
	q.contentType, q.size, q.sha256 = contentType, int64(len(b)), rest.BodyDigest(b)
	q.body = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
	return q
}

// withJSON gives the request a JSON body.
func (q request) withJSON(v any) (request, error) {
	b, err := json.Marshal(v)
	return q.withBytes("application/json; charset=UTF-8", b), err
}

// do sends q until an answer comes and decodes it into answer, which may be nil.
func (c *Client) do(ctx context.Context, q request, answer any) error {
	for attempt := 1; ; attempt++ {
		err := c.once(ctx, q, attempt, answer)
		if err == nil || attempt >= c.o.Attempts || !mayPass(ctx, err) {
			return c.explain(ctx, err)
		}
		c.o.Log.Debug("asking the JobManager again", "method", q.method, "path", q.path, "attempt", attempt, "error", err)
		if err := pause(ctx, c.o.RetryDelay); err != nil {
			return c.explain(ctx, err)
		}
	}
}

// mayPass tells whether a failure may be over with the next attempt: no answer, or one that the server is not ready.
func mayPass(ctx context.Context, err error) bool {
	if ctx.Err() != nil {
		return false
	}
	return !IsAnswer(err) || hasStatus(err, http.StatusServiceUnavailable)
}

// explain names the server in errors that are not its own.
func (c *Client) explain(ctx context.Context, err error) error {
	if err == nil || IsAnswer(err) {
		return err
	}
	if ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	return fmt.Errorf("the JobManager at %s does not answer: %w", c.base, err)
}

// pause waits, or returns the context's error.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

func (c *Client) once(ctx context.Context, q request, attempt int, answer any) (err error) {
	if !q.slow {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.o.Timeout)
		defer cancel()
	}
	r, err := c.build(ctx, q)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, c.o.MaxContent+1))
	if err != nil {
		return err
	}
	if int64(len(body)) > c.o.MaxContent {
		return fmt.Errorf("the answer to %s exceeds the %d bytes of %s", q.path, c.o.MaxContent, conf.RestClientMaxContentLength.Key)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return statusError(resp.StatusCode, attempt, body)
	}
	if answer == nil {
		return nil
	}
	if err := json.Unmarshal(body, answer); err != nil {
		return &StatusError{Status: resp.StatusCode, Attempt: attempt, Messages: []string{fmt.Sprintf("%s does not answer %s like a JobManager: %v", c.base, q.path, err)}}
	}
	return nil
}

// build makes the request of one attempt.
func (c *Client) build(ctx context.Context, q request) (*http.Request, error) {
	u := *c.base
	u.Path += q.path
	u.RawQuery = q.query.Encode()
	var body io.ReadCloser
	if q.body != nil {
		var err error
		if body, err = q.body(); err != nil {
			return nil, err
		}
	}
	r, err := http.NewRequestWithContext(ctx, q.method, u.String(), nil)
	if err != nil {
		return nil, err
	}
	digest := q.sha256
	if body != nil {
		r.Body, r.ContentLength = body, q.size
		r.Header.Set("Content-Type", q.contentType)
		if q.slow {
			r.Header.Set("Expect", "100-continue") // a refusal comes before the bytes are sent
		}
	} else {
		digest = rest.BodyDigest(nil)
	}
	r.Header.Set("Accept", "application/json")
	if len(c.o.Secret) > 0 {
		rest.Sign(r, c.o.Secret, digest, time.Now())
	}
	return r, nil
}

// statusError reads the messages of a refusal; what is no JSON of ours (a proxy's page) is cut short.
func statusError(status, attempt int, body []byte) error {
	e := &StatusError{Status: status, Attempt: attempt}
	var a rest.ErrorAnswer
	if json.Unmarshal(body, &a) == nil && len(a.Errors) > 0 {
		e.Messages = a.Errors
		if len(a.Errors) > 1 && a.Errors[0] == "Internal server error." {
			e.Messages = a.Errors[1:]
		}
		return e
	}
	const most = 300
	if text := strings.TrimSpace(string(body)); text != "" {
		e.Messages = []string{fmt.Sprintf("status %d: %s", status, text[:min(len(text), most)])}
	}
	return e
}
