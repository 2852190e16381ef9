package checkpoint

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"goflink/codec"
	"goflink/control"
	"goflink/graph"
)

// IncompatibleError tells why a program cannot begin from a checkpoint or
// savepoint.
type IncompatibleError struct {
	// Path names what was to be restored.
	Path string
	// Foreign is true when no operator of the program has state in it.
	Foreign bool
	// Dropped is true when allowing state to be dropped would help.
	Dropped bool
	// Lines is the difference: "-" is in the savepoint only, "+" in the program
	// only, "~" in both and cannot be brought together.
	Lines []string
}

// Error names the way out and shows the difference.
func (e *IncompatibleError) Error() string {
	var b strings.Builder
	switch {
	case e.Foreign:
		fmt.Fprintf(&b, "%s was written by another program: none of the operators whose state it holds is in this one; name a savepoint of this program, or drop the state with -n (--allowNonRestoredState)", e.Path)
	case e.Dropped:
		fmt.Fprintf(&b, "%s holds state that this program has no place for; use -n (--allowNonRestoredState) to drop it", e.Path)
	default:
		fmt.Fprintf(&b, "the program cannot begin from %s: its state is not compatible", e.Path)
	}
	for _, l := range e.Lines {
		b.WriteString("\n  " + l)
	}
	return b.String()
}

// Diff is what Compatible found, also when it is no obstacle.
type Diff struct {
	Lines   []string
	dropped bool // state without a place
	broken  bool // state that cannot be brought together
	shared  int  // operators with state on both sides
	held    int  // operators with state in the savepoint
}

// Compatible compares the state in a checkpoint with a program, before anything
// starts. The Diff is good to show; the error is an *IncompatibleError.
func Compatible(g *graph.JobGraph, c *Completed, allowDropped bool) (*Diff, error) {
	d := &Diff{}
	vertices, operators := map[string]*graph.Vertex{}, map[string]*graph.Operator{}
	for _, v := range g.GetVertices() {
		for _, op := range v.Operators {
			vertices[op.Id], operators[op.Id] = v, op
		}
	}
	holds := holdsState(c.Metadata)
	for _, info := range c.Metadata.GetOperators() {
		op := operators[info.Id]
		switch {
		case op != nil:
			d.operator(info, vertices[info.Id], op, holds[info.Id])
		case holds[info.Id]:
			d.held++
			d.dropped = true
			d.add("- operator %q%s (id %s)", info.Name, uid(info.Uid), info.Id)
		}
		delete(operators, info.Id)
	}
	for _, v := range g.GetVertices() {
		for _, op := range v.Operators {
			if operators[op.Id] != nil && len(op.States) > 0 {
				d.add("+ operator %q%s (id %s): begins empty", op.Name, uid(op.Uid), op.Id)
			}
		}
	}
	d.inflight(g, c.Metadata)
	if d.broken || d.dropped && !allowDropped {
		return d, &IncompatibleError{Path: c.Dir, Foreign: d.held > 0 && d.shared == 0, Dropped: d.dropped && !d.broken, Lines: d.Lines}
	}
	return d, nil
}

// holdsState tells which operators have state that would be missed.
func holdsState(m *control.CheckpointMetadata) map[string]bool {
	out := map[string]bool{}
	for _, st := range m.GetStates() {
		items := 0
		for _, l := range st.Lists {
			items += len(l.Items)
		}
		if len(st.Keyed) > 0 || items > 0 || len(st.Coordinator) > 0 {
			out[st.OperatorId] = true
		}
	}
	return out
}

func uid(u string) string {
	if u == "" {
		return ""
	}
	return fmt.Sprintf(" with uid %q", u)
}

func (d *Diff) add(format string, args ...any) {
	const limit = 200 // lines: it is read by people
	switch {
	case len(d.Lines) < limit:
		d.Lines = append(d.Lines, fmt.Sprintf(format, args...))
	case len(d.Lines) == limit:
		d.Lines = append(d.Lines, "… and more")
	}
}

