//go:build mutants

package law

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var onlyFlag = flag.String("law.only", "", "only the planted bugs whose name holds this")

// TestMutants builds the law's test once with all planted bugs, and runs its seeds
// for each bug until one fails: every bug must be found.
func TestMutants(t *testing.T) {
	binary := buildMutants(t)
	var table strings.Builder
	for _, m := range mutants {
		if !strings.Contains(m.name, *onlyFlag) {
			continue
		}
		text, found := m.hunt(binary)
		if !found {
			t.Errorf("%q: %s", m.name, text)
		}
		line := fmt.Sprintf("%-52s %s", m.name, text)
		fmt.Println(line)
		fmt.Fprintln(&table, line)
	}
	t.Logf("where each planted bug was found:\n%s", table.String())
	if out, err := hunt(binary, "none", "0..59"); err != nil {
		t.Errorf("without a planted bug, seeds fail: %s", out)
	}
}

// buildMutants compiles the law's test with the bugs in it.
func buildMutants(t *testing.T) string {
	dir := t.TempDir()
	replace := map[string]string{}
	for file, text := range overlay(t) {
		abs, err := filepath.Abs(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		replace[abs] = filepath.Join(dir, strings.ReplaceAll(file, "/", "-"))
		if err := os.WriteFile(replace[abs], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b, err := json.Marshal(map[string]map[string]string{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	list, binary := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "law.test")
	if err := os.WriteFile(list, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "test", "-c", "-vet=off", "-overlay", list, "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("the planted bugs do not compile: %s", out)
	}
	return binary
}

func hunt(binary, bug, seeds string) ([]byte, error) {
	c := exec.Command(binary, "-test.run", "^TestSeeds$", "-test.timeout", "10m", "-law.seeds", seeds, "-law.failfast")
	c.Env = append(os.Environ(), "GOFLINK_PLANTED="+bug)
	return c.CombinedOutput()
}

var (
	firstFailure = regexp.MustCompile(`seed (\d+): (.*)`)
	otherFailure = regexp.MustCompile(`(?s)--- FAIL: TestSeeds/seed/(\d+).*?go:\d+: (.*?)\n`)
)

// hunt tells at which seed the bug was found, and how it showed.
func (m mutant) hunt(binary string) (string, bool) {
	out, err := hunt(binary, m.name, seedRange.String())
	if err == nil {
		return "not found", false
	}
	for _, r := range []*regexp.Regexp{firstFailure, otherFailure} {
		if f := r.FindSubmatch(out); f != nil {
			return fmt.Sprintf("seed %3s  %.120s", f[1], f[2]), true
		}
	}
	return fmt.Sprintf("the run ended otherwise: %.600s", out), false
}
