package launch

import (
	"errors"
	"fmt"
	"log/slog"
	"os"

	"goflink/conf"
	"goflink/control"
	"goflink/dataflow"
	"goflink/graph"
)

// plan writes the program's JobGraph to the result descriptor. A failure is
// written there too: the parent shows it as the reason.
func plan(programs []Program, boot *control.Bootstrap) error {
	out, err := inherited(control.EnvResultFD)
	if err != nil {
		return err
	}
	if out == nil {
		return errors.New("the plan role needs a descriptor for its result: run the program with `flink run`")
	}
	defer out.Close()
	clearRole()
	g, err := planned(programs, boot)
	if err == nil {
		var data []byte
		if data, err = graph.Encode(g); err == nil {
			_, err = out.Write(data)
			return err
		}
	}
	_, _ = fmt.Fprintln(out, err)
	return err
}

func planned(programs []Program, boot *control.Bootstrap) (*graph.JobGraph, error) {
	if boot == nil {
		boot = &control.Bootstrap{}
	}
	p, err := pick(programs, boot.Entry)
	if err != nil {
		return nil, err
	}
	b := Build{Conf: conf.FromMap(boot.Config), Planning: len(boot.Once) == 0, Log: slog.Default()}
	if len(boot.Once) > 0 {
		b.Once = boot.Once
	}
	prog, err := build(p, b)
	if err != nil {
		return nil, err
	}
	return prog.JobGraph(), nil
}

// build runs the user's code; a panic there is the user's error.
func build(p Program, b Build) (prog dataflow.Program, err error) {
	defer func() {
		if r := recover(); r != nil {
			prog, err = nil, fmt.Errorf("the build function of %s panicked: %v\n%s", p.Name, r, stack())
		}
	}()
	return p.Build(b)
}

// rebuild makes the program again in a worker or coordinator, with the
// configuration and the once-values that the plan had.
func rebuild(programs []Program, entry string, config map[string]string, once map[string][]byte) (dataflow.Program, error) {
	p, err := pick(programs, entry)
	if err != nil {
		return nil, err
	}
	if once == nil {
		once = map[string][]byte{}
	}
	return build(p, Build{Conf: conf.FromMap(config), Once: once, Log: slog.Default()})
}

// fail ends the process with a one-line reason.
func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
