package inspect

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"goflink/control"
	"goflink/graph"
	"goflink/jobmanager/checkpoint"
)

// Snapshot describes a checkpoint or savepoint.
type Snapshot struct {
	Path      string     `json:"path"`
	ID        int64      `json:"id"`
	Kind      string     `json:"kind"`
	Job       string     `json:"job"`
	Taken     time.Time  `json:"taken"`
	Version   string     `json:"version"` // of goflink
	Bytes     int64      `json:"bytes"`
	Files     []string   `json:"files"`
	Operators []Operator `json:"operators"`
}

// Operator is an operator in a snapshot.
type Operator struct {
	ID             string `json:"id"`
	UID            string `json:"uid,omitempty"`
	Name           string `json:"name"`
	Vertex         string `json:"vertex"`
	Parallelism    int32  `json:"parallelism"`
	MaxParallelism int32  `json:"maxParallelism"`
	Key            string `json:"key,omitempty"` // type of the key
	Finished       int    `json:"finished,omitempty"`
	// Coordinator is the size of its enumerator's state.
	Coordinator int64   `json:"coordinatorBytes,omitempty"`
	States      []State `json:"states,omitempty"`
	Keyed       []Keyed `json:"keyed,omitempty"`
}

// State is a state that an operator declared.
type State struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
	Type string `json:"type,omitempty"`
	// Items and Bytes are of operator state; keyed state is measured as a whole.
	Items int   `json:"items,omitempty"`
	Bytes int64 `json:"bytes,omitempty"`
}

// Keyed is the keyed state of one subtask.
type Keyed struct {
	Subtask   int32  `json:"subtask"`
	KeyGroups string `json:"keyGroups"` // inclusive
	Format    string `json:"format"`    // canonical, native
	Bytes     int64  `json:"bytes"`
	Tables    int    `json:"tables,omitempty"`
	// Shared are the bytes in files that other checkpoints may refer to.
	Shared int64 `json:"sharedBytes,omitempty"`
}

// Show describes a checkpoint by its metadata.
func Show(c *checkpoint.Completed) *Snapshot {
	m := c.Metadata
	s := &Snapshot{Path: c.Dir, ID: c.ID, Kind: string(c.Kind), Job: m.JobId, Taken: c.At.UTC(), Version: m.Version, Bytes: c.Size, Files: c.Files}
	for _, info := range m.GetOperators() {
		op := Operator{ID: info.Id, UID: info.Uid, Name: info.Name, Vertex: info.VertexName, Parallelism: info.Parallelism, MaxParallelism: info.MaxParallelism}
		declared := &graph.Operator{}
		if err := proto.Unmarshal(info.States, declared); err == nil { // else the names of its states are not known
			op.Key = declared.KeySchema
			for _, st := range declared.States {
				op.States = append(op.States, State{Name: st.Name, Kind: st.Kind, Type: st.Type})
			}
		}
		for _, st := range m.GetStates() {
			if st.OperatorId == info.Id {
				op.add(c.Dir, st)
			}
		}
		slices.SortFunc(op.Keyed, func(a, b Keyed) int { return cmp.Compare(a.Subtask, b.Subtask) })
		s.Operators = append(s.Operators, op)
	}
	return s
}

// add counts what one subtask has.
func (o *Operator) add(dir string, st *control.OperatorState) {
	o.Coordinator += int64(len(st.Coordinator))
	if st.Finished {
		o.Finished++
	}
	for _, h := range st.Keyed {
		k := Keyed{Subtask: st.Subtask, KeyGroups: fmt.Sprintf("%d-%d", h.KeyGroupStart, h.KeyGroupEnd), Format: cmp.Or(h.Kind, "canonical"), Bytes: handleBytes(h), Tables: len(h.Tables)}
		for _, t := range h.Tables {
			if f := checkpoint.Resolve(dir, t.Path); len(f) <= len(dir) || f[:len(dir)+1] != dir+"/" {
				k.Shared += t.Length
			}
		}
		o.Keyed = append(o.Keyed, k)
	}
	for _, l := range st.Lists {
		i := slices.IndexFunc(o.States, func(s State) bool { return s.Name == l.Name })
		if i < 0 {
			o.States = append(o.States, State{Name: l.Name, Kind: "operator-" + l.Mode})
			i = len(o.States) - 1
		}
		o.States[i].Items += len(l.Items)
		for _, item := range l.Items {
			o.States[i].Bytes += int64(len(item))
		}
	}
}

