//go:build bench

package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"goflink/benchmark/figures"
	"goflink/internal/testbed"
)

// bufferTimeout is both engines' default, in milliseconds.
const bufferTimeout = "100"

// TestLatency measures the way of a record from the source through an exchange
// by key to the sink, at half of the rate that Flink can do at most.
func TestLatency(t *testing.T) {
	if !named(t, "latency") {
		t.Skip("JOBS names others")
	}
	b := testbed.New(t, testbed.Options{})
	o, p := &ours{b: b, program: build(t)}, &peer{b: b}
	rate := highest(b, p) / 2
	table := &figures.Table{}
	all := map[string][]percentiles{}
	for range rounds {
		for _, e := range []engine{o, p} {
			l := latencies(b, e, rate)
			t.Logf("%s at %.0f records/s: %v", e.name(), rate, l)
			all[e.name()] = append(all[e.name()], l)
		}
	}
	for i, name := range []string{"p50", "p99", "p999"} {
		var medians []float64
		for _, e := range []engine{o, p} {
			var list []float64
			for _, l := range all[e.name()] {
				list = append(list, l[i].Seconds()*1000)
			}
			medians = append(medians, figures.Median(list))
			table.Add(e.name(), "(f) "+name, fmt.Sprintf("%.2f ms (%.2f to %.2f)", figures.Median(list), slices.Min(list), slices.Max(list)), asked99(name))
		}
		table.Add("ratio", "(f) "+name, fmt.Sprintf("%.2f", medians[0]/medians[1]), asked99(name))
	}
	fmt.Printf("\nlatency at %.0f records/s, buffer time-out %s ms, %d rounds\n\n%s\n", rate, bufferTimeout, rounds, table.Text())
}

func asked99(name string) string {
	if name == "p99" {
		return "at most 0.5"
	}
	return ""
}

var latencyConf = map[string]string{"state.backend.type": "hashmap", "execution.buffer-timeout.interval": bufferTimeout + "ms"}

func report99(b *testbed.Bed, name string) string { return filepath.Join(b.Home, name+"-latency") }

// highest is the rate of the job when nothing limits it.
func highest(b *testbed.Bed, e engine) float64 {
	r := run(b, e, scenario{program: "Latency", args: []string{"--report", report99(b, "highest")}, conf: latencyConf})
	return r.perSecond
}

// percentiles are p50, p99 and p999.
type percentiles [3]time.Duration

func latencies(b *testbed.Bed, e engine, rate float64) percentiles {
	file := report99(b, strconv.FormatInt(time.Now().UnixNano(), 36))
	jm := e.start(1, latencyConf)
	defer e.stop()
	e.submit("Latency", []string{"--speed", strconv.FormatInt(int64(rate), 10), "--report", file})
	job := jm.OnlyJob(time.Minute)
	jm.AwaitRunning(job, time.Minute)
	pause(warmup)
	before := histogram(b, file)
	pause(measure)
	after := histogram(b, file)
	total := int64(0)
	for bucket, n := range before {
		after[bucket] -= n
	}
	for _, n := range after {
		total += n
	}
	if total == 0 {
		b.T.Fatalf("%s: no record arrived", e.name())
	}
	var out percentiles
	for i, q := range []float64{0.5, 0.99, 0.999} {
		out[i] = quantile(after, total, q)
	}
	return out
}

// histogram sums up what both subtasks of the sink have written.
func histogram(b *testbed.Bed, file string) map[int64]int64 {
	sum := map[int64]int64{}
	for subtask := range 2 {
		data, err := os.ReadFile(fmt.Sprintf("%s.%d", file, subtask))
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has seen nothing yet
		}
		b.Must(err)
		var part map[int64]int64
		b.Must(json.Unmarshal(data, &part))
		for bucket, n := range part {
			sum[bucket] += n
		}
	}
	return sum
}

// quantile is the lower bound of the bucket in which the quantile lies.
func quantile(counts map[int64]int64, total int64, q float64) time.Duration {
	left := int64(q * float64(total))
	for _, bucket := range slices.Sorted(maps.Keys(counts)) {
		if left -= counts[bucket]; left < 0 {
			return time.Duration(bucket)
		}
	}
	return 0
}
