package worker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path"
	"runtime/debug"
	"strings"

	"goflink/control"
	"goflink/hdfsstore"
)

// Domains and retry hints of control.Failure.
const (
	domainUser     = "user"
	domainExternal = "external"
	domainInternal = "internal"

	retryNone    = "none"
	retryRestart = "restart"
)

// errCancelled is the cause of a task's context when it was told to end.
var errCancelled = errors.New("the task was cancelled")

// errOrdered is errCancelled when the JobManager ordered it, so that peers hear
// the same.
var errOrdered = fmt.Errorf("%w by the JobManager", errCancelled)

// errEnded is the cause when the task ended by itself.
var errEnded = errors.New("the task has ended")

// panicked is a panic of user code (or ours below it) as an error.
type panicked struct {
	value any
	stack string
}

// Error names the place in the user's code where there is one.
func (p *panicked) Error() string {
	text := fmt.Sprintf("panic: %v", p.value)
	if where := userFrame(p.stack); where != "" {
		text += " at " + where
	}
	return text
}

func (p *panicked) Unwrap() error {
	err, _ := p.value.(error)
	return err
}

// guard runs f and turns a panic into an error with its stack.
func guard(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicked{value: v, stack: trimStack(string(debug.Stack()))}
		}
	}()
	return f()
}

// userFrame is the first place in a stack that is neither ours nor the Go
// runtime's, as "function (file:line)".
func userFrame(stack string) string {
	lines := strings.Split(stack, "\n")
	for i := 0; i+1 < len(lines); i++ {
		name, place := lines[i], lines[i+1]
		if !strings.HasPrefix(place, "\t") || strings.HasPrefix(name, "goflink/") || strings.HasPrefix(name, "created by ") || fromGo(name) {
			continue
		}
		if cut := strings.LastIndexByte(name, '('); cut > 0 {
			name = name[:cut]
		}
		place, _, _ = strings.Cut(strings.TrimSpace(place), " ")
		return fmt.Sprintf("%s (%s)", name, path.Join(path.Base(path.Dir(place)), path.Base(place)))
	}
	return ""
}

// goFolders are the folders of Go's own packages through which a panic may go.
var goFolders = map[string]bool{}

func init() {
	for _, f := range strings.Fields("archive bufio bytes cmp compress container context crypto database encoding errors fmt hash html image internal io " +
		"iter log maps math net os path reflect regexp runtime slices sort strconv strings sync syscall text time unicode unique") {
		goFolders[f] = true
	}
}

// fromGo tells whether a function is Go's own.
func fromGo(name string) bool {
	if i := strings.IndexAny(name, "/."); i > 0 {
		name = name[:i]
	}
	return goFolders[name]
}

// maxStack bounds a stack in a failure: its top is what tells.
const maxStack = 32 << 10

// trimStack drops the frames of the recovery itself.
func trimStack(stack string) string {
	if _, after, ok := strings.Cut(stack, "panic("); ok {
		if i := strings.IndexByte(after, '\n'); i >= 0 {
			after = after[i+1:]
			if j := strings.IndexByte(after, '\n'); j >= 0 {
				stack = after[j+1:]
			}
		}
	}
	if len(stack) > maxStack {
		stack = stack[:maxStack] + "…"
	}
	return stack
}

// failureOf describes an error for the JobManager; where names job, task and
// attempt.
func failureOf(where string, err error) *control.Failure {
	f := &control.Failure{Message: where + ": " + err.Error(), Domain: domainOf(err), Retry: retryOf(err)}
	var p *panicked
	if errors.As(err, &p) {
		f.Stack = p.stack
	}
	return f
}

// domainOf says where an error comes from. Errors say so themselves
// (FailureDomain), or are known by their kind; the rest comes out of the
// user's chain.
func domainOf(err error) string {
	var told interface{ FailureDomain() string }
	if errors.As(err, &told) {
		return told.FailureDomain()
	}
	var p *panicked
	if errors.As(err, &p) {
		return domainUser
	}
	var file *hdfsstore.Error
	var network net.Error
	if errors.As(err, &file) || errors.As(err, &network) || errors.Is(err, context.DeadlineExceeded) {
		return domainExternal
	}
	return domainUser
}

func retryOf(err error) string {
	var told interface{ FailureRetry() string }
	if errors.As(err, &told) {
		return told.FailureRetry()
	}
	return retryRestart
}

// internalError is a failure of the runtime.
type internalError struct{ err error }

func internalf(format string, args ...any) error { return &internalError{fmt.Errorf(format, args...)} }

func (e *internalError) Error() string         { return e.err.Error() }
func (e *internalError) Unwrap() error         { return e.err }
func (e *internalError) FailureDomain() string { return domainInternal }
func (e *internalError) FailureRetry() string  { return retryRestart }

// fatalRestore is a failure that comes again with every restart: state that
// cannot be read.
type fatalRestore struct{ err error }

func (e *fatalRestore) Error() string         { return e.err.Error() }
func (e *fatalRestore) Unwrap() error         { return e.err }
func (e *fatalRestore) FailureDomain() string { return domainExternal }
func (e *fatalRestore) FailureRetry() string  { return retryNone }
