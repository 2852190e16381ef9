package program

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"goflink/conf"
	"goflink/control"
	"goflink/graph"
)

// Limits of a planning process.
const (
	// maxGraph bounds the encoded JobGraph: one of 10,000 vertices has 10 MB.
	maxGraph = 64 << 20
	// stderrTail is what is kept of its standard error for the error message.
	stderrTail = 8 << 10
	// planTimeout bounds one planning run where client.timeout says less: a
	// build that lists a large folder takes seconds.
	planTimeout = time.Minute
)

// Planning says how a program is planned.
type Planning struct {
	File *File
	// Args are the program's arguments, Entry what -c named.
	Args  []string
	Entry string
	// Conf is the effective configuration, without what the program sets.
	Conf *conf.Config
	// Stdout and Stderr get what the program writes, once.
	Stdout, Stderr io.Writer
}

// Plan runs the program's plan role twice, in two processes, and returns the
// JobGraph. The second run is told the values that stream.Once computed in the
// first, as every worker will be; what differs then is not reproducible, and
// is refused with the difference.
func Plan(ctx context.Context, p Planning) (*graph.JobGraph, error) {
	first, err := p.run(ctx, nil, p.Stdout, p.Stderr)
	if err != nil {
		return nil, err
	}
	once := maps.Clone(first.GetOnce())
	if once == nil {
		once = map[string][]byte{}
	}
	second, err := p.run(ctx, once, io.Discard, io.Discard)
	if err != nil {
		return nil, fmt.Errorf("the program %s could be planned once and failed the second time, so it would fail on the workers: %w", p.File.Name, err)
	}
	if graph.Fingerprint(first) != graph.Fingerprint(second) {
		return nil, &ReproducibilityError{Program: p.File.Name, Diff: graph.Diff(first, second)}
	}
	first.Program = &graph.Program{
		Sha256: p.File.SHA256, Size: p.File.Size, Args: p.Args, Entry: p.Entry, Name: p.File.Name, Env: first.GetProgram().GetEnv(),
	}
	return first, nil
}

// ReproducibilityError is a program whose two plans differ.
type ReproducibilityError struct {
	Program string
	// Diff is the readable difference of the two graphs.
	Diff string
}

// Error explains what to do about it.
func (e *ReproducibilityError) Error() string {
	return fmt.Sprintf("the program %s builds another graph each time it is built; every worker builds it again, so this cannot run. "+
		"What depends on a clock, a random number, the order of a map or a local file belongs into stream.Once(env, name, f), which runs f in the client only. The difference:\n%s",
		e.Program, strings.TrimRight(e.Diff, "\n"))
}

// run executes the plan role once.
func (p Planning) run(ctx context.Context, once map[string][]byte, stdout, stderr io.Writer) (*graph.JobGraph, error) {
	limit := planTimeout
	if t := conf.ClientTimeout.Get(p.Conf); conf.ClientTimeout.IsSet(p.Conf) && t > 0 {
		limit = t
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tail := &tailWriter{limit: stderrTail}
	cmd := exec.CommandContext(ctx, p.File.Path, p.Args...)
	cmd.Stdout, cmd.Stderr = stdout, io.MultiWriter(stderr, tail)
	cmd.WaitDelay = 2 * time.Second // a grandchild may hold the pipes open
	bootstrap := &control.Bootstrap{
		Protocol: control.ProtocolVersion, Role: control.RolePlan, Config: p.Conf.Map(), Entry: p.Entry, Once: once,
	}
	result, err := runWithPipes(cmd, bootstrap, control.RolePlan)
	if err != nil {
		return nil, p.explain(ctx, err, limit, result, tail.String())
	}
	g := new(graph.JobGraph)
	if len(result) == 0 {
		return nil, fmt.Errorf("the program %s ended without a plan: its main function has to call stream.Main (and nothing may end the process before)", p.File.Name)
	}
	if err := proto.Unmarshal(result, g); err != nil {
		return nil, fmt.Errorf("the program %s answered with something that is no plan; is it built with another release of goflink? %w", p.File.Name, err)
	}
	if err := graph.CheckVersion(g); err != nil {
		return nil, fmt.Errorf("the program %s: %w", p.File.Name, err)
	}
	if err := graph.Validate(g); err != nil {
		return nil, fmt.Errorf("the plan of the program %s is not consistent: %w", p.File.Name, err)
	}
	return g, nil
}

// explain turns the failure of a planning process into its reason: what it
// wrote into the result pipe, else the end of its standard error.
func (p Planning) explain(ctx context.Context, err error, limit time.Duration, result []byte, stderr string) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("the program %s did not hand over its plan within %s (client.timeout): is its main function a call of stream.Main, and does it do its work in operators, not in the build function? %w",
			p.File.Name, limit, ctx.Err())
	}
	if ctx.Err() != nil {
		return fmt.Errorf("planning the program %s: %w", p.File.Name, ctx.Err())
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return fmt.Errorf("the program %s could not be started: %w", p.File.Name, err)
	}
	reason := strings.TrimSpace(string(result))
	if reason == "" {
		reason = strings.TrimSpace(stderr)
	}
	if reason == "" {
		reason = "it said nothing"
	}
	e := &PlanError{Program: p.File.Name, Err: err}
	e.Reason, e.Stack = cutStack(reason)
	return e
}

