package testbed

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"goflink/control"
)

// Proc is a process on this machine.
type Proc struct {
	PID, Parent int
	// Role is what it does: appmaster, taskmanager, worker, coordinator, plan,
	// shell (YARN's), or other.
	Role string
	// Container is the YARN container it runs in, if any.
	Container string
	Args      []string
}

func procLines(list []Proc) string {
	var b strings.Builder
	for _, p := range list {
		fmt.Fprintf(&b, "%d (parent %d) %s %s %q\n", p.PID, p.Parent, p.Role, p.Container, p.Args)
	}
	return b.String()
}

// Roles of processes that are not those of package control.
const (
	RoleMaster = "appmaster"
	RoleShell  = "shell"
)

// Processes lists the living processes of an application's containers.
func (b *Bed) Processes(app string) []Proc {
	id := "_" + strings.TrimPrefix(app, "application_") + "_"
	return scan(func(_ int, env map[string]string, cwd string) bool {
		return strings.Contains(env["CONTAINER_ID"], id) || strings.Contains(cwd, id) || strings.Contains(cwd, app)
	})
}

// InRole are those of an application's processes with a role.
func (b *Bed) InRole(app, role string) []Proc {
	var out []Proc
	for _, p := range b.Processes(app) {
		if p.Role == role {
			out = append(out, p)
		}
	}
	return out
}

// marked lists the processes that the test's commands have started on this
// side of YARN.
func (b *Bed) marked() []Proc {
	return scan(func(_ int, env map[string]string, _ string) bool { return env[marker] == b.Name })
}

// Started lists the living processes that the test's commands have started on
// this side of YARN, workers and coordinators (whose environment is their own)
// among them.
func (b *Bed) Started() []Proc {
	all := scan(func(int, map[string]string, string) bool { return true })
	ours := map[int]bool{}
	for _, p := range b.marked() {
		ours[p.PID] = true
	}
	for grown := true; grown; {
		grown = false
		for _, p := range all {
			if !ours[p.PID] && ours[p.Parent] {
				ours[p.PID], grown = true, true
			}
		}
	}
	return slices.DeleteFunc(all, func(p Proc) bool { return !ours[p.PID] })
}

// scan lists the living processes that match.
func scan(match func(pid int, env map[string]string, cwd string) bool) []Proc {
	dirs, _ := filepath.Glob("/proc/[0-9]*") // the pattern is good
	var out []Proc
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil || pid == os.Getpid() {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, "environ"))
		if err != nil {
			continue // it has ended, or is another user's
		}
		env := variables(data)
		cwd, _ := os.Readlink(filepath.Join(dir, "cwd")) // none when it has ended
		if !match(pid, env, cwd) {
			continue
		}
		if p, ok := look(pid, env, cwd); ok {
			out = append(out, p)
		}
	}
	return out
}

func variables(data []byte) map[string]string {
	env := map[string]string{}
	for _, kv := range bytes.Split(data, []byte{0}) {
		if k, v, ok := strings.Cut(string(kv), "="); ok {
			env[k] = v
		}
	}
	return env
}

// look describes a process; zombies have ended.
func look(pid int, env map[string]string, cwd string) (Proc, bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, after, ok := strings.Cut(string(stat), ") ")
	fields := strings.Fields(after)
	if err != nil || !ok || len(fields) < 2 || fields[0] == "Z" || fields[0] == "X" {
		return Proc{}, false
	}
	p := Proc{PID: pid, Container: env["CONTAINER_ID"]}
	p.Parent, _ = strconv.Atoi(fields[1])
	cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)) // empty when it has ended
	p.Args = strings.Split(strings.TrimRight(string(cmdline), "\x00"), "\x00")
	if p.Container == "" && strings.HasPrefix(filepath.Base(cwd), "container_") {
		p.Container = filepath.Base(cwd)
	}
	p.Role = roleOf(p.Args, env)
	return p, true
}

func roleOf(args []string, env map[string]string) string {
	program := filepath.Base(args[0])
	switch {
	case program == "bash" || program == "sh":
		return RoleShell
	case len(args) > 1 && args[1] == "yarn-appmaster":
		return RoleMaster
	case len(args) > 1 && (args[1] == "yarn-taskmanager" || args[1] == "taskmanager"):
		return control.RoleTaskManager
	case env[control.EnvRole] != "":
		return env[control.EnvRole]
	}
	return "other"
}

// Signal sends a signal to one process. It may have ended, which is told.
func (p Proc) Signal(sig syscall.Signal) bool {
	return !errors.Is(syscall.Kill(p.PID, sig), syscall.ESRCH)
}

// Alive tells whether the process still runs.
func (p Proc) Alive() bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.PID))
	_, after, ok := strings.Cut(string(stat), ") ")
	return err == nil && ok && !strings.HasPrefix(after, "Z") && !strings.HasPrefix(after, "X")
}

// PSS is a process's proportional set size in bytes: its own memory, and its
// share of what it shares with others.
func (p Proc) PSS() (int64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", p.PID))
	if err != nil {
		return 0, err
	}
	for _, line := range strings.Split(string(data), "\n") {
		f := strings.Fields(line)
		if len(f) >= 2 && f[0] == "Pss:" {
			kb, err := strconv.ParseInt(f[1], 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("process %d: no Pss", p.PID)
}
