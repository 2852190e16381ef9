package law

import (
	"fmt"
	"slices"
	"sync"

	"goflink/stream"
)

// kind is all that the law knows of an operator.
type kind struct {
	name string
	// state is what the operator keeps, for the coverage: "" for nothing.
	state string
	// classes are those whose graphs may hold it; none means free and ordered.
	classes []Class
	source  bool
	// keyed kinds read by key; timed ones need determined event times.
	keyed, timed bool
	// timeless kinds emit records whose event time is not determined.
	timeless bool
	// broadcast kinds read all records in each subtask; of those with two inputs
	// that is the second one.
	broadcast bool
	// two kinds have two inputs, and buildTwo and evalTwo in place of build and eval.
	two bool
	// part is the one partitioner that a kind needs; "" for any.
	part string
	// counted kinds may make many more records of few: theirs are counted when they
	// are drawn.
	counted bool
	// meets: windows that only touch become one. Whether they still do when the
	// watermark comes between them is not determined, see Node.Tight.
	meets func(n *Node) bool
	// side: there is a side output that others may read.
	side func(n *Node) bool
	// draw picks the parameters; count is of the input.
	draw func(g *gen, n *Node)
	// grows is how many records come of count, about; nil: as many.
	grows func(n *Node, count int) int
	text  func(n *Node) string
	// build makes the program's operator; in is partitioned already, unless the
	// kind is keyed.
	build func(b *builder, n *Node, in stream.Stream[Event]) stream.Stream[Event]
	// eval is the interpreter's part: what comes of all records.
	eval func(n *Node, in []Timed) (out, side []Timed)
	// buildTwo and evalTwo are build and eval of kinds with two inputs.
	buildTwo func(b *builder, n *Node, in, second stream.Stream[Event]) stream.Stream[Event]
	evalTwo  func(n *Node, in, second []Timed) (out, side []Timed)
}

func always(*Node) bool { return true }

func (k *kind) in(c Class) bool {
	if len(k.classes) == 0 {
		return c == Free || c == Ordered
	}
	return slices.Contains(k.classes, c)
}

// sideTag is the side output of all kinds that have one.
var sideTag = stream.NewTag[Event]("side")

var registry struct {
	sync.Once
	list []*kind
}

// kinds are all operators. Add those of a new file here.
func kinds() []*kind {
	registry.Do(func() {
		registry.list = slices.Concat(sourceKinds(), statelessKinds(), processKinds(), rollingKinds(), windowKinds(), triggerKinds(),
			mergingKinds(), ownWindowKinds(), windowRunKinds(), countKinds(), lateKinds(), idleKinds(), connectKinds(), joinKinds(), broadcastKinds(), asyncKinds(), stateKinds(), subtaskKinds())
	})
	return registry.list
}

func kindOf(name string) *kind {
	for _, k := range kinds() {
		if k.name == name {
			return k
		}
	}
	panic(fmt.Sprintf("no kind %q", name)) // specs are drawn from kinds
}
