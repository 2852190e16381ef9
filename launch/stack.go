package launch

import (
	"runtime/debug"
	"strings"
)

// stack returns the user's part of the stack of a panic: what lies below the
// runtime's own frames.
func stack() string {
	text := string(debug.Stack())
	if _, below, ok := strings.Cut(text, "panic("); ok {
		if _, rest, ok := strings.Cut(below, "\n"); ok {
			if _, rest, ok = strings.Cut(rest, "\n"); ok {
				return rest
			}
		}
	}
	return text
}
