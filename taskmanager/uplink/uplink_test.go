package uplink_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"goflink/control"
	"goflink/taskmanager/tmtest"
	"goflink/taskmanager/uplink"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func beat(i int64) *control.WorkerEvent {
	return &control.WorkerEvent{Event: &control.WorkerEvent_Heartbeat{Heartbeat: &control.Heartbeat{SentMs: i}}}
}

func open(t *testing.T, jm *tmtest.JM) (*uplink.Link[control.WorkerEvent, control.WorkerCommand], *grpc.ClientConn) {
	conn, err := uplink.Dial(jm.Addr, tmtest.Secret)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := uplink.Await(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	l, err := uplink.Open(control.NewJobManagerClient(conn).Worker)
	if err != nil {
		t.Fatal(err)
	}
	l.Send(&control.WorkerEvent{Event: &control.WorkerEvent_Register{Register: &control.RegisterWorker{WorkerId: "w"}}})
	return l, conn
}

// TestCloseSendsWhatIsQueued: the last words of a process arrive.
func TestCloseSendsWhatIsQueued(t *testing.T) {
	jm := tmtest.NewJM(t)
	l, _ := open(t, jm)
	if c := <-l.Commands(); c.GetRegistered() == nil {
		t.Fatalf("%v", c)
	}
	for i := range int64(500) {
		l.Send(beat(i))
	}
	l.Close(10 * time.Second)
	jm.Wait("all events", func() bool { return jm.Heartbeats == 500 && jm.Lost["w"] })
	l.Send(beat(1)) // dropped
}

func TestLost(t *testing.T) {
	jm := tmtest.NewJM(t)
	l, _ := open(t, jm)
	<-l.Commands()
	jm.Close()
	<-l.Done()
	if err := l.Err(); err == nil || !strings.Contains(err.Error(), "the control stream to the JobManager ended") {
		t.Errorf("%v", err)
	}
	if _, more := <-l.Commands(); more {
		t.Error("a command came out of a dead stream")
	}
	l.Close(0)
}

func TestWrongSecretAndNobody(t *testing.T) {
	jm := tmtest.NewJM(t)
	for addr, secret := range map[string]control.Secret{jm.Addr: control.Secret("wrong"), "127.0.0.1:1": tmtest.Secret} {
		conn, err := uplink.Dial(addr, secret)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		if err := uplink.Await(ctx, conn); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), addr) {
			t.Errorf("%v", err)
		}
		cancel()
		conn.Close()
	}
}

// TestJudge: a silent JobManager is given up at once when another one leads,
// and otherwise after its time-out.
func TestJudge(t *testing.T) {
	jm := tmtest.NewJM(t)
	l, _ := open(t, jm)
	defer l.Close(0)
	<-l.Commands()
	leads := func(address string, err error) func(context.Context) (string, error) {
		return func(context.Context) (string, error) { return address, err }
	}
	for l.Heard().Add(4 * time.Millisecond).After(time.Now()) {
		runtime.Gosched()
	}
	const hour = time.Hour
	for name, c := range map[string]struct {
		interval, timeout time.Duration
		leader            func(context.Context) (string, error)
		want              string
	}{
		"well":          {hour, hour, leads("other", nil), ""},
		"silent":        {time.Millisecond, hour, nil, ""},
		"still leads":   {time.Millisecond, hour, leads(jm.Addr, nil), ""},
		"nobody knows":  {time.Millisecond, hour, leads("", errors.New("no")), ""},
		"succeeded":     {time.Millisecond, hour, leads("other", nil), "another JobManager leads (at other)"},
		"timed out":     {time.Millisecond, 2 * time.Millisecond, leads(jm.Addr, nil), "no heartbeat from the JobManager since 2ms"},
		"late, not two": {hour, hour, leads("other", nil), ""},
	} {
		err := l.Judge(t.Context(), c.interval, c.timeout, jm.Addr, c.leader)
		if got := fmt.Sprint(err); c.want == "" && err != nil || c.want != "" && !strings.Contains(got, c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