// cutStack cuts the stack of a panic off its message: it begins with the line
// before the first one that is indented by a tab.
func cutStack(text string) (reason, stack string) {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if i > 1 && strings.HasPrefix(l, "\t") {
			return strings.Join(lines[:i-1], "\n"), strings.Join(lines[i-1:], "\n")
		}
	}
	return text, ""
}

// PlanError is a program whose build function failed.
type PlanError struct {
	Program string
	// Reason is what the program said, Stack where it panicked.
	Reason, Stack string
	// Err is how the process ended.
	Err error
}

// Error gives the program's own reason.
func (e *PlanError) Error() string {
	return fmt.Sprintf("the program %s could not be planned (%v): %s", e.Program, e.Err, e.Reason)
}

// Unwrap returns how the process ended.
func (e *PlanError) Unwrap() error { return e.Err }

// runWithPipes starts cmd with a pipe that it reads its Bootstrap from and one
// that it writes its result to, and waits for its end.
func runWithPipes(cmd *exec.Cmd, bootstrap *control.Bootstrap, role string) ([]byte, error) {
	data, err := proto.Marshal(bootstrap)
	if err != nil {
		return nil, err
	}
	bootR, bootW, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer bootW.Close()
	resultR, resultW, err := os.Pipe()
	if err != nil {
		bootR.Close()
		return nil, err
	}
	defer resultR.Close()
	cmd.ExtraFiles = []*os.File{bootR, resultW} // descriptors 3 and 4
	cmd.Env = append(Environ(os.Environ()), control.EnvRole+"="+role, control.EnvBootstrapFD+"=3", control.EnvResultFD+"=4")
	err = cmd.Start()
	bootR.Close()
	resultW.Close()
	if err != nil {
		return nil, err
	}
	fed := make(chan struct{})
	go func() {
		defer close(fed)
		// A child that does not read gets a broken pipe here and shows its own
		// failure.
		_, _ = bootW.Write(data)
		bootW.Close()
	}()
	read := make(chan []byte, 1)
	go func() {
		defer close(read)
		b, _ := io.ReadAll(io.LimitReader(resultR, maxGraph+1))
		resultR.Close() // so that a child that writes more is not stuck
		read <- b
	}()
	err = cmd.Wait()
	bootW.Close()
	<-fed
	// A grandchild may have inherited the pipe; the child is gone, so what it
	// wrote is there.
	_ = resultR.SetReadDeadline(time.Now().Add(cmd.WaitDelay))
	result := <-read
	if err == nil && len(result) > maxGraph {
		return nil, fmt.Errorf("its plan is larger than %d MB", maxGraph>>20)
	}
	return result, err
}

// Environ returns environ without the variables that give a process a role, so
// that a client that was itself started with one does not hand it on.
func Environ(environ []string) []string {
	roles := []string{control.EnvRole, control.EnvBootstrapFD, control.EnvResultFD, control.EnvParentFD}
	return slices.DeleteFunc(slices.Clone(environ), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return slices.Contains(roles, name)
	})
}

// tailWriter keeps the last bytes that are written to it.
type tailWriter struct {
	limit int
	buf   []byte
}

// Write never fails.
func (t *tailWriter) Write(p []byte) (int, error) {
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - t.limit; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(p), nil
}

func (t *tailWriter) String() string { return string(bytes.ToValidUTF8(t.buf, []byte("?"))) }
