package yarntest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"goflink/hadooprpc"
	pb "goflink/hadooprpc/proto/yarnproto"
)

// killDelay is the time between SIGTERM and SIGKILL, that of NodeManagers
// (yarn.nodemanager.sleep-delay-before-sigkill.ms).
const killDelay = 250 * time.Millisecond

// process is a container's shell and what it has become.
type process struct {
	dir    string
	cmd    *exec.Cmd
	done   chan struct{}
	killed bool // guarded by Cluster.mu
}

// startProcess starts a container as a NodeManager does: files, environment and command in a script.
func startProcess(base string, ct *container) (*process, error) {
	dir := filepath.Join(base, ct.id.String())
	logs := filepath.Join(base, "logs", ct.id.String())
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.MkdirAll(logs, 0o755)); err != nil {
		return nil, err
	}
	for _, r := range ct.launch.GetLocalResources() {
		if err := localise(filepath.Join(dir, r.GetKey()), r.GetValue()); err != nil {
			return nil, fmt.Errorf("localise %s: %w", r.GetKey(), err)
		}
	}
	tokens := filepath.Join(dir, "container_tokens")
	if err := os.WriteFile(tokens, ct.launch.GetTokens(), 0o600); err != nil {
		return nil, err
	}
	script := filepath.Join(dir, "launch_container.sh")
	if err := os.WriteFile(script, []byte(launchScript(ct, dir, logs, tokens)), 0o700); err != nil {
		return nil, err
	}
	p := &process{dir: dir, cmd: exec.Command("/bin/bash", script), done: make(chan struct{})}
	p.cmd.Dir = dir
	p.cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	return p, nil
}

// localise copies a file after the checks of a NodeManager. Only file URIs exist here.
func localise(target string, r *pb.LocalResourceProto) error {
	if s := r.GetResource().GetScheme(); s != "file" {
		return fmt.Errorf("scheme %q: only file is supported here", s)
	}
	source := r.GetResource().GetFile()
	fi, err := os.Stat(source)
	if err != nil {
		return err
	}
	if fi.Size() != r.GetSize() || fi.ModTime().UnixMilli() != r.GetTimestamp() {
		return fmt.Errorf("resource %s changed on src filesystem - expected: %d, was: %d", source, r.GetTimestamp(), fi.ModTime().UnixMilli())
	}
	in, err := os.Open(source)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	out, err := os.OpenFile(target, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o500)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// launchScript is what a NodeManager writes, with its rules of expansion.
func launchScript(ct *container, dir, logs, tokens string) string {
	var b strings.Builder
	b.WriteString("#!/bin/bash\nset -e\n")
	export := func(k, v string) { fmt.Fprintf(&b, "export %s=\"%s\"\n", k, v) }
	export("CONTAINER_ID", ct.id.String())
	export("NM_HOST", ct.node.id.Host)
	export("NM_PORT", fmt.Sprint(ct.node.id.Port))
	export("LOCAL_DIRS", filepath.Dir(dir))
	export("LOG_DIRS", logs)
	export("USER", ct.app.user)
	export("LOGNAME", ct.app.user)
	export("HOME", "/home/")
	export("PWD", dir)
	export(hadooprpc.EnvTokenFile, tokens)
	if ct.master {
		export("APPLICATION_WEB_PROXY_BASE", "/proxy/"+ct.app.id.String())
		export("APP_SUBMIT_TIME_ENV", fmt.Sprint(ct.app.started.UnixMilli()))
	}
	expand := strings.NewReplacer("<LOG_DIR>", logs, "{{", "$", "}}", "")
	for _, e := range ct.launch.GetEnvironment() {
		export(e.GetKey(), expand.Replace(e.GetValue()))
	}
	var commands []string
	for _, c := range ct.launch.GetCommand() {
		commands = append(commands, expand.Replace(c))
	}
	fmt.Fprintf(&b, "exec /bin/bash -c \"%s\"\n", strings.Join(commands, " "))
	return b.String()
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// wait gives the exit status in the shell's way: 128 and the signal's number after a signal.
func (p *process) wait() int32 {
	defer close(p.done)
	err := p.cmd.Wait()
	if err == nil {
		return 0
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return -1
	}
	if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int32(ws.Signal())
	}
	return int32(exit.ExitCode())
}

// kill ends the whole process group, at first politely.
func (p *process) kill() {
	_ = syscall.Kill(-p.pid(), syscall.SIGTERM) // it may have ended already
	t := time.NewTimer(killDelay)
	defer t.Stop()
	select {
	case <-p.done:
	case <-t.C:
	}
	_ = syscall.Kill(-p.pid(), syscall.SIGKILL)
	<-p.done
}
