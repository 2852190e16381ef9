package rest

import (
	"net/http"
)

// vertex reads the vertex that the path names.
func (s *Server) vertex(r *http.Request) (Vertex, error) {
	j, err := s.job(r)
	if err != nil {
		return Vertex{}, err
	}
	id, err := pathID(r, "vertexid")
	if err != nil {
		return Vertex{}, err
	}
	for _, v := range j.Vertices {
		if v.ID == id {
			return v, nil
		}
	}
	return Vertex{}, NotFound("JobVertex %s not found", id)
}

// ofVertex makes a request of something that is derived from the vertex.
func ofVertex[T any](s *Server, r *http.Request, derive func(Vertex) T) (T, error) {
	v, err := s.vertex(r)
	if err != nil {
		var none T
		return none, err
	}
	return derive(v), nil
}

func (s *Server) getVertex(r *http.Request) (VertexAnswer, error) {
	return ofVertex(s, r, func(v Vertex) VertexAnswer { return vertexOf(v, s.now()) })
}

func (s *Server) getVertexAccumulators(r *http.Request) (VertexAccumulatorsAnswer, error) {
	return ofVertex(s, r, vertexAccumulatorsOf)
}

func (s *Server) getBackPressure(r *http.Request) (BackPressureAnswer, error) {
	return ofVertex(s, r, func(v Vertex) BackPressureAnswer { return backPressureOf(v, s.now()) })
}

func (s *Server) getSubtaskAccumulators(r *http.Request) (SubtaskAccumulatorsAnswer, error) {
	return ofVertex(s, r, subtaskAccumulatorsOf)
}

func (s *Server) getSubtaskTimes(r *http.Request) (SubtaskTimesAnswer, error) {
	return ofVertex(s, r, func(v Vertex) SubtaskTimesAnswer { return subtaskTimesOf(v, s.now()) })
}

func (s *Server) getVertexTaskManagers(r *http.Request) (VertexTaskManagersAnswer, error) {
	return ofVertex(s, r, func(v Vertex) VertexTaskManagersAnswer { return vertexTaskManagersOf(v, s.now()) })
}

// subtask reads the subtask that the path names.
func (s *Server) subtask(r *http.Request) (Subtask, error) {
	v, err := s.vertex(r)
	if err != nil {
		return Subtask{}, err
	}
	index, err := pathInt(r, "index")
	if err != nil {
		return Subtask{}, err
	}
	for _, t := range v.Subtasks {
		if int64(t.Index) == index {
			return t, nil
		}
	}
	return Subtask{}, NotFound("Invalid subtask index for vertex %s: %d; it has %d subtasks.", v.ID, index, len(v.Subtasks))
}

func (s *Server) getSubtask(r *http.Request) (SubtaskAnswer, error) {
	t, err := s.subtask(r)
	return subtaskOf(t, s.now()), err
}

func (s *Server) getAttempt(r *http.Request) (SubtaskAnswer, error) {
	t, err := s.subtask(r)
	if err != nil {
		return SubtaskAnswer{}, err
	}
	attempt, err := pathInt(r, "attempt")
	if err != nil {
		return SubtaskAnswer{}, err
	}
	for _, a := range append([]Subtask{t}, t.Earlier...) {
		if int64(a.Attempt) == attempt {
			return subtaskOf(a, s.now()), nil
		}
	}
	return SubtaskAnswer{}, NotFound("Attempt %d of subtask %d is not known.", attempt, t.Index)
}
