package lint

import (
	"bytes"
	"path"
	"regexp"
	"strings"
	"testing"
)

// words are what must not stand in any file: the repository has to make sense
// on every machine. They are put together here so that this file is clean.
var words = []struct {
	re  *regexp.Regexp
	why string
}{
	{regexp.MustCompile(`/wor` + `k/(main|shared)|/roo` + `t/|/tmp/bri` + `ef`), "a path of one machine"},
	{regexp.MustCompile(`\.\./sha` + `red/(reference|hadoop|flink|prototype|hooks|DESIGN|STYLE)`), "a folder outside the repository"},
	{regexp.MustCompile(`(proxy|sum)\.gola` + `ng\.org|\bGOPRO` + `XY\b|repo1?\.mav` + `en\.(apache\.)?org`), "the host of a registry"},
}

// excuses are never written: what is missing is made or told to the user.
var excuses = regexp.MustCompile(`\bTO` + `DO\b|\bFIX` + `ME\b|(?i:\bnot imple` + `mented\b|\bfor n` + `ow\b)`)

func TestWords(t *testing.T) {
	walk(t, func(name string, data []byte) {
		if name == "go.sum" || bytes.IndexByte(data[:min(len(data), 8000)], 0) >= 0 {
			return // hashes; binary
		}
		if !suspicious(data) {
			return
		}
		for n, line := range strings.Split(string(data), "\n") {
			for _, w := range words {
				if m := w.re.FindString(line); m != "" {
					t.Errorf("%s:%d: %q is %s", name, n+1, m, w.why)
				}
			}
			if m := excuses.FindString(line); m != "" && checkedForExcuses(name) {
				t.Errorf("%s:%d: %q: make it, or say in a sentence what holds and why", name, n+1, m)
			}
		}
	})
}

// suspicious looks at a whole file at once: nearly all are clean.
func suspicious(data []byte) bool {
	for _, w := range words {
		if w.re.Match(data) {
			return true
		}
	}
	return excuses.Match(data)
}

// checkedForExcuses leaves out generated protobuf code, which repeats the
// comments of others.
func checkedForExcuses(name string) bool {
	switch path.Ext(name) {
	case ".go":
		return !strings.HasSuffix(name, ".pb.go")
	case ".sh", ".md", ".proto", "":
		return true
	}
	return false
}
