//go:build bench

package engine

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"goflink/benchmark/figures"
	"goflink/internal/testbed"
)

// Settings of a run, from the environment; `make bench` passes them on.
var (
	rounds  = number("ROUNDS", 3)
	warmup  = duration("WARMUP", 20*time.Second)
	measure = duration("MEASURE", time.Minute)
)

func number(name string, def int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil && n > 0 {
		return n
	}
	return def
}

func duration(name string, def time.Duration) time.Duration {
	if d, err := time.ParseDuration(os.Getenv(name)); err == nil && d > 0 {
		return d
	}
	return def
}

// others are the names in JOBS that are no scenarios.
var others = []string{"latency", "state"}

// named tells whether JOBS names a job or is empty; a name that there is not fails
// the test.
func named(t *testing.T, job string) bool {
	jobs := os.Getenv("JOBS")
	if jobs == "" {
		return true
	}
	list := strings.Split(jobs, ",")
	for _, name := range list {
		if !slices.Contains(others, name) && !slices.ContainsFunc(scenarios, func(s scenario) bool { return s.key == name }) {
			t.Fatalf("JOBS: there is no job %q", name)
		}
	}
	return slices.Contains(list, job)
}

// chosen are the scenarios that JOBS names.
func chosen(t *testing.T) []scenario {
	return slices.DeleteFunc(slices.Clone(scenarios), func(s scenario) bool { return !named(t, s.key) })
}

// result is one measurement.
type result struct {
	perCPU, perSecond float64
	cores             float64
	peak              int64 // resident bytes
}

func TestThroughput(t *testing.T) {
	list := chosen(t)
	if len(list) == 0 {
		t.Skip("JOBS names others")
	}
	program := build(t)
	table := &figures.Table{}
	for _, s := range list {
		t.Run(s.key, func(t *testing.T) { compare(t, program, s, table) })
	}
	fmt.Printf("\n%d rounds, %v after %v of warm-up, medians; %d CPUs\n\n%s\n", rounds, measure, warmup, runtime.NumCPU(), table.Text())
}

// compare runs a scenario on both engines, in turn.
func compare(t *testing.T, program string, s scenario, table *figures.Table) {
	b := testbed.New(t, testbed.Options{})
	engines := []engine{&ours{b: b, program: program}, &peer{b: b}}
	if os.Getenv("GOFLINK_BENCH_ALONE") != "" {
		engines = engines[:1]
	}
	all := make([][]result, len(engines))
	for range rounds {
		for i, e := range engines {
			r := run(b, e, s)
			t.Logf("%s: %.2f M/CPU s, %.2f M/s, %.2f cores, %d MiB", e.name(), r.perCPU/1e6, r.perSecond/1e6, r.cores, r.peak>>20)
			all[i] = append(all[i], r)
		}
	}
	report(table, s, engines, all)
}

// run measures one job on a fresh cluster.
func run(b *testbed.Bed, e engine, s scenario) result {
	jm := e.start(max(1, s.workers), s.conf)
	defer e.stop()
	e.submit(s.program, s.args)
	job := jm.OnlyJob(time.Minute)
	jm.AwaitRunning(job, time.Minute)
	pause(warmup)
	m := &meter{b: b, jm: jm, job: job, pids: e.processes()}
	begin := m.read()
	for end := begin.at.Add(measure); time.Now().Before(end); {
		pause(time.Second)
		m.memory()
	}
	last := m.read()
	if n := jm.Attempt(job); n != 0 {
		b.T.Fatalf("%s: the job restarted: %v", e.name(), jm.Exceptions(job))
	}
	wall, cpu, records := last.at.Sub(begin.at).Seconds(), (last.cpu - begin.cpu).Seconds(), float64(last.records-begin.records)
	return result{perCPU: records / cpu, perSecond: records / wall, cores: cpu / wall, peak: m.peak}
}

// pause lets a job run on: here time is what is measured.
func pause(d time.Duration) { <-time.After(d) }

func report(table *figures.Table, s scenario, engines []engine, all [][]result) {
	var perCPU []float64
	for i, e := range engines {
		var cpu, wall, cores []float64
		var peak []int64
		for _, r := range all[i] {
			cpu, wall, cores, peak = append(cpu, r.perCPU), append(wall, r.perSecond), append(cores, r.cores), append(peak, r.peak>>20)
		}
		perCPU = append(perCPU, figures.Median(cpu))
		table.Add(e.name(), s.figure, fmt.Sprintf("%.2f M/CPU s (%.2f to %.2f), %.2f M/s, %.2f cores, peak %d MiB", figures.Median(cpu)/1e6, slices.Min(cpu)/1e6,
			slices.Max(cpu)/1e6, figures.Median(wall)/1e6, figures.Median(cores), figures.Median(peak)), asked(s))
	}
	if len(perCPU) == 2 {
		table.Add("ratio", s.figure, fmt.Sprintf("%.1f", perCPU[0]/perCPU[1]), asked(s))
	}
}

func asked(s scenario) string {
	if s.ratio == 0 {
		return ""
	}
	return fmt.Sprintf("%g times", s.ratio)
}
