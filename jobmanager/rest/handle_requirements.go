package rest

import "net/http"

// ParallelismBounds are the least and the highest parallelism that a vertex may run with.
type ParallelismBounds struct{ Lower, Upper int }

// DefaultBound stands for the default of a bound: 1 for the lower one, the configured parallelism for the upper one.
const DefaultBound = -1

// VertexRequirements is what a vertex needs, in the answer and the body of /jobs/:jobid/resource-requirements.
type VertexRequirements struct {
	Parallelism BoundsAnswer `json:"parallelism"`
}

// BoundsAnswer is the JSON of ParallelismBounds. A bound that is left out is the default one.
type BoundsAnswer struct {
	Lower *int `json:"lowerBound"`
	Upper *int `json:"upperBound"`
}

func (s *Server) getRequirements(r *http.Request) (map[string]VertexRequirements, error) {
	id, err := pathID(r, "jobid")
	if err != nil {
		return nil, err
	}
	list, err := s.o.Cluster.ResourceRequirements(r.Context(), id)
	if err != nil {
		return nil, err
	}
	out := make(map[string]VertexRequirements, len(list))
	for v, b := range list {
		out[v] = VertexRequirements{BoundsAnswer{&b.Lower, &b.Upper}}
	}
	return out, nil
}

func (s *Server) putRequirements(r *http.Request) (Empty, error) {
	id, err := pathID(r, "jobid")
	if err != nil {
		return Empty{}, err
	}
	var body map[string]VertexRequirements
	if err := readJSON(r, &body); err != nil {
		return Empty{}, err
	}
	or := func(v *int) int {
		if v == nil {
			return DefaultBound
		}
		return *v
	}
	list := make(map[string]ParallelismBounds, len(body))
	for v, b := range body {
		list[v] = ParallelismBounds{Lower: or(b.Parallelism.Lower), Upper: or(b.Parallelism.Upper)}
	}
	if err := s.o.Cluster.UpdateResourceRequirements(r.Context(), id, list); err != nil {
		return Empty{}, err
	}
	s.o.Log.Info("the resource requirements of a job were changed", "job", id, "from", r.RemoteAddr)
	return Empty{}, nil
}
