package worker_test

import (
	"context"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"goflink/control"
	"goflink/dataflow"
	"goflink/graph"
	"goflink/hdfsstore"
	"goflink/stream"
	"goflink/taskmanager/tmtest"
	"goflink/taskmanager/worker"
)

// nobody drops lines.
type nobody struct{}

func (nobody) Print(string) {}

// startProgram runs a program's tasks on two workers.
func startProgram(t *testing.T, p dataflow.Program, conf map[string]string) (jm *tmtest.JM, stop func()) {
	jm = tmtest.NewJM(t)
	binary, err := proto.Marshal(&graph.Program{Sha256: "cafe"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for _, id := range []string{"a", "b"} {
		o := worker.Options{
			Bootstrap: &control.Bootstrap{Jobmanager: jm.Addr, Secret: tmtest.Secret, TaskManagerId: "tm-" + id, ScratchDir: t.TempDir(), Host: "127.0.0.1",
				Worker: &control.StartWorker{WorkerId: id, JobId: "00000000000000000000000000000001", JobName: "test", Program: binary, Slots: 2,
					NetworkBytes: 16 << 20, ManagedBytes: 16 << 20, Config: conf}},
			Program: p, Files: hdfsstore.NewResolver(hdfsstore.Options{}), Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
			Out: nobody{}, MetricsInterval: 20 * time.Millisecond, Fatal: func(err error) { t.Error(err) },
		}
		wg.Go(func() { _ = worker.Run(ctx, o) }) // it ends with its context
	}
	return jm, func() { cancel(); wg.Wait() }
}

// TestLatencyMarkers: markers reach all operators behind a source, over local and
// remote edges and past windows that keep their records for ever, and are told
// under Flink's names, with the granularity that is set; without an interval there
// is nothing.
func TestLatencyMarkers(t *testing.T) {
	for granularity, name := range map[string]string{
		"single":   "latency.operator_id.OP.operator_subtask_index.SUB.latency",
		"operator": "latency.source_id.SRC.operator_id.OP.operator_subtask_index.SUB.latency",
		"subtask":  "latency.source_id.SRC.source_subtask_index.0.operator_id.OP.operator_subtask_index.SUB.latency",
		"":         "",
	} {
		t.Run(granularity, func(t *testing.T) {
			conf := map[string]string{"execution.buffer-timeout.interval": "1 ms"}
			if granularity != "" {
				conf["metrics.latency.interval"], conf["metrics.latency.granularity"] = "2 ms", granularity
			}
			latencyMarkers(t, conf, name)
		})
	}
}

func latencyMarkers(t *testing.T, conf map[string]string, name string) {
	env := stream.NewEnv(stream.Settings{})
	env.SetParallelism(2)
	numbers := stream.Generate(env, 0, 0, func(i int64) int64 { return i }, stream.Parallelism(1))
	moved := stream.Map(numbers.Rebalance(), func(i int64) int64 { return i + 1 })
	keyed := stream.KeyBy(moved, func(i int64) int64 { return i % 10 })
	stream.Count(keyed.Window(stream.Tumbling(time.Hour))).Discard()
	p, err := env.Program()
	if err != nil {
		t.Fatal(err)
	}
	jm, stop := startProgram(t, p, conf)
	defer stop()
	g := p.JobGraph()
	d := jm.Deploy(g, jm.WaitWorkers(2), 0, nil)
	d.Start()
	source := g.Vertices[0].Operators[0].Id
	reached := func() bool {
		for _, v := range g.Vertices[1:] {
			for sub := range v.Parallelism {
				m := jm.Metrics[tmtest.Key(&control.Task{VertexId: v.Id, Subtask: sub})].GetMetrics()
				for _, op := range v.Operators {
					want := strings.NewReplacer("OP", op.Id, "SRC", source, "SUB", strconv.Itoa(int(sub))).Replace(name)
					if name == "" && m["numRecordsIn"] == "" || name != "" && m[want+"_p99"] == "" {
						return false
					}
				}
			}
		}
		return true
	}
	jm.Wait("markers at all operators", reached)
	jm.Look(func() {
		for key, m := range jm.Metrics {
			for k, v := range m.Metrics {
				ours := strings.HasPrefix(k, "latency.")
				if name == "" && ours || strings.HasPrefix(key, g.Vertices[0].Id) && strings.HasPrefix(k, "latency.") {
					t.Errorf("%s has %s", key, k)
				}
				if ms, err := strconv.ParseFloat(v, 64); ours && (err != nil || ms < 0 || ms > 60_000) {
					t.Errorf("%s is %s", k, v)
				}
			}
		}
	})
	d.Cancel()
}
