// Package figures is what the benchmarks print: medians with their spread, and
// tables with a column for each product.
package figures

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Median is the middle of a list that is not empty; of an even number of values
// the upper middle.
func Median[T cmp.Ordered](list []T) T {
	list = slices.Sorted(slices.Values(list))
	return list[len(list)/2]
}

// Seconds is a median with the extremes, in seconds.
func Seconds(list []time.Duration) string {
	r := func(d time.Duration) string { return fmt.Sprintf("%.2f", d.Seconds()) }
	return fmt.Sprintf("%s s (%s to %s)", r(Median(list)), r(slices.Min(list)), r(slices.Max(list)))
}

// Table is what was measured: a row a figure, a column a product.
type Table struct {
	rows  []*row
	names []string
}

type row struct {
	figure, want string
	values       map[string]string
}

// Add puts a product's value of a figure into the table; want is what is asked.
func (t *Table) Add(name, figure, value, want string) {
	if !slices.Contains(t.names, name) {
		t.names = append(t.names, name)
	}
	i := slices.IndexFunc(t.rows, func(r *row) bool { return r.figure == figure })
	if i < 0 {
		t.rows = append(t.rows, &row{figure, want, map[string]string{}})
		i = len(t.rows) - 1
	}
	t.rows[i].values[name] = value
}

// Text is the table in columns.
func (t *Table) Text() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "figure\t%s\tasked\n", strings.Join(t.names, "\t"))
	for _, r := range t.rows {
		fmt.Fprint(w, r.figure)
		for _, n := range t.names {
			fmt.Fprintf(w, "\t%s", r.values[n])
		}
		fmt.Fprintf(w, "\t%s\n", r.want)
	}
	_ = w.Flush() // into memory
	return b.String()
}
