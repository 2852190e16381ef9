package cli

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// syntax is how the arguments of an action are read.
type syntax struct {
	options []option
	// programFollows: the first argument that is no option is a program, and
	// everything behind it belongs to the program. Elsewhere options may also
	// stand behind other arguments.
	programFollows bool
}

// normalize turns arguments as Flink's users write them (long options with one
// dash, -Dk=v, -yDk=v, -p4, unique beginnings of long names, options behind
// other arguments, options whose value may be missing) into the form that the
// command-line library reads: --name=value first, then "--", then the rest.
func (s syntax) normalize(args []string) ([]string, error) {
	var options, rest []string
	for i := 0; i < len(args); i++ {
		a := args[i]
		if err := typographic(a); err != nil {
			return nil, err
		}
		if a == "--" {
			rest = append(rest, args[i+1:]...)
			break
		}
		if !strings.HasPrefix(a, "-") || a == "-" {
			if s.programFollows {
				rest = append(rest, args[i:]...)
				break
			}
			rest = append(rest, a)
			continue
		}
		read, used, err := s.option(a, args[i+1:])
		if err != nil {
			return nil, err
		}
		options = append(options, read...)
		i += used
	}
	return append(append(options, "--"), rest...), nil
}

// option reads one option; next are the arguments behind it, used is how many
// of them it took.
func (s syntax) option(arg string, next []string) (read []string, used int, err error) {
	o, value, glued, ok := s.match(arg)
	if !ok {
		if flags := s.cluster(arg); flags != nil {
			return flags, 0, nil
		}
		return nil, 0, s.unknown(arg)
	}
	switch {
	case o.takes == noValue && glued:
		return nil, 0, argErrorf("The option %s takes no value.", arg)
	case o.takes == noValue:
		return []string{"--" + o.name()}, 0, nil
	case !glued && len(next) > 0 && !s.isOption(next[0]):
		value, used = next[0], 1
		if err := typographic(value); err != nil {
			return nil, 0, err
		}
	case !glued && o.takes != optionalValue:
		return nil, 0, argErrorf("Missing argument for option: %s", strings.TrimLeft(arg, "-"))
	}
	if key, _, ok := strings.Cut(value, "="); o.takes == property && (!ok || key == "") {
		return nil, 0, argErrorf("The option -%s needs a key and a value: -%skey=value, not %q.", o.short, o.short, value)
	}
	return []string{"--" + o.name() + "=" + value}, used, nil
}

// match finds the option that arg names, and the value that is glued to it.
func (s syntax) match(arg string) (o option, value string, glued, ok bool) {
	two := strings.HasPrefix(arg, "--")
	name := strings.TrimLeft(arg, "-")
	if o, ok = s.exact(name, two); ok {
		return o, "", false, true
	}
	for _, p := range []string{"yD", "D"} { // the longer one first
		if rest, cut := strings.CutPrefix(name, p); cut && !two {
			if o, ok = s.exact(p, false); ok {
				return o, rest, true, true
			}
		}
	}
	head, tail, eq := strings.Cut(name, "=")
	if o, ok = s.exact(head, two); ok && eq {
		return o, tail, true, true
	}
	if two {
		if o, ok = s.beginning(head); ok {
			return o, tail, eq, true
		}
		return option{}, "", false, false
	}
	if o, ok = s.exact(name[:min(1, len(name))], false); ok && o.takes != noValue && o.takes != property {
		return o, strings.TrimPrefix(name[1:], "="), true, true // -p4
	}
	return option{}, "", false, false
}

// exact finds an option by its whole name; two dashes exclude short names.
func (s syntax) exact(name string, two bool) (option, bool) {
	if name == "" {
		return option{}, false
	}
	for _, o := range s.options {
		if o.short == name && !two {
			return o, true
		}
	}
	for _, o := range s.options {
		if o.long == name || (two && o.long == "" && o.short == name) {
			return o, true
		}
	}
	return option{}, false
}

// beginning finds the one long option that begins with name.
func (s syntax) beginning(name string) (found option, ok bool) {
	for _, o := range s.options {
		if name == "" || !strings.HasPrefix(o.long, name) {
			continue
		}
		if ok {
			return option{}, false
		}
		found, ok = o, true
	}
	return found, ok
}

// cluster reads several one-letter options behind one dash, as in -ra.
func (s syntax) cluster(arg string) []string {
	var out []string
	for _, c := range strings.TrimPrefix(arg, "-") {
		o, ok := s.exact(string(c), false)
		if !ok || o.takes != noValue {
			return nil
		}
		out = append(out, "--"+o.name())
	}
	return out
}

func (s syntax) isOption(arg string) bool {
	if !strings.HasPrefix(arg, "-") || arg == "-" {
		return false
	}
	_, _, _, ok := s.match(arg)
	return ok
}

func (s syntax) unknown(arg string) error {
	msg := "Unrecognized option: " + arg
	if near := s.nearest(strings.TrimLeft(arg, "-")); near != "" {
		msg += fmt.Sprintf(" (did you mean %s?)", near)
	}
	return argErrorf("%s", msg)
}

// nearest finds the shown option that differs from name in at most two letters.
func (s syntax) nearest(name string) string {
	name, _, _ = strings.Cut(name, "=")
	best, out := 3, ""
	for _, o := range s.options {
		if o.hidden || len(o.long) < 4 {
			continue
		}
		if d := editDistance(name, o.long); d < best {
			best, out = d, "--"+o.long
		}
	}
	return out
}

// editDistance counts the letters to insert, remove or change.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}

// hyphens look like the one of the keyboard and are none; word processors and
// web pages put them in its place.
const hyphens = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"

// typographic refuses an argument that begins with such a hyphen.
func typographic(arg string) error {
	r, size := utf8.DecodeRuneInString(arg)
	if size == 0 || !strings.ContainsRune(hyphens, r) {
		return nil
	}
	rest := strings.TrimLeft(arg, hyphens+"-")
	dashes := "-"
	if name, _, _ := strings.Cut(rest, "="); len(name) > 4 && !strings.HasPrefix(rest, "D") {
		dashes = "--" // – for -- is what typesetters do to long options
	}
	return argErrorf("The argument %q begins with a typographic hyphen (U+%04X), pasted from a document: type %s%s.", arg, r, dashes, rest)
}
