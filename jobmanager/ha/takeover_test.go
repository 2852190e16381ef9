package ha

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// TestTakeover runs the scripts of testdata/takeover: each begins with the
// attempt's number, and then says what came of the action that was printed last.
func TestTakeover(t *testing.T) {
	datadriven.RunTest(t, "testdata/takeover", func(t *testing.T, d *datadriven.TestData) string {
		core := takeover{}
		var out strings.Builder
		for _, line := range strings.Split(strings.TrimSpace(d.Input), "\n") {
			words := strings.Fields(line)
			var next action
			if words[0] == "attempt" {
				core.attempt, _ = strconv.ParseInt(words[1], 10, 64)
				next = core.start()
			} else {
				next = core.step(parseEvent(t, words))
			}
			fmt.Fprintf(&out, "%s\n", describe(next))
		}
		return out.String()
	})
}

func parseEvent(t *testing.T, words []string) event {
	has := func(word string) bool { return len(words) > 1 && words[1] == word }
	switch words[0] {
	case "listed":
		var e listed
		for _, w := range words[1:] {
			n, err := strconv.ParseInt(strings.TrimPrefix(w, "closed-"), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			e.folders = append(e.folders, folder{number: n, open: !strings.HasPrefix(w, "closed-")})
		}
		return e
	case "claimed":
		return claimDone{existed: has("existed")}
	case "closed":
		return closeDone{gone: has("gone")}
	case "read":
		return readDone{found: has("found"), gone: has("gone")}
	case "written":
		return writeDone{fenced: has("fenced")}
	}
	t.Fatalf("unknown event %q", words[0])
	return nil
}

func describe(a action) string {
	switch a := a.(type) {
	case doList:
		return "list"
	case doClaim:
		return fmt.Sprint("claim ", a.number)
	case doClose:
		return fmt.Sprint("close ", a.number)
	case doRead:
		return fmt.Sprint("read ", a.number)
	case doWrite:
		return fmt.Sprint("write ", a.number)
	case lead:
		return fmt.Sprintf("lead %d from %d", a.number, a.from)
	case giveWay:
		return fmt.Sprint("give way to ", a.to)
	}
	return "too often"
}
