package hadooprpc_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"goflink/hadooprpc"
	pb "goflink/hadooprpc/proto/hadoopproto"
	"goflink/hadooprpc/rpctest"
)

const testProtocol = "org.example.EchoProtocol"

// echo answers with the request's renewer as a token kind; "fail:X" as exception X.
func echo(_ context.Context, c *rpctest.Call) (proto.Message, error) {
	req := &pb.GetDelegationTokenRequestProto{}
	if err := c.Decode(req); err != nil {
		return nil, err
	}
	if class, ok := strings.CutPrefix(req.GetRenewer(), "fail:"); ok {
		return nil, rpctest.Error(class, class+": it went wrong\n\tat org.example.Main")
	}
	return answer(req.GetRenewer()), nil
}

func answer(kind string) proto.Message {
	return &pb.GetDelegationTokenResponseProto{Token: &pb.TokenProto{
		Identifier: []byte{}, Password: []byte{}, Kind: proto.String(kind), Service: proto.String(""),
	}}
}

func serve(t *testing.T, o rpctest.Options) *rpctest.Server {
	t.Helper()
	if o.Handle == nil {
		o.Handle = echo
	}
	s, err := rpctest.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func newClient(t *testing.T, o hadooprpc.Options) *hadooprpc.Client {
	t.Helper()
	o.Protocol = testProtocol
	if o.Auth == nil {
		o.Auth = hadooprpc.StaticAuth(hadooprpc.Auth{User: "alice"})
	}
	if o.MaxWait == 0 {
		o.MaxWait = 10 * time.Second
	}
	o.MinBackoff = time.Millisecond
	c, err := hadooprpc.NewClient(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

type caller interface {
	Call(ctx context.Context, method string, req, resp proto.Message) error
}

func call(ctx context.Context, c caller, text string) error {
	resp := &pb.GetDelegationTokenResponseProto{}
	if err := c.Call(ctx, "echo", &pb.GetDelegationTokenRequestProto{Renewer: proto.String(text)}, resp); err != nil {
		return err
	}
	if got := resp.GetToken().GetKind(); got != text {
		return fmt.Errorf("sent %.40q, got %.40q", text, got)
	}
	return nil
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// passwords of the tokens that test servers know.
func passwords(id []byte) ([]byte, bool) {
	return []byte("pass of " + string(id)), string(id) != "unknown"
}

func token(id string) *hadooprpc.Token {
	return &hadooprpc.Token{Identifier: []byte(id), Password: []byte("pass of " + id), Kind: "TEST"}
}

func TestAuthentication(t *testing.T) {
	for _, c := range []struct {
		name          string
		server        rpctest.Options
		auth          hadooprpc.Auth
		user, id, qop string
		fails         string
	}{
		{name: "simple", auth: hadooprpc.Auth{User: "alice"}, user: "alice"},
		{name: "token", server: rpctest.Options{Methods: []string{"TOKEN"}}, auth: hadooprpc.Auth{Token: token("t")}, id: "t", qop: "auth"},
		{name: "token of two", server: rpctest.Options{Methods: []string{"TOKEN", "SIMPLE"}}, auth: hadooprpc.Auth{Token: token("t")}, id: "t", qop: "auth"},
		{name: "integrity", server: rpctest.Options{Methods: []string{"TOKEN"}, QOP: "auth-int"}, auth: hadooprpc.Auth{Token: token("t")}, id: "t", qop: "auth-int"},
		{name: "privacy rc4", server: rpctest.Options{Methods: []string{"TOKEN"}, QOP: "auth,auth-int,auth-conf", Ciphers: "rc4"}, auth: hadooprpc.Auth{Token: token("t")}, id: "t", qop: "auth-conf"},
		{name: "privacy 3des", server: rpctest.Options{Methods: []string{"TOKEN"}, QOP: "auth-conf", Ciphers: "3des,rc4,des"}, auth: hadooprpc.Auth{Token: token("t")}, id: "t", qop: "auth-conf"},
		{name: "wanted", server: rpctest.Options{Methods: []string{"TOKEN"}, QOP: "auth,auth-conf", Ciphers: "rc4"}, auth: hadooprpc.Auth{Token: token("t"), Protection: []string{"auth"}}, id: "t", qop: "auth"},
		{name: "weaker", server: rpctest.Options{Methods: []string{"TOKEN"}}, auth: hadooprpc.Auth{Token: token("t"), Protection: []string{"auth-conf"}}, fails: "hadoop.rpc.protection"},
		{name: "unknown", server: rpctest.Options{Methods: []string{"TOKEN"}}, auth: hadooprpc.Auth{Token: token("unknown")}, fails: "InvalidToken"},
		{name: "no token", server: rpctest.Options{Methods: []string{"TOKEN"}}, auth: hadooprpc.Auth{User: "alice"}, fails: "SIMPLE authentication is not enabled"},
		{name: "no fallback", auth: hadooprpc.Auth{Token: token("t")}, fails: "does not authenticate"},
		{name: "fallback", auth: hadooprpc.Auth{Token: token("t"), User: "bob", AllowSimple: true}, user: "bob"},
		{name: "nobody", auth: hadooprpc.Auth{}, fails: "no user, token or Kerberos login"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got *rpctest.Call
			c.server.Password = passwords
			c.server.Handle = func(ctx context.Context, call *rpctest.Call) (proto.Message, error) {
				got = call
				return echo(ctx, call)
			}
			s := serve(t, c.server)
			cl := newClient(t, hadooprpc.Options{Addresses: []string{s.Addr()}, Auth: hadooprpc.StaticAuth(c.auth), MaxWait: 10 * time.Second})
			err := call(testContext(t), cl, strings.Repeat("long ", 50000))
			if c.fails != "" {
				if s.Opened() > 1 {
					t.Errorf("tried %d times", s.Opened())
				}
				if err == nil || !strings.Contains(err.Error(), c.fails) || !strings.Contains(err.Error(), s.Addr()) {
					t.Fatalf("error %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.User != c.user || string(got.Token) != c.id || got.QOP != c.qop {
				t.Errorf("the server saw user %q, token %q, protection %q", got.User, got.Token, got.QOP)
			}
		})
	}
}

func TestAnswersInAnyOrder(t *testing.T) {
	second := make(chan struct{})
	s := serve(t, rpctest.Options{
		Methods: []string{"TOKEN"}, QOP: "auth-conf", Ciphers: "rc4", Password: passwords,
		Handle: func(ctx context.Context, c *rpctest.Call) (proto.Message, error) {
			if c.CallID == 0 {
				<-second
			} else {
				defer close(second)
			}
			return echo(ctx, c)
		},
	})
	conn, err := hadooprpc.Dial(testContext(t), s.Addr(), hadooprpc.ConnOptions{Protocol: testProtocol, Auth: hadooprpc.Auth{Token: token("t")}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var wg sync.WaitGroup
	for _, text := range []string{"a", "b"} {
		wg.Go(func() {
			if err := call(testContext(t), conn, text); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestManyCalls(t *testing.T) {
	s := serve(t, rpctest.Options{Methods: []string{"TOKEN"}, QOP: "auth-int", Password: passwords})
	cl := newClient(t, hadooprpc.Options{Addresses: []string{s.Addr()}, Auth: hadooprpc.StaticAuth(hadooprpc.Auth{Token: token("t")})})
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			for j := range 20 {
				if err := call(testContext(t), cl, fmt.Sprint(i, "/", j, strings.Repeat("x", 100*j))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := s.Opened(); n != 1 {
		t.Errorf("%d connections, expected 1", n)
	}
}

// A repeated call carries the identity of its first attempt (one-identity).
func TestRetriesKeepTheirIdentity(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	s := serve(t, rpctest.Options{Handle: func(ctx context.Context, c *rpctest.Call) (proto.Message, error) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, fmt.Sprintf("%x/%d/%d", c.ClientID, c.CallID, c.Retry))
		if len(seen) == 2 || len(seen) == 3 {
			return nil, rpctest.ErrDrop
		}
		return echo(ctx, c)
	}})
	cl := newClient(t, hadooprpc.Options{Addresses: []string{s.Addr()}})
	for _, text := range []string{"first", "second", "third"} {
		if err := call(testContext(t), cl, text); err != nil {
			t.Fatal(err)
		}
	}
	id, _, _ := strings.Cut(seen[0], "/")
	for i, want := range []string{"/0/0", "/1/0", "/1/1", "/1/2", "/2/0"} {
		if seen[i] != id+want || len(id) != 32 {
			t.Errorf("attempt %d was %s, want %s", i, seen[i], id+want)
		}
	}
}

func TestFailover(t *testing.T) {
	standby := serve(t, rpctest.Options{Handle: func(context.Context, *rpctest.Call) (proto.Message, error) {
		return nil, rpctest.Error("org.apache.hadoop.ipc.StandbyException", "Operation category READ is not supported in state standby")
	}})
	active := serve(t, rpctest.Options{})
	gone := serve(t, rpctest.Options{})
	_ = gone.Close()
	cl := newClient(t, hadooprpc.Options{Addresses: []string{gone.Addr(), standby.Addr(), active.Addr()}})
	for range 3 {
		if err := call(testContext(t), cl, "x"); err != nil {
			t.Fatal(err)
		}
	}
	if cl.Addr() != active.Addr() || standby.Opened() != 1 {
		t.Errorf("using %s; the standby was asked %d times", cl.Addr(), standby.Opened())
	}
	// The active one restarts; its address is found again.
	addr := active.Addr()
	_ = active.Close()
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := call(testContext(t), cl, "y"); err != nil {
			t.Error(err)
		}
	})
	again, err := rpctest.Start(rpctest.Options{Addr: addr, Handle: echo})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	wg.Wait()
}

// A server that hangs is left for another one, also by calls that wait beside the one that noticed.
func TestHungServer(t *testing.T) {
	hung := serve(t, rpctest.Options{Handle: func(ctx context.Context, _ *rpctest.Call) (proto.Message, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	good := serve(t, rpctest.Options{})
	cl := newClient(t, hadooprpc.Options{Addresses: []string{hung.Addr(), good.Addr()}, AttemptTimeout: 50 * time.Millisecond})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if err := call(testContext(t), cl, "x"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestRepeatedAtTheSameServer(t *testing.T) {
	for _, class := range []string{"org.apache.hadoop.ipc.RetriableException", "org.example.NotYetException"} {
		left := 3
		s := serve(t, rpctest.Options{Handle: func(ctx context.Context, c *rpctest.Call) (proto.Message, error) {
			if left--; left > 0 {
				return nil, rpctest.Error(class, "later")
			}
			return echo(ctx, c)
		}})
		cl := newClient(t, hadooprpc.Options{Addresses: []string{s.Addr()}, RetryClasses: []string{"NotYetException"}})
		if err := call(testContext(t), cl, "x"); err != nil {
			t.Fatal(err)
		}
		if s.Opened() != 1 {
			t.Errorf("%d connections", s.Opened())
		}
	}
}

func TestRemoteErrors(t *testing.T) {
	s := serve(t, rpctest.Options{})
	cl := newClient(t, hadooprpc.Options{Addresses: []string{s.Addr()}})
	err := call(testContext(t), cl, "fail:org.apache.hadoop.security.token.SecretManager$InvalidToken")
	var re *hadooprpc.RemoteError
	if !errors.As(err, &re) || re.Message != "it went wrong" || re.SimpleClass() != "InvalidToken" || re.Fatal {
		t.Errorf("error %#v", re)
	}
	if !hadooprpc.IsRemote(err, "Other", "InvalidToken") || hadooprpc.IsRemote(err, "Token") || hadooprpc.IsRemote(nil, "") {
		t.Error("IsRemote")
	}
	if err := call(testContext(t), cl, "the connection lives on"); err != nil || s.Opened() != 1 {
		t.Errorf("%v; %d connections", err, s.Opened())
	}
}

func TestNoAnswer(t *testing.T) {
	s := serve(t, rpctest.Options{})
	addr := s.Addr()
	_ = s.Close()
	cl := newClient(t, hadooprpc.Options{Addresses: []string{addr}, MaxWait: 50 * time.Millisecond})
	start := time.Now()
	err := call(context.Background(), cl, "x")
	if err == nil || !strings.Contains(err.Error(), addr) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("error %v", err)
	}
	var ce *hadooprpc.ConnectError
	if !errors.As(err, &ce) || ce.Addr != addr {
		t.Errorf("error %v", err)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("it took %v", d)
	}
}

// A server that accepts and says nothing must not hold the hand-shake up.
func TestSilentServer(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err = hadooprpc.DialAuthenticated(ctx, ln.Addr().String(), testProtocol, hadooprpc.Auth{Token: token("t")})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), ln.Addr().String()) {
		t.Errorf("error %v", err)
	}
}

func TestPings(t *testing.T) {
	var s *rpctest.Server
	ready := make(chan struct{})
	s = serve(t, rpctest.Options{Handle: func(ctx context.Context, c *rpctest.Call) (proto.Message, error) {
		<-ready
		for s.Pings() < 3 && ctx.Err() == nil {
			time.Sleep(time.Millisecond) // a server that works; the pings arrive meanwhile
		}
		return echo(ctx, c)
	}})
	close(ready)
	cl := newClient(t, hadooprpc.Options{Addresses: []string{s.Addr()}, PingInterval: 5 * time.Millisecond})
	if err := call(testContext(t), cl, "x"); err != nil {
		t.Fatal(err)
	}
	before := s.Pings()
	if err := call(testContext(t), cl, "y"); err != nil || s.Opened() != 1 {
		t.Fatal(err, s.Opened())
	}
	if before < 3 {
		t.Errorf("%d pings", before)
	}
}

func TestEndOfCalls(t *testing.T) {
	entered := make(chan struct{}, 2)
	s := serve(t, rpctest.Options{Handle: func(ctx context.Context, _ *rpctest.Call) (proto.Message, error) {
		entered <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	cl := newClient(t, hadooprpc.Options{Addresses: []string{s.Addr()}})
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := call(ctx, cl, "cancelled"); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
	<-entered
	cancel()
	wg.Wait()
	wg.Go(func() {
		if err := call(context.Background(), cl, "closed"); !errors.Is(err, hadooprpc.ErrClosed) {
			t.Errorf("error %v", err)
		}
	})
	<-entered
	_ = cl.Close()
	wg.Wait()
	if err := call(context.Background(), cl, "after"); !errors.Is(err, hadooprpc.ErrClosed) {
		t.Errorf("error %v", err)
	}
}

func TestReconnectTakesTheNewCredential(t *testing.T) {
	entered, release := make(chan struct{}, 1), make(chan struct{})
	var mu sync.Mutex
	seen := map[string]int{}
	s := serve(t, rpctest.Options{Methods: []string{"TOKEN"}, Password: passwords, Handle: func(ctx context.Context, c *rpctest.Call) (proto.Message, error) {
		mu.Lock()
		seen[string(c.Token)]++
		first := len(seen) == 1
		mu.Unlock()
		if first {
			entered <- struct{}{}
			<-release
		}
		return echo(ctx, c)
	}})
	ids := []string{"old", "new"}
	cl := newClient(t, hadooprpc.Options{Addresses: []string{s.Addr()}, Auth: func(context.Context) (hadooprpc.Auth, error) {
		id := ids[0]
		ids = ids[1:]
		return hadooprpc.Auth{Token: token(id)}, nil
	}})
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := call(testContext(t), cl, "x"); err != nil {
			t.Error(err)
		}
	})
	<-entered
	cl.Reconnect()
	wg.Wait()
	close(release)
	if seen["old"] != 1 || seen["new"] != 1 {
		t.Errorf("seen %v", seen)
	}
}

// What a shim below another Hadoop client does: pass frames through an authenticated session.
func TestSessionPassesFrames(t *testing.T) {
	s := serve(t, rpctest.Options{Methods: []string{"TOKEN"}, QOP: "auth-conf", Ciphers: "3des", Password: passwords})
	session, err := hadooprpc.DialAuthenticated(testContext(t), s.Addr(), testProtocol, hadooprpc.Auth{Token: token("t")})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	for id := range int32(3) {
		if err := session.WriteFrame(requestFrame(t, id, strings.Repeat("z", 100000))); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		frame, err := session.ReadFrame()
		if err != nil || len(frame) < 100000 {
			t.Fatalf("%d bytes, %v", len(frame), err)
		}
	}
	if err := session.SetReadDeadline(time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	var ne net.Error
	if _, err := session.ReadFrame(); !errors.As(err, &ne) || !ne.Timeout() {
		t.Errorf("error %v", err)
	}
}
