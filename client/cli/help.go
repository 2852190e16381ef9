package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// printHelp prints the help of bin/flink: all actions with their options.
func printHelp(w io.Writer) {
	fmt.Fprint(w, "./flink <ACTION> [OPTIONS] [ARGUMENTS]\n\nThe following actions are available:\n")
	for _, a := range actions() {
		if !a.hidden {
			a.printSyntax(w)
			printOptions(w, fmt.Sprintf("%q action options", a.name), a.own)
		}
	}
	fmt.Fprint(w, "\n")
	printOptions(w, "Options of all actions", genericOptions)
	printOptions(w, "Old options of a YARN cluster (each stands for a key, see -D)", legacyYarnOptions)
	fmt.Fprint(w, "\n")
}

// printHelp prints the help of one action.
func (a *action) printHelp(w io.Writer) {
	if a.name == sessionCommand {
		fmt.Fprint(w, "Usage:\n")
		printOptions(w, "Optional", a.own)
		fmt.Fprint(w, "\n")
		return
	}
	a.printSyntax(w)
	printOptions(w, fmt.Sprintf("%q action options", a.name), a.own)
	if a.generic {
		printOptions(w, "Options of all actions", genericOptions)
		printOptions(w, "Old options of a YARN cluster (each stands for a key, see -D)", legacyYarnOptions)
	}
	fmt.Fprint(w, "\n")
}

func (a *action) printSyntax(w io.Writer) {
	fmt.Fprintf(w, "\nAction %q %s\n\n  Syntax: %s %s\n", a.name, a.summary, a.name, a.usage)
}

func printOptions(w io.Writer, title string, options []option) {
	fmt.Fprintf(w, "  %s:\n", title)
	shown := slices.DeleteFunc(slices.Clone(options), func(o option) bool { return o.hidden })
	slices.SortStableFunc(shown, func(a, b option) int {
		return strings.Compare(strings.ToLower(a.short+a.long), strings.ToLower(b.short+b.long))
	})
	for _, o := range shown {
		fmt.Fprintln(w, o.help())
	}
}
