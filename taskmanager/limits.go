package taskmanager

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"

	"golang.org/x/sys/unix"
)

// Limits bound a worker process.
type Limits struct {
	// MemoryBytes is its share; 0: no limit.
	MemoryBytes int64
	// VCores were asked for.
	VCores int
}

// dataHeadroom is what RLIMIT_DATA leaves above the share. The kernel counts
// what a Go process has mapped, not what it has touched: 42 MiB more when it
// starts, up to 66 MiB more with a churning heap at its limit. A smaller
// headroom would kill workers that keep to their share; with a larger one a
// leak would grow past what YARN grants before it is stopped.
const dataHeadroom = 64 << 20

// softLimit is GOMEMLIMIT: 90 % of the share, so that the collector works
// harder before the hard limit ends the process.
func (l Limits) softLimit() int64 { return l.MemoryBytes / 10 * 9 }

// hardLimit is RLIMIT_DATA.
func (l Limits) hardLimit() uint64 { return uint64(l.MemoryBytes + dataHeadroom) }

// procs is GOMAXPROCS. YARN's default calculator reports 1 vcore whatever was
// asked for; below 2 the collector and the tasks would take turns.
func (l Limits) procs() int { return max(2, l.VCores) }

// env are the variables that the Go runtime of a worker obeys from its first
// instruction.
func (l Limits) env() []string {
	e := []string{"GOMAXPROCS=" + strconv.Itoa(l.procs())}
	if l.MemoryBytes > 0 {
		e = append(e, "GOMEMLIMIT="+strconv.FormatInt(l.softLimit(), 10))
	}
	return e
}

// oomScore makes the kernel end a worker before its supervisor when the host
// runs out of memory.
const oomScore = 300

// apply sets the limits of a process that was just started. Its code may have
// run a moment already, which its own limits below GOMEMLIMIT cover.
func (l Limits) apply(pid int) error {
	var errs []error
	if l.MemoryBytes > 0 {
		r := &unix.Rlimit{Cur: l.hardLimit(), Max: l.hardLimit()}
		if err := unix.Prlimit(pid, unix.RLIMIT_DATA, r, nil); err != nil && !errors.Is(err, unix.ESRCH) {
			errs = append(errs, fmt.Errorf("limiting the memory of process %d: %w", pid, err))
		}
	}
	err := os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte(strconv.Itoa(oomScore)), 0o644)
	if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, unix.ESRCH) {
		errs = append(errs, fmt.Errorf("oom_score_adj of process %d: %w", pid, err))
	}
	return errors.Join(errs...)
}

// ApplyToSelf sets the limits of this process, for a container that is its own
// only worker. GOMEMLIMIT and GOMAXPROCS of the environment win, as in any Go
// program.
func (l Limits) ApplyToSelf() error {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(l.procs())
	}
	if l.MemoryBytes <= 0 {
		return nil
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(l.softLimit())
	}
	return l.apply(os.Getpid())
}
