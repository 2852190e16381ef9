package hadooprpc

import (
	"errors"
	"fmt"
	"strings"
)

// Simple names of the Hadoop exceptions that callers decide on.
const (
	ClassStandby         = "StandbyException"
	ClassRetriable       = "RetriableException"
	ClassAccessControl   = "AccessControlException"
	ClassAuthorization   = "AuthorizationException"
	ClassInvalidToken    = "InvalidToken"
	ClassNoSuchProtocol  = "RpcNoSuchProtocolException"
	ClassNoSuchMethod    = "RpcNoSuchMethodException"
	ClassSafeMode        = "SafeModeException"
	ClassServerTooBusy   = "RpcServerException"
	ClassObserverRetry   = "ObserverRetryOnActiveException"
	ClassServerNotReady  = "ServerNotRunningYetException"
	maxRemoteMessageText = 2000
)

// RemoteError is an exception that the server answered with.
type RemoteError struct {
	Class   string // full Java class name
	Message string // without the Java stack trace
	Fatal   bool   // the server ended the connection with it
}

// Error names the exception in short and its message. Java's package names tell a user nothing.
func (e *RemoteError) Error() string {
	if e.Message == "" {
		return e.SimpleClass()
	}
	return e.SimpleClass() + ": " + e.Message
}

// SimpleClass is the class name without package and outer class.
func (e *RemoteError) SimpleClass() string {
	return e.Class[strings.LastIndexAny(e.Class, ".$")+1:]
}

// IsRemote tells whether err is, or wraps, a remote exception of one of the simple class names.
func IsRemote(err error, simpleClass ...string) bool {
	var re *RemoteError
	if !errors.As(err, &re) {
		return false
	}
	for _, c := range simpleClass {
		if re.SimpleClass() == c {
			return true
		}
	}
	return false
}

// newRemoteError keeps what a reader needs of an exception: Hadoop appends stack traces to the message.
func newRemoteError(class, msg string, fatal bool) *RemoteError {
	msg, _, _ = strings.Cut(msg, "\n\tat ")
	// A message that starts with its own class name, as Hadoop's wrapped ones do, would name it twice.
	msg = strings.TrimPrefix(strings.TrimSpace(msg), class+": ")
	if len(msg) > maxRemoteMessageText {
		msg = msg[:maxRemoteMessageText] + "…"
	}
	return &RemoteError{Class: class, Message: msg, Fatal: fatal}
}

// ConnectError says that no connection to a server could be made or authenticated, or that it broke.
type ConnectError struct {
	Addr string
	Err  error
}

func (e *ConnectError) Error() string { return fmt.Sprintf("hadoop rpc to %s: %v", e.Addr, e.Err) }

// Unwrap gives the cause.
func (e *ConnectError) Unwrap() error { return e.Err }

// AuthError says that we and the server cannot agree on an authentication: wrong configuration, or a credential of
// the wrong kind. Trying again would not help.
type AuthError struct{ Err error }

func (e *AuthError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *AuthError) Unwrap() error { return e.Err }

func authErrorf(format string, args ...any) error {
	return &AuthError{Err: fmt.Errorf(format, args...)}
}

// ErrClosed is returned by calls on a Conn or Client that its owner has closed.
var ErrClosed = errors.New("hadoop rpc: closed")
