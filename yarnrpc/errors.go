package yarnrpc

import (
	"errors"
	"fmt"

	"goflink/hadooprpc"
)

// Sentinels for the exceptions that callers decide on; test with errors.Is.
var (
	// ErrApplicationNotFound: the ResourceManager knows no application of that id.
	ErrApplicationNotFound = errors.New("application not found")

	// ErrAttemptEnded: the ResourceManager has given this attempt up; another one may run. The ApplicationMaster
	// must stop without touching what is its successor's.
	ErrAttemptEnded = errors.New("the ResourceManager has ended this application attempt")

	// ErrInvalidRequest: an ask beyond what the cluster allows, or a malformed one.
	ErrInvalidRequest = errors.New("invalid resource request")

	// ErrNoNMToken: no token to talk to that node has arrived yet.
	ErrNoNMToken = errors.New("no NMToken for the node")
)

// Simple class names of YARN's exceptions.
const (
	classAppNotFound       = "ApplicationNotFoundException"
	classAttemptNotFound   = "ApplicationAttemptNotFoundException"
	classNotRegistered     = "ApplicationMasterNotRegisteredException"
	classInvalidRequest    = "InvalidResourceRequestException"
	classNMNotReady        = "NMNotYetReadyException"
	classAlreadyRegistered = "InvalidApplicationMasterRequestException"
)

// classify puts the sentinel of a remote exception in front of it.
func classify(err error) error {
	for _, c := range []struct {
		sentinel error
		class    string
	}{
		{ErrApplicationNotFound, classAppNotFound}, {ErrAttemptEnded, classAttemptNotFound}, {ErrInvalidRequest, classInvalidRequest},
	} {
		if hadooprpc.IsRemote(err, c.class) {
			return fmt.Errorf("%w: %w", c.sentinel, err)
		}
	}
	return err
}
