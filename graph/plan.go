package graph

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"strings"
)

// Plan is the plan of a job as Flink's REST API shows it (/jobs/:jobid/plan).
type Plan struct {
	JobID string     `json:"jid"`
	Name  string     `json:"name"`
	Type  string     `json:"type"`
	Nodes []PlanNode `json:"nodes"`
}

// PlanNode is a vertex of a Plan.
type PlanNode struct {
	ID          string            `json:"id"`
	Parallelism int32             `json:"parallelism"`
	Operator    string            `json:"operator"`
	Strategy    string            `json:"operator_strategy"`
	Description string            `json:"description"`
	Inputs      []PlanInput       `json:"inputs,omitempty"`
	Properties  map[string]string `json:"optimizer_properties"`
}

// PlanInput is an edge of a Plan.
type PlanInput struct {
	Num          int    `json:"num"`
	ID           string `json:"id"`
	ShipStrategy string `json:"ship_strategy"`
	Exchange     string `json:"exchange"`
}

// PlanOf makes the plan of a job.
func PlanOf(g *JobGraph) *Plan {
	p := &Plan{JobID: g.JobId, Name: g.Name, Type: "STREAMING"}
	incoming := map[string][]*Edge{}
	for _, e := range g.Edges {
		incoming[e.Target] = append(incoming[e.Target], e)
	}
	for _, v := range consumersFirst(g) {
		node := PlanNode{ID: v.Id, Parallelism: v.Parallelism, Properties: map[string]string{}}
		text := strings.ReplaceAll(html.EscapeString(treeDescription(v)), "&#39;", "'")
		node.Description = strings.NewReplacer("\n", "<br/>", "&#34;", "&quot;", `\`, "&#92;").Replace(text)
		for i, e := range incoming[v.Id] {
			node.Inputs = append(node.Inputs, PlanInput{Num: i, ID: e.Source, ShipStrategy: ShipStrategy(e.Partitioning), Exchange: exchangeName(e)})
		}
		p.Nodes = append(p.Nodes, node)
	}
	return p
}

// PlanJSON is the plan in the JSON of Flink's REST API, without the enclosing
// {"plan": …}.
func PlanJSON(g *JobGraph) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // Flink writes <br/> as it is
	if err := enc.Encode(PlanOf(g)); err != nil {
		return nil, fmt.Errorf("graph: plan of job %q: %w", g.Name, err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// exchangeName is Flink's name of how an edge hands records on.
func exchangeName(e *Edge) string {
	if e.Blocking {
		return "blocking"
	}
	return "pipelined_bounded"
}

// ShipStrategy is Flink's name of a partitioning.
func ShipStrategy(p Partitioning) string { return p.String() }

// consumersFirst is the order of Flink's plan: every vertex behind its
// consumers, beginning at the first source.
func consumersFirst(g *JobGraph) []*Vertex {
	byID, next := map[string]*Vertex{}, map[string][]string{}
	for _, v := range g.Vertices {
		byID[v.Id] = v
	}
	for _, e := range g.Edges {
		next[e.Source] = append(next[e.Source], e.Target)
	}
	var out []*Vertex
	seen := map[string]bool{}
	var visit func(id string)
	visit = func(id string) {
		if seen[id] {
			return
		}
		seen[id] = true
		for _, t := range next[id] {
			visit(t)
		}
		out = append(out, byID[id])
	}
	for _, v := range g.Vertices {
		visit(v.Id)
	}
	return out
}

// InfoJSON is the plan of single operators that `flink info` prints, laid out
// as Flink's printer does.
func InfoJSON(g *JobGraph) string {
	var b strings.Builder
	b.WriteString("{\n  \"nodes\" : [ ")
	ids, edges := map[string]int{}, map[string][]*Edge{}
	for _, e := range g.Edges {
		edges[e.Target] = append(edges[e.Target], e)
	}
	number, first := 0, true
	for _, v := range g.Vertices {
		for i, op := range v.Operators {
			preds := predecessors(op, i, edges[v.Id])
			number += 1 + virtualNodes(preds)
			ids[op.Id] = number
			if !first {
				b.WriteString(", ")
			}
			first = false
			writeInfoNode(&b, number, op, v.Parallelism, preds, ids)
		}
	}
	b.WriteString(" ]\n}")
	return b.String()
}

type predecessor struct {
	id   string
	ship Partitioning
}

func predecessors(op *Operator, position int, incoming []*Edge) []predecessor {
	if position > 0 {
		return []predecessor{{op.Inputs[0], Partitioning_FORWARD}}
	}
	var out []predecessor
	for _, e := range incoming {
		out = append(out, predecessor{e.SourceOperator, e.Partitioning})
	}
	return out
}

// virtualNodes counts the partition transformations, which take a number of
// their own in Flink's plans.
func virtualNodes(preds []predecessor) int {
	n := 0
	for _, p := range preds {
		if p.ship != Partitioning_FORWARD && p.ship != Partitioning_REBALANCE {
			n++
		}
	}
	return n
}

func writeInfoNode(b *strings.Builder, id int, op *Operator, parallelism int32, preds []predecessor, ids map[string]int) {
	pact := "Operator"
	switch {
	case len(op.Inputs) == 0:
		pact = "Data Source"
	case op.Kind == "sink":
		pact = "Data Sink"
	}
	text := op.Description
	if text == "" {
		text = op.Name
	}
	fmt.Fprintf(b, "{\n    \"id\" : %d,\n    \"type\" : %s,\n    \"pact\" : %s,\n    \"contents\" : %s,\n    \"parallelism\" : %d",
		id, quote(op.Name), quote(pact), quote(text), parallelism)
	for i, p := range preds {
		if i == 0 {
			b.WriteString(",\n    \"predecessors\" : [ ")
		} else {
			b.WriteString(", ")
		}
		fmt.Fprintf(b, "{\n      \"id\" : %d,\n      \"ship_strategy\" : %s,\n      \"side\" : \"second\"\n    }", ids[p.id], quote(ShipStrategy(p.ship)))
	}
	if len(preds) > 0 {
		b.WriteString(" ]")
	}
	b.WriteString("\n  }")
}

func quote(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil { // a string always encodes
		return `""`
	}
	return strings.TrimSuffix(b.String(), "\n")
}
