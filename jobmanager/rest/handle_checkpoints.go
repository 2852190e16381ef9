package rest

import (
	"context"
	"net/http"
)

func (s *Server) checkpoints(r *http.Request) (*CheckpointHistory, error) {
	id, err := pathID(r, "jobid")
	if err != nil {
		return nil, err
	}
	return s.o.Cluster.Checkpoints(r.Context(), id)
}

func (s *Server) getCheckpoints(r *http.Request) (CheckpointsAnswer, error) {
	h, err := s.checkpoints(r)
	if err != nil {
		return CheckpointsAnswer{}, err
	}
	return checkpointsOf(h), nil
}

// record finds the checkpoint that the path names among those that are remembered.
func (s *Server) record(r *http.Request) (*CheckpointRecord, error) {
	h, err := s.checkpoints(r)
	if err != nil {
		return nil, err
	}
	id, err := pathInt(r, "checkpointid")
	if err != nil {
		return nil, err
	}
	for i := range h.Records {
		if h.Records[i].ID == id {
			return &h.Records[i], nil
		}
	}
	for _, latest := range []*CheckpointRecord{h.LatestCompleted, h.LatestSavepoint, h.LatestFailed} {
		if latest != nil && latest.ID == id {
			return latest, nil
		}
	}
	return nil, NotFound("Could not find checkpointing statistics for checkpoint %d.", id)
}

func (s *Server) getCheckpoint(r *http.Request) (CheckpointAnswer, error) {
	rec, err := s.record(r)
	if err != nil {
		return CheckpointAnswer{}, err
	}
	return checkpointOf(rec, true), nil
}

func (s *Server) getCheckpointSubtasks(r *http.Request) (TaskCheckpointAnswer, error) {
	rec, err := s.record(r)
	if err != nil {
		return TaskCheckpointAnswer{}, err
	}
	vertex, err := pathID(r, "vertexid")
	if err != nil {
		return TaskCheckpointAnswer{}, err
	}
	for _, v := range rec.Vertices {
		if v.ID == vertex {
			return taskCheckpointDetails(rec, v), nil
		}
	}
	return TaskCheckpointAnswer{}, NotFound("There is no checkpoint statistics for task %s.", vertex)
}

func (s *Server) getCheckpointConfig(r *http.Request) (CheckpointConfigAnswer, error) {
	id, err := pathID(r, "jobid")
	if err != nil {
		return CheckpointConfigAnswer{}, err
	}
	settings, err := s.o.Cluster.CheckpointSettings(r.Context(), id)
	if err == nil && !settings.Enabled {
		err = NotFound("Checkpointing is not enabled for this job (%s).", id)
	}
	return settingsOf(settings), err
}

func (s *Server) postCheckpoint(r *http.Request) (TriggerAnswer, error) {
	id, err := s.existingJob(r)
	if err != nil {
		return TriggerAnswer{}, err
	}
	var body CheckpointRequest
	if err := readJSON(r, &body); err != nil {
		return TriggerAnswer{}, err
	}
	kind := CheckpointConfigured
	switch body.CheckpointType {
	case "", "CONFIGURED":
	case "FULL":
		kind = CheckpointFull
	case "INCREMENTAL":
		return TriggerAnswer{}, BadRequest("An incremental checkpoint cannot be asked for by hand; use CONFIGURED with execution.checkpointing.incremental, or FULL.")
	default:
		return TriggerAnswer{}, BadRequest("checkpointType %q is neither CONFIGURED nor FULL.", body.CheckpointType)
	}
	return s.begin(id, opCheckpoint, body.TriggerID, func(ctx context.Context) (OperationResult, error) {
		n, err := s.o.Cluster.Checkpoint(ctx, id, kind)
		return OperationResult{CheckpointID: &n}, err
	})
}

func (s *Server) getCheckpointTrigger(r *http.Request) (OperationAnswer, error) {
	return s.operation(r, opCheckpoint)
}
