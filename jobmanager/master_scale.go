package jobmanager

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"goflink/conf"
	"goflink/graph"
	"goflink/jobmanager/adaptive"
	"goflink/jobmanager/checkpoint"
	"goflink/jobmanager/execution"
	"goflink/jobmanager/slots"
)

// scaling is what the master of a job of the adaptive scheduler knows of its
// size.
type scaling struct {
	decider *adaptive.Decider // nil: the job has the default scheduler
	// reason is why the job is to be rescaled as soon as a checkpoint allows;
	// empty: it is not.
	reason string
	// asked is true while that checkpoint is under way.
	asked bool
	// updating is true while new requirements are being made durable.
	updating bool
}

// adaptiveJob tells that a job has the adaptive scheduler. Jobs in BATCH have the
// default one.
func adaptiveJob(c *conf.Config) bool {
	return conf.JobManagerScheduler.Get(c) == conf.SchedulerAdaptive && !batch(c)
}

// newDecider makes what decides with which parallelism a job runs; nil: nothing
// does.
func (m *master) newDecider() *adaptive.Decider {
	c := m.conf
	if !adaptiveJob(c) {
		if conf.JobManagerScheduler.Get(c) == conf.SchedulerAdaptive {
			m.log.Info("The adaptive scheduler is configured, but the job runs in BATCH: it has the default scheduler")
		}
		return nil
	}
	j := adaptiveView(m.graph, c)
	need := requirementsOf(m.graph)
	if len(need) > 0 {
		if err := j.Validate(need); err != nil {
			m.log.Warn("The resource requirements of the job do not fit it, its defaults are taken", "error", err)
			need = nil
		}
	}
	return adaptive.New(adaptive.Config{WaitTimeout: conf.AdaptiveResourceWaitTimeout.Get(c), StabilizationTimeout: conf.AdaptiveResourceStabilizationTimeout.Get(c),
		MinInterval: conf.AdaptiveScalingIntervalMin.Get(c), MaxInterval: conf.AdaptiveScalingIntervalMax.Get(c),
		MinIncrease: conf.AdaptiveMinParallelismIncrease.Get(c)}, j, need)
}

// adaptiveView is the job as the adaptive scheduler sees it.
func adaptiveView(g *graph.JobGraph, c *conf.Config) *adaptive.Job {
	// Where a partitioner of the user's decides, records in flight have no other
	// receiver than the one that it chose.
	pinned := conf.CheckpointingUnaligned.Get(c) && conf.CheckpointingUnalignedForced.Get(c)
	fixed := map[string]bool{}
	var ties [][2]string
	for _, e := range g.GetEdges() {
		switch {
		case e.Partitioning == graph.Partitioning_FORWARD:
			ties = append(ties, [2]string{e.Source, e.Target})
		case e.Partitioning == graph.Partitioning_CUSTOM && pinned:
			fixed[e.Target] = true
		}
	}
	var list []adaptive.Vertex
	for _, v := range g.GetVertices() {
		list = append(list, adaptive.Vertex{ID: v.Id, Parallelism: int(v.Parallelism), MaxParallelism: int(v.MaxParallelism), Group: v.SlotSharingGroup,
			Fixed: v.Fixed || fixed[v.Id] || !g.GetRescales()})
	}
	return adaptive.NewJob(list, ties)
}

// requirementsOf are the requirements that are kept with a job graph.
func requirementsOf(g *graph.JobGraph) adaptive.Requirements {
	r := adaptive.Requirements{}
	for _, b := range g.GetRequirements() {
		r[b.Vertex] = adaptive.Bounds{Lower: int(b.LowerBound), Upper: int(b.UpperBound)}
	}
	return r
}

// withRequirements is a job graph that keeps requirements.
func withRequirements(g *graph.JobGraph, r adaptive.Requirements) *graph.JobGraph {
	g = proto.CloneOf(g)
	g.Requirements = nil
	for _, id := range slices.Sorted(maps.Keys(r)) {
		g.Requirements = append(g.Requirements, &graph.ResourceRequirement{Vertex: id, LowerBound: int32(r[id].Lower), UpperBound: int32(r[id].Upper)})
	}
	return g
}

