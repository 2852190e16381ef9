package stream

import (
	"errors"
	"fmt"
	"os"

	"goflink/dataflow"
	"goflink/launch"
)

// registered are the programs of this binary, in the order of Register.
var registered []launch.Program

// Register adds a program to a binary that has several; Start then runs the one
// that -c names. It is for package initialisation and the beginning of main.
func Register(name string, build func(env *Env) error) {
	registered = append(registered, launch.Program{Name: name, Build: func(b launch.Build) (dataflow.Program, error) {
		return Build(b, name, build)
	}})
}

// Build builds a program's graph.
func Build(b launch.Build, name string, build func(env *Env) error) (dataflow.Program, error) {
	env := NewEnv(Settings{Name: name, Conf: b.Conf, Args: os.Args[1:], Once: b.Once, Planning: b.Planning, Log: b.Log})
	if err := errors.Join(build(env), env.Err()); err != nil {
		return nil, fmt.Errorf("program %q: %w", name, err)
	}
	p, err := env.Program()
	if err != nil {
		return nil, err
	}
	return p, nil
}
