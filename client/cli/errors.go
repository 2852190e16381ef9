package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"goflink/client/program"
)

// argError is a wrong command line: the user's, not the cluster's.
type argError struct{ msg string }

func (e *argError) Error() string { return e.msg }

func argErrorf(format string, args ...any) error { return &argError{fmt.Sprintf(format, args...)} }

// failf is fmt.Errorf for messages in Flink's own words, which begin with a
// capital letter.
func failf(format string, args ...any) error { return fmt.Errorf(format, args...) }

// ExitError is an error whose exit code is not 1.
type ExitError struct {
	// Code is what the process exits with.
	Code int
	// Quiet: everything has been said already.
	Quiet bool
	// Err is the reason.
	Err error
}

// Error is the reason's text.
func (e *ExitError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit code %d", e.Code)
	}
	return e.Err.Error()
}

// Unwrap returns the reason.
func (e *ExitError) Unwrap() error { return e.Err }

// Exit codes besides 0.
const (
	exitFailure   = 1
	exitBootstrap = 31  // the configuration cannot be read: nothing was looked at
	exitInterrupt = 130 // 128 + SIGINT, as shells have it
)

const line = "------------------------------------------------------------"

// report tells the user what went wrong and returns the exit code.
func report(env *Env, err error, verbose bool) int {
	var arg *argError
	var exit *ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &arg):
		fmt.Fprintf(env.Stdout, "%s\n\nUse the help option (-h or --help) to get help on the command.\n", arg.msg)
		return exitFailure
	case errors.As(err, &exit) && exit.Quiet:
		return exit.Code
	}
	code := exitFailure
	if exit != nil {
		code = exit.Code
	}
	if errors.Is(err, context.Canceled) && code == exitFailure {
		fmt.Fprintf(env.Stderr, "\nInterrupted.\n")
		if verbose {
			causes(env.Stderr, err)
		}
		return exitInterrupt
	}
	block(env.Stderr, err, verbose)
	return code
}

// block is the form in which wrappers look for failures: dashes, the line
// about the program, one reason.
func block(w io.Writer, err error, verbose bool) {
	fmt.Fprintf(w, "\n%s\n The program finished with the following exception:\n\n%s\n", line, strings.TrimSpace(err.Error()))
	if verbose {
		causes(w, err)
		fmt.Fprint(w, stackOf(err))
	}
}

// stackOf is the stack that a program's panic left, wherever it was.
func stackOf(err error) string {
	var p *program.PlanError
	if errors.As(err, &p) {
		return p.Stack
	}
	var s *stackError
	if errors.As(err, &s) {
		return s.stack
	}
	return ""
}

// causes prints the chain of wrapped errors, outermost first.
func causes(w io.Writer, err error) {
	for {
		switch x := err.(type) {
		case interface{ Unwrap() error }:
			err = x.Unwrap()
		case interface{ Unwrap() []error }:
			for _, e := range x.Unwrap() {
				fmt.Fprintf(w, "Caused by: %v [%T]\n", e, e)
				causes(w, e)
			}
			return
		default:
			return
		}
		if err == nil {
			return
		}
		fmt.Fprintf(w, "Caused by: %v [%T]\n", err, err)
	}
}
