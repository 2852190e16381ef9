package rest

import "strings"

// StderrHead stands above what a process wrote to its standard error, in the text of a failure.
const StderrHead = "Standard error of the process:"

// CutStack parts the text of a failure into its reason and what is below it: frames of a stack (a function, and a line that
// a tab indents), the head of a goroutine, the standard error of a process. Commands show the reason, and the rest when
// asked for details.
func CutStack(text string) (reason, stack string) {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i := 1; i < len(lines); i++ {
		at := i
		switch {
		case strings.HasPrefix(lines[i], "\t"):
			if i > 1 && strings.HasSuffix(lines[i-1], ")") { // the frame's function
				at = i - 1
			}
		case strings.HasPrefix(lines[i], "goroutine "), lines[i] == StderrHead:
		default:
			continue
		}
		return strings.Join(lines[:at], "\n"), strings.Join(lines[at:], "\n") + "\n"
	}
	return strings.Join(lines, "\n"), ""
}
