package launch

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"google.golang.org/protobuf/proto"

	"goflink/control"
)

// maxBootstrap bounds what is read from the bootstrap descriptor.
const maxBootstrap = 64 << 20

// inherited opens the descriptor that the environment variable name holds; nil
// when there is none.
func inherited(name string) (*os.File, error) {
	text := os.Getenv(name)
	if text == "" {
		return nil, nil
	}
	fd, err := strconv.Atoi(text)
	if err != nil || fd < 3 {
		return nil, fmt.Errorf("%s=%s is no inherited descriptor", name, text)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// readBootstrap reads what the parent says; nil when it says nothing.
func readBootstrap() (*control.Bootstrap, error) {
	f, err := inherited(control.EnvBootstrapFD)
	if f == nil || err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxBootstrap+1))
	if err != nil {
		return nil, fmt.Errorf("reading the bootstrap: %w", err)
	}
	if len(data) > maxBootstrap {
		return nil, errors.New("the bootstrap is too large")
	}
	b := new(control.Bootstrap)
	if err := proto.Unmarshal(data, b); err != nil {
		return nil, fmt.Errorf("the bootstrap is damaged: %w", err)
	}
	if b.Protocol != control.ProtocolVersion {
		return nil, fmt.Errorf("this program speaks worker protocol %d, the cluster %d: build it with the cluster's release of goflink",
			control.ProtocolVersion, b.Protocol)
	}
	return b, nil
}

// clearRole removes what made this process what it is, so that a process that
// the user's code starts is not taken for one of ours.
func clearRole() {
	for _, name := range []string{control.EnvRole, control.EnvBootstrapFD, control.EnvResultFD, control.EnvParentFD} {
		_ = os.Unsetenv(name)
	}
}

// watchParent ends this process at once when its parent is gone: the pipe that
// both hold is closed by the kernel. The goroutine lives as long as the
// process.
func watchParent() error {
	f, err := inherited(control.EnvParentFD)
	if f == nil || err != nil {
		return err
	}
	go func() { // ends with the process: that is its purpose
		_, _ = io.Copy(io.Discard, f)
		os.Exit(exitParentGone)
	}()
	return nil
}

// Exit codes of a job binary, beside 0 and 1.
const exitParentGone = 3
