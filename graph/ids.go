package graph

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"regexp"
)

// idBytes is the length of an operator id in bytes, as Flink's.
const idBytes = 16

// uidHash is the form in which Flink's setUidHash takes an id verbatim.
var uidHash = regexp.MustCompile(`^[0-9a-f]{32}$`)

// IsID tells whether s has the form of an operator, vertex or job id.
func IsID(s string) bool { return uidHash.MatchString(s) }

// OperatorID is the id that a uid stands for.
func OperatorID(uid string) string {
	h := newShape("uid")
	h.str(uid)
	return h.id()
}

// shape hashes length-prefixed fields, so that no two lists of fields collide
// by concatenation.
type shape struct{ h hash.Hash }

func newShape(domain string) shape {
	s := shape{sha256.New()}
	s.str("goflink.operator.1") // a change of the scheme renames every operator
	s.str(domain)
	return s
}

func (s shape) num(n int) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n))
	s.h.Write(b[:])
}

func (s shape) str(v string) {
	s.num(len(v))
	s.h.Write([]byte(v))
}

func (s shape) id() string { return hex.EncodeToString(s.h.Sum(nil)[:idBytes]) }

// assignIDs gives every node its id (id-by-shape). Nodes that look the same (same
// kind, name and inputs) are told apart by their position among themselves: the
// first keeps the plain hash, so that adding another one behind it, or anything
// anywhere else, renames nothing.
func (g *StreamGraph) assignIDs() error {
	twins := map[string]int{}
	seen := map[string]*Node{}
	for _, n := range g.nodes {
		n.id = g.idOf(n, twins)
		if other := seen[n.id]; other != nil {
			return fmt.Errorf("operators %q (%s) and %q (%s) have the same id %s: set other uids", other.Name, other.at(), n.Name, n.at(), n.id)
		}
		seen[n.id] = n
	}
	return nil
}

func (g *StreamGraph) idOf(n *Node, twins map[string]int) string {
	if n.UIDHash != "" {
		return n.UIDHash
	}
	if n.UID != "" {
		return OperatorID(n.UID)
	}
	base := shapeOf(n)
	k := twins[base]
	twins[base]++
	if k == 0 {
		return base
	}
	h := newShape("twin")
	h.str(base)
	h.num(k)
	return h.id()
}

// shapeOf hashes kind, name and inputs. Inputs count by id, side and logical
// input: how they are partitioned is tuning and does not rename.
func shapeOf(n *Node) string {
	h := newShape("shape")
	h.str(n.Kind)
	h.str(n.Name)
	h.num(len(n.Inputs))
	for _, in := range n.Inputs {
		h.str(in.From.id)
		h.str(in.Side)
		h.num(in.Logical)
	}
	return h.id()
}
