package checkpoint

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"goflink/codec"
	"goflink/control"
	"goflink/graph"
	"goflink/state"
)

var mapID = strings.Repeat("b", 32)

// taken is a checkpoint of testGraph(2, p) whose map subtasks hold their key
// groups and lists.
func taken(p int) *Completed {
	g := testGraph(2, int32(p))
	c := New(Config{JobID: "job", Graph: g})
	pd := &pending{id: 1, kind: Savepoint, acks: map[Task]*control.CheckpointAck{}, states: map[string][]byte{strings.Repeat("a", 32): []byte("splits")}}
	for _, t := range c.tasks {
		a := ackOf(1, t.Task, nil)
		if t.Vertex == mapID {
			r := state.KeyGroupRange(128, p, t.Subtask)
			a.States[0].Keyed = []*control.StateHandle{{Path: fmt.Sprintf("f%d", t.Subtask), KeyGroupStart: int32(r.Start), KeyGroupEnd: int32(r.End - 1)}}
			item := func(i int) []byte { return fmt.Appendf(nil, "%d.%d", t.Subtask, i) }
			a.States[0].Lists = []*control.ListState{
				{Name: "s", Mode: "split", Items: [][]byte{item(0), item(1), item(2)}},
				{Name: "u", Mode: "union", Items: [][]byte{item(0)}},
				{Name: "b", Mode: "broadcast", Items: [][]byte{[]byte("same")}},
			}
		}
		pd.acks[t.Task] = a
	}
	return &Completed{ID: 1, Kind: Savepoint, Dir: "/sp", Metadata: c.metadata(pd)}
}

func TestAssign(t *testing.T) {
	for _, from := range []int{1, 2, 3, 5} {
		for _, to := range []int{1, 2, 3, 4, 7} {
			a := Assign(testGraph(2, int32(to)), taken(from))
			var split []string
			for s := range to {
				sts := a.Tasks[Task{mapID, s}]
				if len(sts) != 1 || sts[0].Subtask != int32(s) {
					t.Fatalf("%d -> %d: subtask %d gets %v", from, to, s, sts)
				}
				checkKeyed(t, from, to, s, sts[0])
				split = append(split, checkLists(t, from, sts[0])...)
			}
			if len(split) != 3*from || split[0] != "0.0" || split[len(split)-1] != fmt.Sprintf("%d.2", from-1) {
				t.Fatalf("%d -> %d: split items %v", from, to, split)
			}
			if string(a.Coordinators[strings.Repeat("a", 32)]) != "splits" {
				t.Fatal("the enumerator's state is missing")
			}
		}
	}
}

// checkKeyed expects exactly the files that hold key groups of the subtask.
func checkKeyed(t *testing.T, from, to, s int, st *control.OperatorState) {
	var want []string
	for i := range from {
		if !state.KeyGroupRange(128, to, s).Intersect(state.KeyGroupRange(128, from, i)).Empty() {
			want = append(want, fmt.Sprintf("/sp/f%d", i))
		}
	}
	var got []string
	for _, h := range st.Keyed {
		got = append(got, h.Path)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%d -> %d: subtask %d reads %v, not %v", from, to, s, got, want)
	}
}

func checkLists(t *testing.T, from int, st *control.OperatorState) (split []string) {
	for _, l := range st.Lists {
		switch {
		case l.Name == "s":
			for _, it := range l.Items {
				split = append(split, string(it))
			}
		case l.Name == "u" && len(l.Items) != from, l.Name == "b" && (len(l.Items) != 1 || string(l.Items[0]) != "same"):
			t.Fatalf("list %s: %q", l.Name, l.Items)
		}
	}
	return split
}

func TestAssignFinished(t *testing.T) {
	c := taken(2)
	for _, st := range c.Metadata.States {
		st.Finished = st.OperatorId != mapID || st.Subtask == 0
	}
	a := Assign(testGraph(3, 3), c)
	if !a.Tasks[Task{strings.Repeat("a", 32), 2}][0].Finished {
		t.Fatal("a source all of whose subtasks finished begins again")
	}
	if a.Tasks[Task{mapID, 0}][0].Finished {
		t.Fatal("one finished subtask finishes the operator")
	}
}

func stateOf[T any](t *testing.T, name, kind string) *graph.State {
	c, err := codec.For[T]()
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.Schema().MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return &graph.State{Name: name, Kind: kind, Schema: b, Type: c.Schema().String()}
}

type before struct {
	N    int32
	Name string
}

type after struct {
	N     int64
	Extra bool
}

type broken struct{ N string }

// renamed has the fields of before under other names.
type renamed struct {
	Count float64 `codec:",was=N"`
	Title string  `codec:"title,was=Name"`
}

