//go:build bench

package engine

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"goflink/internal/testbed"
)

// meter reads what a job has done and what it took.
type meter struct {
	b    *testbed.Bed
	jm   *testbed.JobManager
	job  string
	pids []int
	peak int64
}

// reading is the state at a moment.
type reading struct {
	at      time.Time
	records int64
	cpu     time.Duration
}

// read waits for a fresh count of the records that the sources have emitted,
// which comes with heartbeats, and takes the CPU time at once.
func (m *meter) read() reading {
	first := m.records()
	var r reading
	m.b.Eventually("the records of the sources grow", 30*time.Second, func() bool {
		r = reading{at: time.Now(), records: m.records(), cpu: m.cpu()}
		return r.records > first
	})
	return r
}

// records are what all sources have emitted.
func (m *meter) records() int64 {
	var job struct {
		Vertices []struct {
			Name    string `json:"name"`
			Metrics struct {
				Written int64 `json:"write-records"`
			} `json:"metrics"`
		} `json:"vertices"`
	}
	m.b.Must(m.jm.Get("/jobs/"+m.job, &job))
	n := int64(0)
	for _, v := range job.Vertices {
		if strings.HasPrefix(v.Name, "Source: ") {
			n += v.Metrics.Written
		}
	}
	return n
}

// ticks is the kernel's USER_HZ, 100 on all of Linux.
const ticks = 100

func (m *meter) cpu() time.Duration {
	n := int64(0)
	for _, f := range m.stats() {
		user, err1 := strconv.ParseInt(f[11], 10, 64)
		system, err2 := strconv.ParseInt(f[12], 10, 64)
		if err1 == nil && err2 == nil {
			n += user + system
		}
	}
	return time.Duration(n) * time.Second / ticks
}

// memory keeps the highest sum of the resident sizes.
func (m *meter) memory() {
	n := int64(0)
	for _, f := range m.stats() {
		if pages, err := strconv.ParseInt(f[21], 10, 64); err == nil {
			n += pages * int64(os.Getpagesize())
		}
	}
	m.peak = max(m.peak, n)
}

// stats are the fields of /proc/PID/stat behind the name of the program.
func (m *meter) stats() [][]string {
	var out [][]string
	for _, pid := range m.pids {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		m.b.Must(err)
		_, rest, _ := strings.Cut(string(data), ") ")
		out = append(out, strings.Fields(rest))
	}
	return out
}
