package graph

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"goflink/codec"
)

// Fingerprint is the hex SHA-256 over what must be the same wherever the
// program is rebuilt: ids, chains, edges, parallelism, schemas and states. What
// is only shown (vertex names, descriptions) does not count.
func Fingerprint(g *JobGraph) string {
	h := sha256.New()
	for _, line := range describe(g, false) {
		fmt.Fprintf(h, "%d:%s\n", len(line), line)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Describe lists a graph for people, a line for each vertex, operator, state
// and edge, in a fixed order. Two graphs with the same fingerprint differ here
// in names at most.
func Describe(g *JobGraph) string {
	return strings.Join(describe(g, true), "\n") + "\n"
}

func describe(g *JobGraph, names bool) []string {
	var out []string
	for _, v := range g.Vertices {
		line := fmt.Sprintf("vertex %s parallelism %d max %d group %q", v.Id, v.Parallelism, v.MaxParallelism, v.SlotSharingGroup)
		if names {
			line += fmt.Sprintf(" %q", v.Name)
		}
		out = append(out, line)
		for _, op := range v.Operators {
			out = append(out, describeOperator(op, names)...)
		}
	}
	for _, e := range g.Edges {
		out = append(out, describeEdge(e))
	}
	return out
}

func describeOperator(op *Operator, names bool) []string {
	var b strings.Builder
	fmt.Fprintf(&b, "  operator %s %s", op.Id, op.Kind)
	if names {
		fmt.Fprintf(&b, " %q", op.Name)
	}
	optional(&b, "uid", op.Uid)
	optional(&b, "in", op.InSchema)
	optional(&b, "out", op.OutSchema)
	optional(&b, "key", op.KeySchema)
	if len(op.Inputs) > 0 {
		b.WriteString(" reads " + strings.Join(op.Inputs, ","))
	}
	out := []string{b.String()}
	for _, s := range op.States {
		out = append(out, fmt.Sprintf("    state %q %s %s", s.Name, s.Kind, schemaText(s)))
	}
	return out
}

func optional(b *strings.Builder, key, val string) {
	if val != "" {
		fmt.Fprintf(b, " %s %s", key, val)
	}
}

// schemaText is the schema readably, or a hash of bytes that cannot be read.
func schemaText(s *State) string {
	if len(s.Schema) == 0 {
		return s.Type
	}
	var sc codec.Schema
	if err := sc.UnmarshalBinary(s.Schema); err == nil {
		return sc.String()
	}
	sum := sha256.Sum256(s.Schema)
	return s.Type + "#" + hex.EncodeToString(sum[:8])
}

func describeEdge(e *Edge) string {
	line := fmt.Sprintf("edge %s[%s]#%d -> %s#%d input %d %s of %s (%016x)", e.Source, e.SourceOperator, e.OutputIndex, e.Target, e.InputIndex, e.Input, e.Partitioning, e.Schema, e.SchemaHash)
	if e.Side != "" {
		line += fmt.Sprintf(" side %q", e.Side)
	}
	if e.Blocking { // nothing for the others, so that streaming graphs keep their fingerprint
		line += " blocking"
	}
	if e.First {
		line += " first"
	}
	return line
}

// Diff tells readably how b differs from a: lines that only a has behind "-",
// lines that only b has behind "+". It is empty for equal graphs.
func Diff(a, b *JobGraph) string { return DiffText(Describe(a), Describe(b)) }

// DiffText is Diff on two results of Describe.
func DiffText(a, b string) string {
	const limit = 200 // lines: a refusal is read by people
	x, y := strings.Split(strings.TrimSuffix(a, "\n"), "\n"), strings.Split(strings.TrimSuffix(b, "\n"), "\n")
	for len(x) > 0 && len(y) > 0 && x[0] == y[0] {
		x, y = x[1:], y[1:]
	}
	for len(x) > 0 && len(y) > 0 && x[len(x)-1] == y[len(y)-1] {
		x, y = x[:len(x)-1], y[:len(y)-1]
	}
	lines := diffLines(x, y)
	if len(lines) > limit {
		lines = append(lines[:limit:limit], fmt.Sprintf("… and %d lines more", len(lines)-limit))
	}
	if len(lines) == 0 {
		return ""
	}
	return strings.Join(lines, "\n") + "\n"
}

// diffLines is the longest-common-subsequence difference; for very long inputs
// it falls back to comparing sets, which is linear.
func diffLines(x, y []string) []string {
	const quadratic = 4 << 20 // table cells: 16 MiB
	if len(x)*len(y) > quadratic {
		return diffSets(x, y)
	}
	w := len(y) + 1
	lcs := make([]int32, (len(x)+1)*w)
	for i, xs := range slices.Backward(x) {
		for j, ys := range slices.Backward(y) {
			if xs == ys {
				lcs[i*w+j] = lcs[(i+1)*w+j+1] + 1
			} else {
				lcs[i*w+j] = max(lcs[(i+1)*w+j], lcs[i*w+j+1])
			}
		}
	}
	var out []string
	i, j := 0, 0
	for i < len(x) || j < len(y) {
		switch {
		case i < len(x) && j < len(y) && x[i] == y[j]:
			i, j = i+1, j+1
		case j == len(y) || i < len(x) && lcs[(i+1)*w+j] >= lcs[i*w+j+1]:
			out = append(out, "- "+x[i])
			i++
		default:
			out = append(out, "+ "+y[j])
			j++
		}
	}
	return out
}

func diffSets(x, y []string) []string {
	var out []string
	only := func(from, in []string, sign string) {
		have := map[string]bool{}
		for _, l := range in {
			have[l] = true
		}
		for _, l := range from {
			if !have[l] {
				out = append(out, sign+l)
			}
		}
	}
	only(x, y, "- ")
	only(y, x, "+ ")
	return out
}
