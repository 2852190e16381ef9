package execution

import (
	"slices"

	"goflink/graph"
)

// Regions exchange data over blocking edges: what the tasks of one wrote to disk
// is read by those of others, once all of it is there.

// crossing is where regions meet: every region of from writes for every region
// of to.
type crossing struct {
	from, to []*region
	left     int // of from, that have not finished
	open     int // of to, that may still read
}

// ReleasePartitions tells that nobody will read any more what the tasks of a
// region's attempt wrote on these workers.
type ReleasePartitions struct {
	Region, Attempt int
	Workers         []string
}

// RegionFinished tells that every task of a region has finished: its channels
// are not needed any more. It comes for graphs with blocking edges only.
type RegionFinished struct{ Region, Attempt int }

// PartitionLost tells that what a finished task wrote cannot be read any more.
type PartitionLost struct {
	Task    TaskID
	Attempt int
	Cause   Failure
}

func (ReleasePartitions) action() {}
func (RegionFinished) action()    {}
func (PartitionLost) event()      {}

// connect makes the crossings of the blocking edges.
func (g *Graph) connect(first map[string]int, vertices map[string]*Vertex) {
	for _, e := range g.cfg.Edges {
		from, to := vertices[e.Source], vertices[e.Target]
		if !e.Blocking || from == nil || to == nil {
			continue
		}
		writers, readers := g.tasks[first[from.ID]:][:from.Parallelism], g.tasks[first[to.ID]:][:to.Parallelism]
		if !graph.Pointwise(e.Partitioning) {
			meet(regionsOf(writers), regionsOf(readers))
			continue
		}
		for i, r := range readers {
			var of []*Execution
			for _, s := range graph.Sources(e.Partitioning, i, from.Parallelism, to.Parallelism) {
				of = append(of, writers[s])
			}
			meet(regionsOf(of), []*region{r.region})
		}
	}
}

func regionsOf(tasks []*Execution) []*region {
	var list []*region
	seen := map[*region]bool{}
	for _, e := range tasks {
		if !seen[e.region] {
			seen[e.region] = true
			list = append(list, e.region)
		}
	}
	return list
}

// meet makes a crossing.
func meet(from, to []*region) {
	x := &crossing{from: from, to: to, left: len(from), open: len(to)}
	for _, r := range from {
		r.writes = append(r.writes, x)
	}
	for _, r := range to {
		r.reads = append(r.reads, x)
	}
}

// finished tells that every task of the region has.
func (r *region) finished() bool { return r.count.finished == len(r.members) }

// fed tells that all that the region reads is there.
func (r *region) fed() bool {
	return !slices.ContainsFunc(r.reads, func(x *crossing) bool { return x.left > 0 })
}

// needed tells that somebody may still read what the region wrote.
func (r *region) needed() bool {
	return slices.ContainsFunc(r.writes, func(x *crossing) bool { return x.open > 0 })
}

// regionFinished goes on after the last task of a region: those that waited for
// it begin, and what nobody needs any more goes.
func (s *step) regionFinished(r *region) {
	if !s.staged || !r.finished() || r.pending != nil { // a cancellation may come too late
		return
	}
	s.do(RegionFinished{Region: r.id, Attempt: r.attempt})
	var next []*region
	for _, x := range r.writes {
		if x.left--; x.left > 0 {
			continue
		}
		for _, c := range x.to {
			if c.fed() && !c.begun && c.pending == nil && !slices.Contains(next, c) {
				next = append(next, c)
			}
		}
	}
	s.complete(r)
	if len(next) > 0 && (s.state == JobRunning || s.state == JobRestarting) {
		s.schedule(next)
	}
}

// complete notes that a region cannot be needed again, which may let go of what
// it read.
func (s *step) complete(r *region) {
	if r.over || r.pending != nil || !r.finished() || r.needed() {
		return
	}
	r.over = true
	s.release(r)
	for _, x := range r.reads {
		if x.open--; x.open == 0 {
			for _, p := range x.from {
				s.complete(p)
			}
		}
	}
}

// release lets go of what the tasks of a region wrote.
func (s *step) release(r *region) {
	r.gone = true
	if len(r.writes) == 0 {
		return
	}
	var workers []string
	seen := map[string]bool{}
	for _, i := range r.members {
		if w := s.tasks[i].Slot.Worker; w != "" && !seen[w] {
			seen[w] = true
			workers = append(workers, w)
		}
	}
	if len(workers) > 0 {
		s.do(ReleasePartitions{Region: r.id, Attempt: r.attempt, Workers: workers})
	}
}

// retract takes back that a region has finished, as soon as it is known that it
// will be run again: nobody else may begin meanwhile, and what it reads stays.
func (r *region) retract() {
	if r.finished() {
		for _, x := range r.writes {
			x.left++
		}
	}
	if r.over {
		r.over = false
		for _, x := range r.reads {
			x.open++
		}
	}
}

// again forgets what a region has come to, when it is run again.
func (s *step) again(r *region) {
	s.release(r)
	r.gone, r.begun = false, false
}

// ready are those of regions that can begin.
func ready(regions []*region) []*region {
	var list []*region
	for _, r := range regions {
		if r.fed() {
			list = append(list, r)
		}
	}
	return list
}

// scopeOf is what is run again after a failure of some regions.
func (s *step) scopeOf(scope []*region) []*region {
	if s.stopping || s.cfg.Full {
		return s.regions
	}
	return s.together(scope)
}

// together widens a failover over blocking edges: whoever reads from a region
// that is run again is run again, because it may have read what will not be
// written in the same way, and so is whoever wrote what is gone and has to be
// read again.
func (s *step) together(scope []*region) []*region {
	if !s.staged {
		return scope
	}
	list := slices.Clone(scope)
	seen := map[*region]bool{}
	for _, r := range list {
		seen[r] = true
	}
	add := func(r *region) {
		if !seen[r] {
			seen[r] = true
			list = append(list, r)
		}
	}
	back, forth := map[*crossing]bool{}, map[*crossing]bool{}
	for i := 0; i < len(list); i++ {
		for _, x := range list[i].reads {
			if back[x] {
				continue
			}
			back[x] = true
			for _, p := range x.from {
				if p.finished() && p.gone {
					add(p)
				}
			}
		}
		for _, x := range list[i].writes {
			if forth[x] {
				continue
			}
			forth[x] = true
			for _, c := range x.to {
				if c.begun {
					add(c)
				}
			}
		}
	}
	return list
}

// partitionsLost are the regions of which a lost worker held what is still to be
// read. Once the job commits, nothing is.
func (s *step) partitionsLost(worker string) []*region {
	if !s.staged || s.committing {
		return nil
	}
	var list []*region
	for _, e := range s.tasks {
		r := e.region
		if e.State != TaskFinished || e.Slot.Worker != worker || len(r.writes) == 0 || r.gone {
			continue
		}
		if r.finished() {
			r.gone = true
		}
		if r.needed() {
			list = append(list, r)
		}
	}
	return list
}

// partitionLost runs again who wrote it, and who reads it.
func (s *step) partitionLost(ev PartitionLost) {
	e := s.Task(ev.Task)
	if e == nil || e.Attempt != ev.Attempt || e.State != TaskFinished || s.committing {
		return
	}
	r := e.region
	if r.pending != nil { // it is run again anyway
		return
	}
	r.gone = true
	f := ev.Cause
	f.Task, f.Attempt, f.TaskManager = e.Name(), e.Attempt, e.Slot.TaskManager
	s.fail(f, []*region{r}, nil)
}