// scaledGraph is a job graph with another parallelism. What does not change is
// shared.
func scaledGraph(g *graph.JobGraph, p adaptive.Parallelism) *graph.JobGraph {
	out := &graph.JobGraph{Version: g.Version, JobId: g.JobId, Name: g.Name, Fingerprint: g.Fingerprint, MaxParallelism: g.MaxParallelism,
		Protocol: g.Protocol, Regions: g.Regions, Rescales: g.Rescales, SubmittedMs: g.SubmittedMs, Edges: g.Edges, Program: g.Program, Config: g.Config}
	for _, v := range g.Vertices {
		if n := int32(p[v.Id]); n != v.Parallelism {
			v = &graph.Vertex{Id: v.Id, Name: v.Name, Parallelism: n, MaxParallelism: v.MaxParallelism, Operators: v.Operators,
				SlotSharingGroup: v.SlotSharingGroup, Source: v.Source, Sink: v.Sink, Fixed: v.Fixed}
		}
		out.Vertices = append(out.Vertices, v)
	}
	return out
}

// changedParallelism is the parallelism of the vertices that have not that of the
// submitted graph.
func (m *master) changedParallelism() map[string]int32 {
	if m.scaled == m.graph {
		return nil
	}
	out := map[string]int32{}
	for i, v := range m.scaled.Vertices {
		if v.Parallelism != m.graph.Vertices[i].Parallelism {
			out[v.Id] = v.Parallelism
		}
	}
	return out
}

// decide gives an event to the adaptive scheduler, if the job has it.
func (m *master) decide(ev adaptive.Event) {
	if m.scaling.decider == nil || m.ending != nil {
		return
	}
	m.run(func() {
		for _, a := range m.scaling.decider.Step(m.jm.clock.Now(), ev) {
			m.scale(a)
		}
	})
}

// scale carries out an action of the adaptive scheduler.
func (m *master) scale(a adaptive.Action) {
	switch a := a.(type) {
	case adaptive.Declare:
		m.jm.loop.post(func() { m.jm.allot(slots.Desire{Job: m.id, Name: m.graph.Name, Slots: a.Slots}) })
	case adaptive.Start:
		m.startWith(a)
	case adaptive.Rescale:
		m.log.Info("The job is to be rescaled: " + a.Reason)
		m.scaling.reason = a.Reason
		m.rescale()
	case adaptive.Fail:
		m.step(execution.GlobalFailure{Cause: execution.Failure{Message: a.Reason, Domain: "external", Retry: execution.RetryNone}})
	}
}

func (m *master) startWith(a adaptive.Start) {
	word := "Starting job with parallelism"
	if m.exec.Attempt() > 0 {
		word = "Restarting job with new parallelism"
	}
	m.scaled = scaledGraph(m.graph, a.Parallelism)
	var list []string
	for _, v := range m.scaled.Vertices {
		list = append(list, fmt.Sprintf("%s: %d", v.Name, v.Parallelism))
	}
	m.log.Info(word+" on "+fmt.Sprint(a.Slots)+" slots", "desired", m.scaling.decider.Desired(), "parallelism", strings.Join(list, ", "))
	m.step(execution.Scale{Parallelism: a.Parallelism})
}

// rescale stops the job so that it goes on with another parallelism: at a
// checkpoint taken for it, so that little is done again. If that fails the last one
// has to do. A savepoint that is under way comes first, and the end of the job.
func (m *master) rescale() {
	switch s := &m.scaling; {
	case s.reason == "" || s.asked:
	case !m.exec.Rescalable(): // it is being restarted already, or ends
		s.reason = ""
	case m.cp.Reserved():
	case conf.CheckpointingInterval.Get(m.conf) <= 0:
		m.stopToRescale()
	default:
		s.asked = true
		token, attempt := newJobID(), m.exec.Attempt()
		m.replies[token] = func(a checkpoint.Reply) {
			s.asked = false
			if m.exec.Attempt() != attempt || !m.exec.Rescalable() {
				s.reason = ""
				return
			}
			if m.cp.Reserved() {
				return
			}
			if a.Err != "" {
				m.log.Warn("No checkpoint could be taken for the rescale, the last one is restored", "reason", a.Err)
			}
			m.stopToRescale()
		}
		m.check(checkpoint.Request{Token: token, Kind: checkpoint.Periodic})
	}
}

func (m *master) stopToRescale() {
	reason := m.scaling.reason
	m.scaling.reason = ""
	m.step(execution.Rescale{Reason: "the job is rescaled: " + reason})
}

// refused handles that the slots which the job was to start on are not there any
// more: it waits again.
func (m *master) refused() {
	if !m.waiting {
		return
	}
	m.log.Info("The slots that the job was to start on were taken by another job")
	m.decide(adaptive.Stop{})
	m.step(execution.Rescale{Reason: "its slots were taken by another job"})
}
