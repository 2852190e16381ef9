// Command testam is the ApplicationMaster and the worker of the tests on a real cluster: it registers, gets two
// containers, starts itself as worker in them, waits for their ends, and unregisters. Everything it checks ends
// up in its final status, which the test reads from the ResourceManager.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"goflink/hadooprpc"
	"goflink/yarnrpc"
)

// Literals that a launch context must carry unchanged; the test gives them to the ApplicationMaster too.
const (
	TrickyEnv = "a \"b\" $HOME `id` \\n {{PWD}} }}} {\"x\":{\"y\":1}} 'q'"
	TrickyArg = "a'b \"c\" $HOME `id` \\ {{PWD}} }}} *"
	secret    = "cluster-secret"
	workers   = 2
	priority  = 7
)

func main() {
	var err error
	switch {
	case len(os.Args) == 3 && os.Args[1] == "am":
		err = runAM(os.Args[2])
	case len(os.Args) == 3 && os.Args[1] == "worker":
		err = runWorker(os.Args[2])
	default:
		err = errors.New("usage: testam am|worker ARG")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
}

func checkLiterals(arg string) error {
	if arg != TrickyArg {
		return fmt.Errorf("argument arrived as %q", arg)
	}
	if v := os.Getenv("TRICKY"); v != TrickyEnv {
		return fmt.Errorf("environment arrived as %q", v)
	}
	return nil
}

func runWorker(arg string) error {
	creds, err := hadooprpc.LoadCredentials(os.Getenv)
	if err != nil {
		return err
	}
	if string(creds.Secret(secret)) != "s3cret" || len(creds.TokensOfKind(hadooprpc.KindAMRM)) != 0 {
		return errors.New("worker has the wrong credentials")
	}
	return checkLiterals(arg)
}

type master struct {
	am      *yarnrpc.AM
	nm      *yarnrpc.NM
	launch  yarnrpc.LaunchContext
	ended   int
	started map[yarnrpc.ContainerID]bool
	failed  []string
}

func runAM(arg string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if err := checkLiterals(arg); err != nil {
		return err
	}
	m, err := newMaster()
	if err != nil {
		return err
	}
	defer m.am.Close()
	host, err := m.am.LocalHost(ctx)
	if err != nil {
		return err
	}
	registered, err := m.am.Register(ctx, yarnrpc.Registration{Host: host, Port: -1, TrackingURL: "http://" + host + ":1"})
	if err != nil {
		return err
	}
	fmt.Println("registered:", registered.Maximum, registered.Queue)
	m.am.SetAsk(priority, yarnrpc.Resource{MemoryMB: 100, VCores: 1}, workers)
	if err := m.loop(ctx); err != nil {
		return err
	}
	status, text := yarnrpc.FinalSucceeded, "all is well"
	if len(m.failed) > 0 {
		status, text = yarnrpc.FinalFailed, fmt.Sprint(m.failed)
	}
	return m.am.Finish(ctx, status, text, "")
}

func newMaster() (*master, error) {
	conf, err := hadooprpc.LoadConf(".")
	if err != nil {
		return nil, err
	}
	creds, err := hadooprpc.LoadCredentials(os.Getenv)
	if err != nil {
		return nil, err
	}
	tokens := creds.TokensOfKind(hadooprpc.KindAMRM)
	if len(tokens) != 1 {
		return nil, fmt.Errorf("%d AMRMTokens", len(tokens))
	}
	m := &master{started: map[yarnrpc.ContainerID]bool{}}
	if m.am, err = yarnrpc.NewAM(yarnrpc.AMOptions{Conf: conf, Token: tokens[0]}); err != nil {
		return nil, err
	}
	if m.nm, err = yarnrpc.NewNM(yarnrpc.NMOptions{Conf: conf, Token: m.am.NMToken}); err != nil {
		return nil, err
	}
	size, err := strconv.ParseInt(os.Getenv("TESTAM_SIZE"), 10, 64)
	if err != nil {
		return nil, err
	}
	mtime, err := strconv.ParseInt(os.Getenv("TESTAM_MTIME"), 10, 64)
	if err != nil {
		return nil, err
	}
	m.launch = yarnrpc.LaunchContext{
		Resources: map[string]yarnrpc.LocalResource{
			"testam": {URI: os.Getenv("TESTAM_URI"), Size: size, ModTime: time.UnixMilli(mtime)},
		},
		Env:         map[string]string{"TRICKY": TrickyEnv},
		EnvExpanded: map[string]string{"LOGS": "<LOG_DIR>"},
		Command:     yarnrpc.ShellCommand([]string{"./testam", "worker", TrickyArg}, "worker.out", "worker.err"),
		Credentials: creds.WithoutKind(hadooprpc.KindAMRM),
	}
	return m, nil
}

// loop makes heartbeats until all workers have ended, and at least as long as the test wants.
func (m *master) loop(ctx context.Context) error {
	linger, err := time.ParseDuration(os.Getenv("TESTAM_LINGER"))
	if err != nil {
		return err
	}
	start := time.Now()
	for m.ended < workers || time.Since(start) < linger {
		u, err := m.am.Allocate(ctx, float32(m.ended)/workers)
		if err != nil {
			return err
		}
		if u.Resynced {
			fmt.Println("resynced")
		}
		for _, c := range u.Allocated {
			m.start(ctx, c)
		}
		for _, s := range u.Completed {
			if !m.started[s.ID] {
				continue // one that was too many
			}
			m.ended++
			fmt.Println("ended:", s)
			if s.ExitStatus != 0 {
				m.failed = append(m.failed, fmt.Sprint(s))
			}
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// start starts a worker, or gives the container back if there are enough.
func (m *master) start(ctx context.Context, c yarnrpc.Container) {
	if len(m.started) == workers {
		m.am.Release(c.ID)
		return
	}
	m.started[c.ID] = true
	if err := m.nm.Start(ctx, c, m.launch); err != nil {
		m.failed = append(m.failed, err.Error())
		return
	}
	st, err := m.nm.Status(ctx, c.Node, c.ID)
	fmt.Println("started:", c.ID, st.State, err)
}
