//go:build bench

package yarn

import (
	"os"
	"runtime"
	"strings"
	"time"

	"goflink/benchmark/figures"
	"goflink/internal/testbed"
)

// stamp is the time format of our logs.
const stamp = "2006-01-02 15:04:05,000"

// event is a line of a log that ends a step of the way to a running job.
type event struct {
	step, text string
	last       bool // the last such line, not the first
}

// In the order in which they happen. The client's lines, the
// ApplicationMaster's and the TaskManager's are read from their own logs; all
// clocks are this machine's.
var (
	ofClient = []event{{"client: start, plan, stage", "Submitting application master ", false}, {"client: submit", "Submitted application ", false}}
	ofMaster = []event{{"YARN: accept, place, start the ApplicationMaster", "Starting goflink ", false},
		{"ApplicationMaster: take over, serve, register", "Registered with the ResourceManager", false},
		{"ApplicationMaster: plan or recover, ask for containers", "Requesting containers", false},
		{"YARN: grant a container", "will be started on ", false}}
	ofWorker  = []event{{"YARN: start the TaskManager", "Starting goflink ", false}}
	ofMaster2 = []event{{"TaskManager: register", "Registering TaskManager", false}, {"deploy, to all tasks running", "to RUNNING. task=", true}}
)

// step is a part of the way with its length.
type step struct {
	name string
	took time.Duration
}

type timeline []step

// timeline cuts the time from begin to all tasks running into its steps.
func (b *bench) timeline(id string, begin time.Time, client testbed.Result) timeline {
	b.T.Helper()
	master, worker := b.log(id, "jobmanager.log"), b.log(id, "taskmanager.log")
	var out timeline
	at := begin
	for _, part := range []struct {
		text   string
		events []event
	}{{client.Stdout, ofClient}, {master, ofMaster}, {worker, ofWorker}, {master, ofMaster2}} {
		for _, e := range part.events {
			when, ok := find(part.text, e)
			if !ok {
				b.T.Fatalf("no line with %q in the logs of %s", e.text, id)
			}
			out = append(out, step{e.step, when.Sub(at)})
			at = when
		}
	}
	return append(out, step{"sum, by the logs", at.Sub(begin)})
}

func (b *bench) log(id, name string) string {
	b.T.Helper()
	files := b.Logs(id, name)
	if len(files) == 0 {
		b.T.Fatalf("no %s of %s", name, id)
	}
	data, err := os.ReadFile(files[0])
	b.Must(err)
	return string(data)
}

func find(text string, e event) (when time.Time, ok bool) {
	for line := range strings.Lines(text) {
		if !strings.Contains(line, e.text) || len(line) < len(stamp) {
			continue
		}
		t, err := time.ParseInLocation(stamp, line[:len(stamp)], time.Local)
		if err != nil {
			continue
		}
		when, ok = t, true
		if !e.last {
			break
		}
	}
	return when, ok
}

// medians are the medians of each step.
func medians(all []timeline) timeline {
	if len(all) == 0 {
		return nil
	}
	var out timeline
	for i, s := range all[0] {
		var times []time.Duration
		for _, t := range all {
			times = append(times, t[i].took)
		}
		out = append(out, step{s.name, figures.Median(times)})
	}
	return out
}

func cpus() int { return runtime.NumCPU() }
