package adaptive

// Parallelism is how many subtasks each vertex has, by id.
type Parallelism map[string]int

// demand is what a job wants under some requirements.
type demand struct {
	job     *Job
	classes map[string]Bounds
	groups  map[string]Bounds // slots of each slot-sharing group
	order   []string          // of groups, as they come in the job
	// sufficient and desired are slots.
	sufficient, desired int
}

func newDemand(j *Job, r Requirements) *demand {
	d := &demand{job: j, classes: j.classes(r), groups: map[string]Bounds{}}
	for _, v := range j.vertices {
		g, known := d.groups[v.Group]
		if !known {
			d.order = append(d.order, v.Group)
		}
		c := d.classes[j.class[v.ID]]
		d.groups[v.Group] = Bounds{max(g.Lower, c.Lower), max(g.Upper, c.Upper)}
	}
	for _, g := range d.groups {
		d.sufficient += g.Lower
		d.desired += g.Upper
	}
	return d
}

// with is the parallelism that so many slots allow; false when they are not
// sufficient. What is beyond the lower bounds is shared out to the groups in
// turn.
func (d *demand) with(slots int) (Parallelism, bool) {
	if slots < d.sufficient {
		return nil, false
	}
	has := map[string]int{}
	for name, g := range d.groups {
		has[name] = g.Lower
	}
	for left := min(slots, d.desired) - d.sufficient; left > 0; {
		for _, name := range d.order {
			if left > 0 && has[name] < d.groups[name].Upper {
				has[name]++
				left--
			}
		}
	}
	share := map[string]int{} // of a class: as many as the smallest of its groups has
	for _, v := range d.job.vertices {
		c := d.job.class[v.ID]
		if n, known := share[c]; !known || has[v.Group] < n {
			share[c] = has[v.Group]
		}
	}
	p := Parallelism{}
	for _, v := range d.job.vertices {
		c := d.job.class[v.ID]
		p[v.ID] = min(share[c], d.classes[c].Upper)
	}
	return p, true
}

// slots is how many slots a parallelism takes.
func (j *Job) slots(p Parallelism) int {
	groups := map[string]int{}
	for _, v := range j.vertices {
		groups[v.Group] = max(groups[v.Group], p[v.ID])
	}
	n := 0
	for _, k := range groups {
		n += k
	}
	return n
}
