package launch

import (
	"fmt"
	"log/slog"
	"sort"
	"strings"

	"goflink/conf"
	"goflink/control"
	"goflink/dataflow"
)

// Program is one program of a job binary.
type Program struct {
	// Name is what -c takes where a binary registers several, and the default
	// of the job's name.
	Name  string
	Build func(b Build) (dataflow.Program, error)
}

// Build is what a program is built with.
type Build struct {
	Conf *conf.Config
	// Once holds the values of stream.Once; nil while planning: compute them.
	Once map[string][]byte
	// Planning is true in the one process that plans: what a program has to
	// say to its user it says there.
	Planning bool
	Log      *slog.Logger
}

// marker makes a job binary recognisable; see control.MarkerHead.
var marker = control.MarkerHead + control.MarkerTail

// pick finds the program that entry names.
func pick(programs []Program, entry string) (Program, error) {
	if len(programs) == 0 {
		return Program{}, fmt.Errorf("this binary registers no program: call stream.Main")
	}
	if entry == "" {
		if len(programs) == 1 {
			return programs[0], nil
		}
		return Program{}, fmt.Errorf("this binary has several programs: choose one with -c (%s)", names(programs))
	}
	for _, p := range programs {
		if p.Name == entry {
			return p, nil
		}
	}
	return Program{}, fmt.Errorf("this binary has no program %q: choose one with -c (%s)", entry, names(programs))
}

func names(programs []Program) string {
	var list []string
	for _, p := range programs {
		list = append(list, p.Name)
	}
	sort.Strings(list)
	return strings.Join(list, ", ")
}
