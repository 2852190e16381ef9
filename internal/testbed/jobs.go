package testbed

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// BuildJobs builds the programs of e2e/jobs into dir and returns their paths by
// name. It fails when bin/flink is missing: `make build` makes it.
func BuildJobs(dir string) (map[string]string, error) {
	if _, err := os.Stat(filepath.Join(Root(), "bin", "flink")); err != nil {
		return nil, fmt.Errorf("run `make build` first: %w", err)
	}
	sources, err := filepath.Glob(filepath.Join(Root(), "e2e", "jobs", "*", "main.go"))
	if err != nil || len(sources) == 0 {
		return nil, errors.Join(errors.New("no programs in e2e/jobs"), err)
	}
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", dir+string(filepath.Separator), "./e2e/jobs/...")
	cmd.Dir, cmd.Env = Root(), append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building e2e/jobs: %w\n%s", err, out)
	}
	jobs := map[string]string{}
	for _, s := range sources {
		name := filepath.Base(filepath.Dir(s))
		jobs[name] = filepath.Join(dir, name)
	}
	return jobs, nil
}