// KeyedBytes is the size of an operator's keyed state.
func (o *Operator) KeyedBytes() int64 {
	n := int64(0)
	for _, k := range o.Keyed {
		n += k.Bytes
	}
	return n
}

// Change is a difference between two snapshots.
type Change struct {
	// Op is "+" for what only the second has, "-" for what only the first has, "~" for what both have and differs.
	Op       string `json:"op"`
	Operator string `json:"operator"`
	State    string `json:"state,omitempty"`
	Text     string `json:"text"`
}

// String is the change on one line.
func (c Change) String() string { return c.Op + " " + c.Text }

// Diff tells which operators and states differ between two snapshots.
func Diff(a, b *Snapshot) []Change {
	var out []Change
	for i := range a.Operators {
		x := &a.Operators[i]
		y := b.find(x.ID)
		if y == nil {
			out = append(out, Change{"-", x.ID, "", fmt.Sprintf("operator %s: %d bytes of keyed state", x.title(), x.KeyedBytes())})
			continue
		}
		out = append(out, x.diff(y)...)
	}
	for i := range b.Operators {
		if y := &b.Operators[i]; a.find(y.ID) == nil {
			out = append(out, Change{"+", y.ID, "", fmt.Sprintf("operator %s: %d bytes of keyed state", y.title(), y.KeyedBytes())})
		}
	}
	return out
}

func (s *Snapshot) find(id string) *Operator {
	i := slices.IndexFunc(s.Operators, func(o Operator) bool { return o.ID == id })
	if i < 0 {
		return nil
	}
	return &s.Operators[i]
}

func (o *Operator) title() string {
	if o.UID == "" {
		return fmt.Sprintf("%q (id %s)", o.Name, o.ID)
	}
	return fmt.Sprintf("%q (uid %s, id %s)", o.Name, o.UID, o.ID)
}

// diff compares what two snapshots say of one operator.
func (o *Operator) diff(p *Operator) []Change {
	var out []Change
	change := func(op, state, format string, args ...any) {
		out = append(out, Change{op, o.ID, state, fmt.Sprintf(format, args...)})
	}
	pair := func(what string, x, y any) {
		if x != y {
			change("~", "", "operator %s: %s %v -> %v", o.title(), what, x, y)
		}
	}
	pair("name", o.Name, p.Name)
	pair("parallelism", o.Parallelism, p.Parallelism)
	pair("max parallelism", o.MaxParallelism, p.MaxParallelism)
	pair("key", o.Key, p.Key)
	pair("bytes of keyed state", o.KeyedBytes(), p.KeyedBytes())
	for _, s := range o.States {
		i := slices.IndexFunc(p.States, func(t State) bool { return t.Name == s.Name })
		switch {
		case i < 0:
			change("-", s.Name, "state %q (%s %s) of operator %s", s.Name, s.Kind, s.Type, o.title())
		case s != p.States[i]:
			change("~", s.Name, "state %q of operator %s: %s -> %s", s.Name, o.title(), s.text(), p.States[i].text())
		}
	}
	for _, t := range p.States {
		if !slices.ContainsFunc(o.States, func(s State) bool { return s.Name == t.Name }) {
			change("+", t.Name, "state %q (%s %s) of operator %s", t.Name, t.Kind, t.Type, o.title())
		}
	}
	return out
}

func (s State) text() string {
	if s.Items == 0 && s.Bytes == 0 {
		return fmt.Sprintf("%s %s", s.Kind, s.Type)
	}
	return fmt.Sprintf("%s %s, %d items, %d bytes", s.Kind, s.Type, s.Items, s.Bytes)
}
