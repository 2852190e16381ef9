package adaptive

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Default stands for the default of a bound: 1 for the lower one (of a fixed vertex
// its parallelism), the configured parallelism for the upper one.
const Default = -1

// Bounds are the least and the highest parallelism that a vertex may run with.
type Bounds struct{ Lower, Upper int }

// Requirements are the bounds of a job's vertices, by id. What is missing has its
// defaults.
type Requirements map[string]Bounds

// Vertex is what the package knows of a vertex of the JobGraph.
type Vertex struct {
	ID string
	// Parallelism is the configured one, MaxParallelism its number of key groups.
	Parallelism, MaxParallelism int
	// Group is its slot-sharing group: the vertices of a group share slots, so it
	// needs as many as the highest parallelism in it.
	Group string
	// Fixed vertices run with the configured parallelism only.
	Fixed bool
}

// Job is what bounds are compared with.
type Job struct {
	vertices []Vertex
	class    map[string]string // vertex -> first vertex of those tied to it
}

// NewJob makes the job of vertices; ties are pairs of those that must have equal
// parallelism, because a forward edge joins them.
func NewJob(vertices []Vertex, ties [][2]string) *Job {
	j := &Job{vertices: vertices, class: map[string]string{}}
	for _, v := range vertices {
		j.class[v.ID] = v.ID
	}
	for _, t := range ties {
		from, to := j.class[t[0]], j.class[t[1]]
		for id, c := range j.class {
			if c == to {
				j.class[id] = from
			}
		}
	}
	return j
}

// bounds are those that a vertex has by itself.
func (v *Vertex) bounds(r Requirements) Bounds {
	b, ok := r[v.ID]
	if !ok {
		b = Bounds{Default, Default}
	}
	if b.Lower == Default {
		b.Lower = 1
		if v.Fixed {
			b.Lower = v.Parallelism
		}
	}
	if b.Upper == Default {
		b.Upper = v.Parallelism
	}
	return b
}

// Resolve fills in defaults: the bounds of all vertices.
func (j *Job) Resolve(r Requirements) Requirements {
	out := Requirements{}
	for i := range j.vertices {
		out[j.vertices[i].ID] = j.vertices[i].bounds(r)
	}
	return out
}

// Validate tells everything that is wrong with requirements at once: they name
// all vertices and no others, within 1 and the max parallelism, and leave a
// parallelism to those that must have the same one. The words are Flink's.
func (j *Job) Validate(r Requirements) error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	for i := range j.vertices {
		v := &j.vertices[i]
		if _, ok := r[v.ID]; !ok {
			fail("The request is incomplete, missing job vertex [%s] resource requirements.", v.ID)
			continue
		}
		switch b := v.bounds(r); {
		case b.Lower < 1 || b.Upper < 1:
			fail("Both, the requested lower bound [%d] and upper bound [%d] for job vertex [%s] must be greater than zero.", b.Lower, b.Upper, v.ID)
		case b.Lower > b.Upper:
			fail("The requested lower bound [%d] for job vertex [%s] is higher than the upper bound [%d].", b.Lower, v.ID, b.Upper)
		case b.Upper > v.MaxParallelism:
			fail("The newly requested parallelism %d for the job vertex %s exceeds its maximum parallelism %d.", b.Upper, v.ID, v.MaxParallelism)
		case v.Fixed && (b.Lower > v.Parallelism || b.Upper < v.Parallelism):
			fail("Job vertex [%s] can run with parallelism %d only, which is not within the bounds [%d] and [%d].", v.ID, v.Parallelism, b.Lower, b.Upper)
		}
	}
	for id := range r {
		if _, known := j.class[id]; !known {
			fail("Job vertex [%s] was not found in the JobGraph.", id)
		}
	}
	if len(errs) == 0 {
		for class, b := range j.classes(r) {
			if b.Lower > b.Upper {
				fail("The bounds leave no parallelism to job vertex [%s] and those joined to it by forward edges, which have the same one.", class)
			}
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

// classes are the bounds of vertices that are tied together, by class.
func (j *Job) classes(r Requirements) map[string]Bounds {
	out := map[string]Bounds{}
	for i := range j.vertices {
		v := &j.vertices[i]
		b := v.bounds(r)
		b.Upper = min(b.Upper, v.MaxParallelism)
		if v.Fixed {
			b = Bounds{v.Parallelism, v.Parallelism}
		}
		c, ok := out[j.class[v.ID]]
		if ok {
			b = Bounds{max(b.Lower, c.Lower), min(b.Upper, c.Upper)}
		}
		out[j.class[v.ID]] = b
	}
	return out
}
