package checkpoint

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"goflink/control"
	"goflink/graph"
)

var zero = time.UnixMilli(0).UTC()

// The scripts know two commands:
//
//	job [interval=D] [pause=D] [concurrent=N] [tolerable=N] [retained=N] [retention=N] [enumerators] [memory] [rescale] [unaligned] [aligned=D]
//	        [incremental] [foreign | claimed]: begins from another job's checkpoint
//	        source:2 -> map:2, all to all or by rescale; time-out 10s
//	step t=D        input: one event a line; output: actions, then the deadline
//
// A dash in place of an id stands for the newest one.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var c *Coordinator
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "job":
				c = scriptJob(t, d)
				return ""
			case "step":
				return scriptSteps(t, d, c)
			}
			d.Fatalf(t, "unknown command %s", d.Cmd)
			return ""
		})
	})
}

func testGraph(source, target int32) *graph.JobGraph {
	op := func(id, name string) []*graph.Operator {
		return []*graph.Operator{{Id: id, Name: name, Uid: name}}
	}
	s, m := strings.Repeat("a", 32), strings.Repeat("b", 32)
	return &graph.JobGraph{Vertices: []*graph.Vertex{
		{Id: s, Name: "source", Parallelism: source, MaxParallelism: 128, Operators: op(s, "source")},
		{Id: m, Name: "map", Parallelism: target, MaxParallelism: 128, Operators: op(m, "map")},
	}, Edges: []*graph.Edge{{Source: s, Target: m, Partitioning: graph.Partitioning_HASH}}}
}

func vertexID(name string) string {
	return strings.Repeat(map[string]string{"source": "a", "map": "b"}[name], 32)
}

func vertexName(id string) string { return map[byte]string{'a': "source", 'b': "map"}[id[0]] }

// restoredFor is a checkpoint of another job, which shares kept with one beside it.
func restoredFor(claimed bool) *Completed {
	var states []*control.OperatorState
	for i, f := range []string{"../shared/alone", "../shared/kept", "own"} {
		states = append(states, ackOf(7, Task{vertexID("map"), i}, []string{"t:" + f}).States...)
	}
	c := &Completed{ID: 7, Kind: Periodic, Dir: "/old/chk-7", Claimed: claimed, Foreign: !claimed, Keep: map[string]bool{"/old/shared/kept": true}, Metadata: &control.CheckpointMetadata{CheckpointId: 7, States: states}}
	c.Files = filesOf(c.Dir, states)
	return c
}

func duration(t *testing.T, d *datadriven.TestData, key string) time.Duration {
	var s string
	d.MaybeScanArgs(t, key, &s)
	if s == "" {
		return 0
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		d.Fatalf(t, "%s", err)
	}
	return v
}

func scriptJob(t *testing.T, d *datadriven.TestData) *Coordinator {
	cfg := Config{JobID: "job", Graph: testGraph(2, 2), Interval: duration(t, d, "interval"), MinPause: duration(t, d, "pause"),
		Timeout: 10 * time.Second, Dir: "/cp", Enumerators: d.HasArg("enumerators"), Incremental: d.HasArg("incremental"), Epoch: 1}
	if d.HasArg("foreign") || d.HasArg("claimed") {
		cfg.Restored = []*Completed{restoredFor(d.HasArg("claimed"))}
	}
	if d.HasArg("rescale") {
		cfg.Graph.Edges[0].Partitioning = graph.Partitioning_RESCALE
	}
	if d.HasArg("unaligned") {
		cfg.Unaligned, cfg.AlignedTimeout = true, duration(t, d, "aligned")
	}
	var retention int
	d.MaybeScanArgs(t, "concurrent", &cfg.MaxConcurrent)
	d.MaybeScanArgs(t, "tolerable", &cfg.Tolerable)
	d.MaybeScanArgs(t, "retained", &cfg.Retained)
	d.MaybeScanArgs(t, "retention", &retention)
	cfg.Retention = Retention(retention)
	if d.HasArg("memory") {
		cfg.Dir = ""
	}
	return New(cfg)
}

func scriptSteps(t *testing.T, d *datadriven.TestData, c *Coordinator) string {
	now := zero.Add(duration(t, d, "t"))
	var b strings.Builder
	for line := range strings.Lines(d.Input) {
		for _, ev := range scriptEvents(t, d, c, strings.Fields(line)) {
			for _, a := range c.Step(now, ev) {
				if text := actionString(a); text != "" {
					b.WriteString(text + "\n")
				}
			}
		}
	}
	if dl := c.Deadline(); !dl.IsZero() {
		fmt.Fprintf(&b, "next %s\n", max(0, dl.Sub(zero)))
	}
	return b.String()
}

func parseTask(s string) Task {
	name, sub, _ := strings.Cut(s, "/")
	n, _ := strconv.Atoi(sub)
	return Task{vertexID(name), n}
}