func (d *Diff) operator(info *control.OperatorInfo, v *graph.Vertex, op *graph.Operator, holds bool) {
	if holds {
		d.held++
		d.shared++
	}
	old := &graph.Operator{}
	if err := proto.Unmarshal(info.States, old); err != nil {
		d.broken = true
		d.add("~ operator %q: its description cannot be read: %v", info.Name, err)
		return
	}
	if keyed(old) && holds && info.MaxParallelism != v.MaxParallelism {
		d.broken = true
		d.add("~ operator %q: max parallelism %d, and %d in the program: set pipeline.max-parallelism to %d", op.Name, info.MaxParallelism, v.MaxParallelism, info.MaxParallelism)
	}
	if holds && old.KeySchema != op.KeySchema && keyed(old) && keyed(op) {
		d.broken = true
		d.add("~ operator %q: key type %s, and %s in the program", op.Name, old.KeySchema, op.KeySchema)
	}
	for _, s := range old.States {
		d.state(op, s, holds)
	}
	for _, s := range op.States {
		if findState(old, s.Name) == nil {
			d.add("+ state %q (%s) of operator %q: begins empty", s.Name, s.Type, op.Name)
		}
	}
}

func (d *Diff) state(op *graph.Operator, old *graph.State, holds bool) {
	now := findState(op, old.Name)
	switch {
	case now == nil:
		d.dropped = d.dropped || holds
		d.add("- state %q (%s) of operator %q", old.Name, old.Type, op.Name)
	case now.Kind != old.Kind:
		d.broken = d.broken || holds
		d.add("~ state %q of operator %q: %s, and %s in the program", old.Name, op.Name, old.Kind, now.Kind)
	default:
		d.schema(op, old, now, holds)
	}
}

func (d *Diff) schema(op *graph.Operator, old, now *graph.State, holds bool) {
	if string(old.Schema) == string(now.Schema) {
		return
	}
	var a, b codec.Schema
	if a.UnmarshalBinary(old.Schema) != nil || b.UnmarshalBinary(now.Schema) != nil {
		d.broken = d.broken || holds
		d.add("~ state %q of operator %q: %s, and %s in the program", old.Name, op.Name, old.Type, now.Type)
		return
	}
	changes := a.Diff(&b)
	if changes == "" {
		return
	}
	mark := "~"
	if Readable(&a, &b) {
		mark = "="
	} else {
		d.broken = d.broken || holds
	}
	for line := range strings.Lines(changes) {
		d.add("%s state %q of operator %q: %s", mark, old.Name, op.Name, strings.TrimSuffix(line, "\n"))
	}
}

// keyedKinds are the states that are divided by key group.
var keyedKinds = []string{"value", "list", "map", "reducing", "aggregating", "window", "timers"}

func keyed(op *graph.Operator) bool {
	return slices.ContainsFunc(op.States, func(s *graph.State) bool { return slices.Contains(keyedKinds, s.Kind) })
}

func findState(op *graph.Operator, name string) *graph.State {
	i := slices.IndexFunc(op.States, func(s *graph.State) bool { return s.Name == name })
	if i < 0 {
		return nil
	}
	return op.States[i]
}

// Readable tells whether values written with schema old can be read as next:
// fields are matched by name, or by one that they had, new ones are zero,
// removed ones skipped, and numbers may have become wider. These are the rules of codec.Resolve, which
// needs the Go type; here there is none.
func Readable(old, next *codec.Schema) bool {
	if old.Equal(next) {
		return true
	}
	if old == nil || next == nil {
		return false
	}
	if codec.Widens(old.Kind, next.Kind) {
		return true
	}
	if old.Kind != next.Kind {
		return false
	}
	switch old.Kind {
	case codec.Proto:
		return old.ProtoReadable(next)
	case codec.Struct:
		return readableFields(old, next)
	case codec.Slice, codec.Pointer:
		return Readable(old.Elem, next.Elem)
	case codec.Array:
		return old.Len == next.Len && Readable(old.Elem, next.Elem)
	case codec.Map:
		return Readable(old.Key, next.Key) && Readable(old.Elem, next.Elem)
	}
	return false
}

func readableFields(old, next *codec.Schema) bool {
	for _, f := range old.Fields {
		if g, kept := next.Successor(old, f.Name); kept && !Readable(f.Schema, g.Schema) {
			return false
		}
	}
	return true
}
