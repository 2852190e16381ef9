package conf

import (
	"errors"
	"iter"
	"slices"
	"strconv"
	"strings"
)

// Ports is a choice of TCP ports: "0" (any free one), "8081", "50100-50200" or a list "50100-50200,50300".
type Ports struct {
	ranges [][2]int
}

// Port returns the choice of one port; 0 is any free one.
func Port(p int) Ports { return Ports{ranges: [][2]int{{p, p}}} }

// All yields the ports to try, in the order written.
func (p Ports) All() iter.Seq[int] {
	return func(yield func(int) bool) {
		for _, r := range p.ranges {
			for port := r[0]; port <= r[1]; port++ {
				if !yield(port) {
					return
				}
			}
		}
	}
}

// First returns the port to try first; 0 without any.
func (p Ports) First() int {
	if len(p.ranges) == 0 {
		return 0
	}
	return p.ranges[0][0]
}

// Equal tells whether both name the same ports in the same order.
func (p Ports) Equal(o Ports) bool { return slices.Equal(p.ranges, o.ranges) }

// String writes the ports so that ParsePorts reads them back.
func (p Ports) String() string {
	parts := make([]string, len(p.ranges))
	for i, r := range p.ranges {
		parts[i] = strconv.Itoa(r[0])
		if r[0] != r[1] {
			parts[i] += "-" + strconv.Itoa(r[1])
		}
	}
	return strings.Join(parts, ",")
}

// ParsePorts reads a port, a range or a list of both.
func ParsePorts(s string) (Ports, error) {
	var out Ports
	for part := range strings.SplitSeq(s, ",") {
		from, to, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			to = from
		}
		lo, err := parsePort(from)
		if err != nil {
			return Ports{}, err
		}
		hi, err := parsePort(to)
		if err != nil {
			return Ports{}, err
		}
		if lo > hi {
			return Ports{}, errors.New("a range starts with its smaller port")
		}
		out.ranges = append(out.ranges, [2]int{lo, hi})
	}
	return out, nil
}

func parsePort(s string) (int, error) {
	p, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil {
		return 0, errForm
	}
	if p < 0 || p > 65535 {
		return 0, errors.New("a port lies between 0 and 65535")
	}
	return p, nil
}

// PortsOption makes a port option.
func PortsOption(key string, def Ports, doc string, fallbacks ...string) Option[Ports] {
	k := kind[Ports]{name: "Ports", form: "a port, a range or a list such as 8081, 50100-50200 or 50100-50200,50300 (0 takes a free one)",
		parse: ParsePorts, format: Ports.String}
	return newOption(k, key, def, doc, fallbacks)
}