func scriptEvents(t *testing.T, d *datadriven.TestData, c *Coordinator, f []string) []Event {
	arg := func(i int) string {
		if i < len(f) {
			return f[i]
		}
		return ""
	}
	id, _ := strconv.ParseInt(arg(1), 10, 64)
	err := map[string]error{"error": errors.New("disk full")}[arg(2)]
	switch f[0] {
	case "begin":
		return []Event{Begin{}}
	case "suspend":
		return []Event{Suspend{Reason: "a task failed", Others: arg(1) == "others"}}
	case "finished":
		return []Event{TaskFinished{parseTask(f[1])}}
	case "drained":
		return []Event{TaskDrained{parseTask(f[1])}}
	case "drainall":
		var evs []Event
		for _, t := range c.tasks {
			evs = append(evs, TaskDrained{t.Task})
		}
		return evs
	case "prepared":
		return []Event{Prepared{ID: id, Dir: fmt.Sprintf("/cp/chk-%d", id), Exists: arg(2) == "exists", Err: err}}
	case "snapshot":
		return []Event{CoordinatorSnapshot{ID: id, States: map[string][]byte{vertexID("source"): []byte("splits")}}}
	case "ack": // ack ID task [file…]
		return []Event{Ack{ackOf(id, parseTask(f[2]), f[3:])}}
	case "ackall":
		var evs []Event
		for _, t := range c.tasks {
			if !t.finished {
				evs = append(evs, Ack{ackOf(id, t.Task, nil)})
			}
		}
		return evs
	case "decline":
		return []Event{Decline{&control.CheckpointDecline{CheckpointId: id, Task: taskOf(parseTask(f[2])), Reason: "no state", TaskFinished: arg(3) == "finished"}}}
	case "written":
		return []Event{Written{ID: id, Size: 100, Err: err}}
	case "published":
		return []Event{Published{ID: id, Err: err, Fenced: arg(2) == "fenced"}}
	case "savepoint":
		r := Request{Token: "T", Kind: Savepoint, Dir: "/sp/" + f[1], Last: arg(2) == "last"}
		if arg(2) == "native" {
			r.Format = Native
		}
		return []Event{r}
	case "checkpoint":
		return []Event{Request{Token: "T", Kind: Periodic, Full: arg(1) == "full"}}
	case "stop":
		return []Event{Request{Token: "T", Kind: Stop, Dir: "/sp/" + f[1], Drain: arg(2) == "drain"}}
	case "restore":
		var r Restore
		for _, name := range f[1:] {
			r.Tasks = append(r.Tasks, parseTask(name))
		}
		return []Event{r}
	case "terminate":
		return []Event{Terminate{Finished: arg(1) == "finished", Cancelled: arg(1) == "cancelled"}}
	case "tick":
		return []Event{Tick{}}
	}
	d.Fatalf(t, "unknown event %q", f)
	return nil
}

func taskOf(t Task) *control.Task {
	return &control.Task{VertexId: t.Vertex, Subtask: int32(t.Subtask)}
}

func ackOf(id int64, t Task, files []string) *control.CheckpointAck {
	st := &control.OperatorState{OperatorId: t.Vertex, Subtask: int32(t.Subtask)}
	for _, f := range files {
		if table, ok := strings.CutPrefix(f, "t:"); ok {
			st.Keyed = append(st.Keyed, &control.StateHandle{KeyGroupEnd: 127, Kind: "native", Tables: []*control.StateFile{{Name: "1.sst", Path: table, Length: 10}}})
			continue
		}
		st.Keyed = append(st.Keyed, &control.StateHandle{Path: f, Length: 10, KeyGroupEnd: 127})
	}
	return &control.CheckpointAck{CheckpointId: id, Task: taskOf(t), States: []*control.OperatorState{st}, StateBytes: 10}
}

func taskNames(list []Task) string {
	var out []string
	for _, t := range list {
		out = append(out, fmt.Sprintf("%s/%d", vertexName(t.Vertex), t.Subtask))
	}
	return strings.Join(out, " ")
}

func actionString(a Action) string {
	switch a := a.(type) {
	case Prepare:
		return fmt.Sprintf("prepare %d %s", a.ID, a.Dir)
	case SnapshotCoordinator:
		return fmt.Sprintf("snapshot coordinator %d", a.ID)
	case Trigger:
		how := ""
		if a.Unaligned {
			how = fmt.Sprintf(" unaligned after %s", a.AlignedTimeout)
		}
		if a.Format == Native {
			how += fmt.Sprintf(" native base=%d", a.Base)
		}
		return fmt.Sprintf("trigger %d %s %s drain=%t%s: %s", a.ID, a.Kind, a.Dir, a.Drain, how, taskNames(a.Tasks))
	case Write:
		return fmt.Sprintf("write %d %s: %d states, files %v", a.ID, a.Dir, len(a.Metadata.States), a.Metadata.Files)
	case Publish:
		return fmt.Sprintf("publish %d %s", a.ID, a.Dir)
	case Complete:
		return fmt.Sprintf("complete %d notify=%t stop=%t final=%t", a.Checkpoint.ID, a.Notify, a.Stop, a.Final)
	case Aborted:
		return fmt.Sprintf("aborted %d notify=%t: %s", a.ID, a.Notify, a.Reason)
	case Reply:
		if a.Token == "" {
			return ""
		}
		return fmt.Sprintf("reply %s path=%q error=%q", a.Token, a.Path, a.Err)
	case FailJob:
		return "fail job: " + a.Reason
	case FinalCommit:
		return "final commit: " + taskNames(a.Tasks)
	case RestoreFrom:
		if a.Checkpoint == nil {
			return "restore from nothing"
		}
		return fmt.Sprintf("restore from %d", a.Checkpoint.ID)
	case Discard:
		return fmt.Sprintf("discard %d: folders %v files %v if empty %v", a.ID, a.Dirs, a.Files, a.EmptyFolders)
	}
	return strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T%+v", a, a), "checkpoint."))
}
