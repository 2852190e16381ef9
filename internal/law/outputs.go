package law

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// outputs are what the sinks of a job wrote, over all its attempts.
type outputs struct {
	dir string
	// happened is what the job went through; see coverage.
	happened map[string]bool
	mu       struct {
		sync.Mutex
		lines map[int][]string
	}
}

func newOutputs(dir string) *outputs {
	o := &outputs{dir: dir, happened: map[string]bool{}}
	o.mu.lines = map[int][]string{}
	return o
}

func (o *outputs) add(sink int, line string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mu.lines[sink] = append(o.mu.lines[sink], line)
}

// printed takes the lines of print sinks, "2> line".
func (o *outputs) printed(lines []string) {
	for _, l := range lines {
		var sink int
		if id, text, ok := strings.Cut(l, "> "); ok {
			if _, err := fmt.Sscan(id, &sink); err == nil {
				o.add(sink, text)
			}
		}
	}
}

// of are the lines of a sink, sorted.
func (o *outputs) of(i int, k Sink) ([]string, error) {
	if k.Kind == "files" {
		return committed(filepath.Join(o.dir, fmt.Sprint(i)))
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Sorted(slices.Values(o.mu.lines[i])), nil
}

// committed reads the visible files of a folder.
func committed(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var lines []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		lines = append(lines, strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")...)
	}
	slices.Sort(lines)
	return lines, nil
}
