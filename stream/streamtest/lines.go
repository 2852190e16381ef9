package streamtest

import (
	"regexp"
	"slices"

	"goflink/stream"
)

// Lines runs a program to its end and returns what its print sinks wrote, sorted,
// and without the numbers of subtasks that stand before a line: what a test of a
// whole program compares. parallelism is that of the program's environment.
func Lines(build func(env *stream.Env) error, parallelism int, o Options, args ...string) ([]string, error) {
	env := stream.NewEnv(stream.Settings{Args: args})
	env.SetParallelism(parallelism)
	if err := build(env); err != nil {
		return nil, err
	}
	p, err := env.Program()
	if err != nil {
		return nil, err
	}
	c, err := New(p, o)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if err := c.Run(); err != nil {
		return nil, err
	}
	lines := c.Lines()
	for i, l := range lines {
		lines[i] = subtask.ReplaceAllString(l, "$1")
	}
	slices.Sort(lines)
	return lines, nil
}

// subtask is what a print sink puts before a line when there are several of it:
// "2> ", or behind the sink's word "word:2> ".
var subtask = regexp.MustCompile(`^(?:([^>]*):)?[0-9]+> `)