func TestCompatible(t *testing.T) {
	build := func(states ...*graph.State) *graph.JobGraph {
		g := testGraph(2, 2)
		g.Vertices[1].Operators[0].States = states
		return g
	}
	old := taken(2)
	info := old.Metadata.Operators[1]
	var err error
	if info.States, err = proto.Marshal(&graph.Operator{States: []*graph.State{stateOf[before](t, "n", "value")}}); err != nil {
		t.Fatal(err)
	}
	other := testGraph(2, 2)
	for _, v := range other.Vertices {
		v.Id = strings.Repeat("c", 31) + v.Id[:1]
		v.Operators[0].Id = v.Id
	}
	wide := build(stateOf[before](t, "n", "value"))
	wide.Vertices[1].MaxParallelism = 256
	for _, c := range []struct {
		name  string
		g     *graph.JobGraph
		allow bool
		want  string // in the error; empty: none
		line  string
	}{
		{"same", build(stateOf[before](t, "n", "value")), false, "", ""},
		{"evolved", build(stateOf[after](t, "n", "value")), false, "", "= state \"n\""},
		{"renamed", build(stateOf[renamed](t, "n", "value")), false, "", "= state \"n\" of operator \"map\": ~ .N is .Count now"},
		{"added", build(stateOf[before](t, "n", "value"), stateOf[before](t, "m", "value")), false, "", "+ state \"m\""},
		{"removed", build(), false, "use -n", "- state \"n\""},
		{"removed, allowed", build(), true, "", "- state \"n\""},
		{"kind", build(stateOf[before](t, "n", "list")), true, "not compatible", "value, and list"},
		{"type", build(stateOf[broken](t, "n", "value")), true, "not compatible", "int32 -> string"},
		{"max parallelism", wide, true, "pipeline.max-parallelism to 128", ""},
		{"other program", other, false, "written by another program", "- operator \"map\" with uid \"map\""},
		{"other program, allowed", other, true, "", "- operator"},
	} {
		d, err := Compatible(c.g, old, c.allow)
		var inc *IncompatibleError
		if (err != nil) != (c.want != "") || err != nil && (!strings.Contains(err.Error(), c.want) || !errors.As(err, &inc)) {
			t.Errorf("%s: %v", c.name, err)
		}
		if !strings.Contains(strings.Join(d.Lines, "\n"), c.line) {
			t.Errorf("%s: %q", c.name, d.Lines)
		}
	}
}

// TestReadable holds Readable to what codec.Resolve says.
func TestReadable(t *testing.T) {
	a, b, c := schema[before](t), schema[after](t), schema[broken](t)
	if _, err := codec.Resolve[after](a); err != nil || !Readable(a, b) {
		t.Errorf("before as after: %v", err)
	}
	if _, err := codec.Resolve[broken](a); err == nil || Readable(a, c) {
		t.Errorf("before as broken: %v", err)
	}
	if _, err := codec.Resolve[renamed](a); err != nil || !Readable(a, schema[renamed](t)) {
		t.Errorf("before as renamed: %v", err)
	}
	if _, err := codec.Resolve[renamed](b); err == nil || Readable(b, schema[renamed](t)) {
		t.Errorf("int64 as float64: %v", err)
	}
	now := schema[*durationpb.Duration](t)
	then := &codec.Schema{Kind: codec.Proto, Name: now.Name, Proto: []codec.ProtoField{{Message: now.Name, Number: 1, Name: "id", Type: "string"}}}
	if _, err := codec.Resolve[*durationpb.Duration](then); err == nil || Readable(then, now) || !Readable(now, now) {
		t.Errorf("a number with another meaning: %v", err)
	}
	if _, err := codec.Resolve[before](b); err == nil || Readable(b, a) {
		t.Errorf("after as before: %v", err)
	}
}

func schema[T any](t *testing.T) *codec.Schema {
	c, err := codec.For[T]()
	if err != nil {
		t.Fatal(err)
	}
	return c.Schema()
}

// TestKeptLists: what a function kept in lists outlives its subtask, in every later checkpoint and at the restore;
// what a source or sink kept does not.
func TestKeptLists(t *testing.T) {
	g := testGraph(1, 2)
	g.Vertices[1].Operators[0].States = []*graph.State{{Name: "s", Kind: "operator list"}, {Name: "u", Kind: "union list"}}
	c := New(Config{JobID: "job", Graph: g})
	last := taken(2)
	for range 3 { // later checkpoints, each of which knows the one before only
		c.completed = []*Completed{last}
		running := Task{mapID, 1}
		ack := ackOf(2, running, nil)
		ack.States[0].Lists = []*control.ListState{{Name: "s", Mode: "split", Items: [][]byte{[]byte("1.9")}}, {Name: "u", Mode: "union", Items: [][]byte{[]byte("1.8")}}}
		last = &Completed{ID: 2, Dir: "/cp", Metadata: c.metadata(&pending{id: 2, acks: map[Task]*control.CheckpointAck{running: ack}})}
	}
	for _, p := range []int{1, 2, 3} {
		a := Assign(testGraph(1, int32(p)), last)
		var split []string
		for s := range p {
			for _, l := range a.Tasks[Task{mapID, s}][0].Lists {
				items := fmt.Sprintf("%s", l.Items)
				switch l.Name {
				case "s":
					split = append(split, strings.Fields(strings.Trim(items, "[]"))...)
				case "u":
					if items != "[0.0 1.8]" {
						t.Errorf("%d: subtask %d gets the union %s", p, s, items)
					}
				default:
					t.Errorf("%d: subtask %d gets %s %s of a subtask that finished", p, s, l.Name, items)
				}
			}
		}
		if got := strings.Join(split, " "); got != "0.0 0.1 0.2 1.9" {
			t.Errorf("%d: split %s", p, got)
		}
	}
}
