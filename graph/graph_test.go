package graph

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"goflink/internal/seeds"
)

// read makes inputs from nodes, partitioned as the graph sees fit.
func read(from ...*Node) []*Input {
	var ins []*Input
	for _, f := range from {
		ins = append(ins, &Input{From: f, Schema: "string", SchemaHash: 1})
	}
	return ins
}

func by(p Partitioning, from *Node) []*Input {
	return []*Input{{From: from, Partitioning: p, Explicit: true, Schema: "string", SchemaHash: 1}}
}

func build(t *testing.T, g *StreamGraph) *Chained {
	t.Helper()
	c, err := Build(g)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func wordCount(parallelism int) *StreamGraph {
	g := &StreamGraph{Name: "WordCount", Parallelism: parallelism}
	src := g.Add(&Node{Kind: "source", Name: "Source: in-memory-input", Source: true, Enumerator: true, Parallelism: 1})
	tok := g.Add(&Node{Kind: "flatmap", Name: "tokenizer", Inputs: read(src)})
	cnt := g.Add(&Node{Kind: "reduce", Name: "counter", Inputs: by(Partitioning_HASH, tok), Stateful: true})
	g.Add(&Node{Kind: "sink", Name: "Sink: print-sink", Inputs: read(cnt), Sink: true})
	return g
}

func names(c *Chained) []string {
	var out []string
	for _, v := range c.Graph.Vertices {
		out = append(out, v.Name)
	}
	return out
}

func TestChaining(t *testing.T) {
	c := build(t, wordCount(1))
	if got := strings.Join(names(c), "; "); got != "Source: in-memory-input -> tokenizer; counter -> Sink: print-sink" {
		t.Errorf("chains: %s", got)
	}
	if len(c.Graph.Warnings) != 1 || !strings.Contains(c.Graph.Warnings[0], `"counter"`) {
		t.Errorf("warnings: %q", c.Graph.Warnings)
	}
	c = build(t, wordCount(2)) // the source keeps its parallelism
	if got := strings.Join(names(c), "; "); got != "Source: in-memory-input; tokenizer; counter -> Sink: print-sink" {
		t.Errorf("chains: %s", got)
	}
	if p := c.Graph.Edges[0].Partitioning; p != Partitioning_REBALANCE {
		t.Errorf("edge between different parallelism: %s", p)
	}
	g := wordCount(1)
	g.NoChaining = true
	if n := len(build(t, g).Graph.Vertices); n != 4 {
		t.Errorf("%d vertices without chaining", n)
	}
}

func TestChainingRules(t *testing.T) {
	for name, change := range map[string]func(a, b *Node){
		"slot sharing group": func(_, b *Node) { b.SlotSharingGroup = "other" },
		"parallelism":        func(_, b *Node) { b.Parallelism = 2 },
		"head":               func(_, b *Node) { b.Chain = ChainHead },
		"never":              func(_, b *Node) { b.Chain = ChainNever },
		"never upstream":     func(a, _ *Node) { a.Chain = ChainNever },
		"max parallelism":    func(a, b *Node) { a.MaxParallelism, b.MaxParallelism = 128, 256 },
		"partitioning":       func(_, b *Node) { b.Inputs[0].Partitioning, b.Inputs[0].Explicit = Partitioning_RESCALE, true },
	} {
		g := &StreamGraph{Parallelism: 1}
		a := g.Add(&Node{Kind: "source", Name: "a", Source: true})
		b := g.Add(&Node{Kind: "map", Name: "b", Inputs: read(a)})
		change(a, b)
		if n := len(build(t, g).Graph.Vertices); n != 2 {
			t.Errorf("%s: chained", name)
		}
	}
}

func TestBranchesAndUnion(t *testing.T) {
	g := &StreamGraph{Parallelism: 2}
	src := g.Add(&Node{Kind: "source", Name: "src", Source: true})
	a := g.Add(&Node{Kind: "map", Name: "A", Inputs: read(src)})
	b := g.Add(&Node{Kind: "map", Name: "B", Inputs: read(src)})
	b1 := g.Add(&Node{Kind: "map", Name: "B1", Inputs: read(b)})
	g.Add(&Node{Kind: "sink", Name: "union", Inputs: read(a, b1), Sink: true})
	c := build(t, g)
	if got := strings.Join(names(c), "; "); got != "src -> (A, B -> B1); union" {
		t.Errorf("chains: %s", got)
	}
	tree := treeDescription(c.Graph.Vertices[0])
	if want := "src\n:- A\n+- B\n   +- B1\n"; tree != want {
		t.Errorf("tree:\n%s", tree)
	}
	if e := c.Graph.Edges; len(e) != 2 || e[0].OutputIndex != 0 || e[1].OutputIndex != 1 || e[0].InputIndex != 0 || e[1].InputIndex != 1 {
		t.Errorf("edges: %v", e)
	}
}

// TestIDs checks id-by-shape: adding operators anywhere renames none of the
// others, and identical ones get ids of their own.
func TestIDs(t *testing.T) {
	ids := func(extra bool) map[string]string {
		g := &StreamGraph{Parallelism: 1}
		if extra {
			x := g.Add(&Node{Kind: "source", Name: "other", Source: true})
			g.Add(&Node{Kind: "sink", Name: "other sink", Inputs: read(x)})
		}
		src := g.Add(&Node{Kind: "source", Name: "src", Source: true})
		if extra {
			g.Add(&Node{Kind: "sink", Name: "tap", Inputs: read(src)})
		}
		m1 := g.Add(&Node{Kind: "map", Name: "Map", Inputs: read(src)})
		m2 := g.Add(&Node{Kind: "map", Name: "Map", Inputs: read(src)})
		s1 := g.Add(&Node{Kind: "sink", Name: "one", Inputs: read(m1)})
		s2 := g.Add(&Node{Kind: "sink", Name: "two", Inputs: read(m2)})
		u := g.Add(&Node{Kind: "sink", Name: "named", UID: "named", Inputs: read(src)})
		build(t, g)
		return map[string]string{"src": src.ID(), "m1": m1.ID(), "m2": m2.ID(), "s1": s1.ID(), "s2": s2.ID(), "u": u.ID()}
	}
	plain, more := ids(false), ids(true)
	distinct := map[string]bool{}
	for k, id := range plain {
		distinct[id] = true
		if more[k] != id {
			t.Errorf("%s was renamed from %s to %s", k, id, more[k])
		}
	}
	if len(distinct) != len(plain) {
		t.Errorf("ids collide: %v", plain)
	}
	if plain["u"] != OperatorID("named") {
		t.Errorf("uid: %s", plain["u"])
	}
	// Golden: the scheme is part of every savepoint.
	if got := OperatorID("count"); got != "3fa591b02e25f16baae3b1de93e50d0c" {
		t.Errorf("id of uid count: %s", got)
	}
}

func TestErrorsAllAtOnce(t *testing.T) {
	g := &StreamGraph{Parallelism: 1}
	a := g.Add(&Node{Kind: "source", Name: "a", Source: true, UID: "x", Where: "job.go:10"})
	g.Add(&Node{Kind: "map", Name: "b", Inputs: by(Partitioning_FORWARD, a), Parallelism: 3, UID: "x", Where: "job.go:11"})
	g.Add(&Node{Kind: "map", Name: "c", Inputs: read(a), Parallelism: 300, MaxParallelism: 200, Where: "job.go:12"})
	_, err := Build(g)
	for _, want := range []string{"job.go:11: uid \"x\" is already", "forward needs equal parallelism", "job.go:12: operator \"c\": parallelism 300 exceeds the max parallelism 200"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
	if _, err := Build(&StreamGraph{}); err == nil || !strings.Contains(err.Error(), "no operators") {
		t.Errorf("empty graph: %v", err)
	}
}

func TestFingerprintAndDiff(t *testing.T) {
	a, b := build(t, wordCount(2)).Graph, build(t, wordCount(2)).Graph
	x, _ := Encode(a)
	y, _ := Encode(b)
	if !bytes.Equal(x, y) || a.Fingerprint != b.Fingerprint || Diff(a, b) != "" {
		t.Error("same-twice is broken")
	}
	g := wordCount(2)
	g.Nodes()[2].States = []*State{{Name: "sum", Kind: "value", Type: "int64"}}
	g.Nodes()[2].UID = "count"
	c := build(t, g).Graph
	d := Diff(a, c)
	if a.Fingerprint == c.Fingerprint || !strings.Contains(d, `+     state "sum" value int64`) || !strings.Contains(d, "- ") {
		t.Errorf("diff:\n%s", d)
	}
	renamed := proto.Clone(a).(*JobGraph)
	renamed.Vertices[0].Name = "shown otherwise"
	if Fingerprint(renamed) != a.Fingerprint {
		t.Error("a shown name changed the fingerprint")
	}
}

func TestDiffOfLongTexts(t *testing.T) {
	var a, b []string
	for i := range 5000 {
		a, b = append(a, strings.Repeat("a", i%7)), append(b, strings.Repeat("b", i%5))
	}
	if d := DiffText(strings.Join(a, "\n"), strings.Join(b, "\n")); !strings.Contains(d, "lines more") {
		t.Error("a long difference is not cut")
	}
}

func TestDecode(t *testing.T) {
	g := build(t, wordCount(2)).Graph
	enc, err := Encode(g)
	if err != nil {
		t.Fatal(err)
	}
	back, err := Decode(enc)
	if err != nil || !proto.Equal(back, g) {
		t.Fatalf("round trip: %v", err)
	}
	for name, change := range map[string]func(g *JobGraph){
		"version 99":     func(g *JobGraph) { g.Version = 99 },
		"no operators":   func(g *JobGraph) { g.Vertices[0].Operators = nil },
		"occurs twice":   func(g *JobGraph) { g.Vertices[1] = g.Vertices[0] },
		"goes backwards": func(g *JobGraph) { g.Edges[0].Source, g.Edges[0].Target = g.Edges[0].Target, g.Edges[0].Source },
		"partitioning":   func(g *JobGraph) { g.Edges[0].Partitioning = 77 },
		"without gaps":   func(g *JobGraph) { g.Edges[0].OutputIndex = 5 },
		"parallelism 0":  func(g *JobGraph) { g.Vertices[0].Parallelism = 0 },
		"job id":         func(g *JobGraph) { g.JobId = "xyz" },
		"not both":       func(g *JobGraph) { g.Edges[0].Target = "nowhere" },
		"has id":         func(g *JobGraph) { g.Vertices[0].Id = "zz" },
	} {
		bad := proto.Clone(g).(*JobGraph)
		change(bad)
		if err := Validate(bad); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	c, err := Build(wordCount(2))
	if err != nil {
		f.Fatal(err)
	}
	enc, _ := Encode(c.Graph)
	f.Add(enc)
	f.Add(enc[:len(enc)/2])
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := Decode(b)
		if err != nil {
			return
		}
		Describe(g)
		InfoJSON(g)
		if _, err := PlanJSON(g); err != nil {
			t.Fatal(err)
		}
	})
}

// TestPlanJSON compares with what Flink 1.20.3 answers for TopSpeedWindowing.
func TestPlanJSON(t *testing.T) {
	g := &StreamGraph{Name: "CarTopSpeedWindowingExample", Parallelism: 1}
	src := g.Add(&Node{Kind: "source", Name: "Source: Car data generator source", Source: true})
	wm := g.Add(&Node{Kind: "timestamps", Name: "Timestamps/Watermarks", Inputs: read(src)})
	win := g.Add(&Node{Kind: "window", Name: "GlobalWindows", Inputs: by(Partitioning_HASH, wm),
		Description: "Window(GlobalWindows(trigger=NeverTrigger), DeltaTrigger, TimeEvictor, ComparableAggregator, PassThroughWindowFunction)"})
	g.Add(&Node{Kind: "sink", Name: "Sink: Print to Std. Out", Inputs: read(win), Sink: true})
	jg := build(t, g).Graph
	jg.JobId = "7d3f76bd584e0584db4c89ec072bbdd7"
	got, err := PlanJSON(jg)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"jid":"7d3f76bd584e0584db4c89ec072bbdd7","name":"CarTopSpeedWindowingExample","type":"STREAMING","nodes":[
		{"id":"` + win.ID() + `","parallelism":1,"operator":"","operator_strategy":"",
		"description":"Window(GlobalWindows(trigger=NeverTrigger), DeltaTrigger, TimeEvictor, ComparableAggregator, PassThroughWindowFunction)<br/>+- Sink: Print to Std. Out<br/>",
		"inputs":[{"num":0,"id":"` + src.ID() + `","ship_strategy":"HASH","exchange":"pipelined_bounded"}],"optimizer_properties":{}},
		{"id":"` + src.ID() + `","parallelism":1,"operator":"","operator_strategy":"",
		"description":"Source: Car data generator source<br/>+- Timestamps/Watermarks<br/>","optimizer_properties":{}}]}`
	var a, b bytes.Buffer
	if json.Compact(&a, got) != nil || json.Compact(&b, []byte(want)) != nil || a.String() != b.String() {
		t.Errorf("plan:\n%s\nwant:\n%s", a.String(), b.String())
	}
}

func TestInfoJSON(t *testing.T) {
	const want = `{
  "nodes" : [ {
    "id" : 1,
    "type" : "Source: in-memory-input",
    "pact" : "Data Source",
    "contents" : "Source: in-memory-input",
    "parallelism" : 1
  }, {
    "id" : 2,
    "type" : "tokenizer",
    "pact" : "Operator",
    "contents" : "tokenizer",
    "parallelism" : 1,
    "predecessors" : [ {
      "id" : 1,
      "ship_strategy" : "FORWARD",
      "side" : "second"
    } ]
  }, {
    "id" : 4,
    "type" : "counter",
    "pact" : "Operator",
    "contents" : "counter",
    "parallelism" : 1,
    "predecessors" : [ {
      "id" : 2,
      "ship_strategy" : "HASH",
      "side" : "second"
    } ]
  }, {
    "id" : 5,
    "type" : "Sink: print-sink",
    "pact" : "Data Sink",
    "contents" : "Sink: print-sink",
    "parallelism" : 1,
    "predecessors" : [ {
      "id" : 4,
      "ship_strategy" : "FORWARD",
      "side" : "second"
    } ]
  } ]
}`
	if got := InfoJSON(build(t, wordCount(1)).Graph); got != want {
		t.Errorf("info:\n%s", got)
	}
}

// TestRandomGraphs builds random graphs twice and validates them.
func TestRandomGraphs(t *testing.T) {
	seed := seeds.One(t)
	for i := range 200 {
		make := func() *StreamGraph { return randomGraph(rand.New(rand.NewPCG(seed, uint64(i)))) }
		a, b := build(t, make()), build(t, make())
		x, _ := Encode(a.Graph)
		y, _ := Encode(b.Graph)
		if !bytes.Equal(x, y) {
			t.Fatalf("graph %d differs when built again:\n%s", i, Diff(a.Graph, b.Graph))
		}
		if !json.Valid([]byte(InfoJSON(a.Graph))) {
			t.Fatalf("graph %d: info is no JSON", i)
		}
		for _, v := range a.Graph.Vertices {
			if a.ChainOf(v.Id) == nil || a.Node(v.Operators[len(v.Operators)-1].Id) == nil {
				t.Fatalf("graph %d: vertex %q is not found", i, v.Name)
			}
		}
	}
}

func randomGraph(r *rand.Rand) *StreamGraph {
	g := &StreamGraph{Parallelism: 1 + r.IntN(3), NoChaining: r.IntN(5) == 0}
	for range 2 + r.IntN(20) {
		n := &Node{Kind: "map", Name: string(rune('a' + r.IntN(4))), Chain: ChainMode(max(0, r.IntN(6)-3))}
		if r.IntN(3) == 0 {
			n.Parallelism = 1 + r.IntN(3)
		}
		all := g.Nodes()
		for range min(len(all), r.IntN(3)) {
			in := &Input{From: all[r.IntN(len(all))], Schema: "s"}
			if r.IntN(3) == 0 {
				in.Partitioning, in.Explicit = Partitioning(1+r.IntN(6)), true
			}
			n.Inputs = append(n.Inputs, in)
		}
		n.Source = len(n.Inputs) == 0
		n.Enumerator = n.Source
		g.Add(n)
	}
	return g
}
