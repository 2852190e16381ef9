package rest

import (
	"context"
	"net/http"
	"time"

	"goflink/conf"
)

func (s *Server) getJobs(r *http.Request) (JobsAnswer, error) {
	jobs, err := s.o.Cluster.JobSummaries(r.Context())
	a := JobsAnswer{Jobs: make([]JobIDStatus, 0, len(jobs))}
	for _, j := range jobs {
		a.Jobs = append(a.Jobs, JobIDStatus{ID: j.ID, Status: j.State})
	}
	return a, err
}

func (s *Server) getJobsOverview(r *http.Request) (JobsOverviewAnswer, error) {
	jobs, err := s.o.Cluster.JobSummaries(r.Context())
	a := JobsOverviewAnswer{Jobs: make([]JobOverview, 0, len(jobs))}
	now := s.now()
	for _, j := range jobs {
		a.Jobs = append(a.Jobs, overviewOf(j, now))
	}
	return a, err
}

// job reads the job that the path names.
func (s *Server) job(r *http.Request) (*Job, error) {
	id, err := pathID(r, "jobid")
	if err != nil {
		return nil, err
	}
	return s.o.Cluster.Job(r.Context(), id)
}

// ofJob makes a request of something that is derived from the job.
func ofJob[T any](s *Server, r *http.Request, derive func(*Job) T) (T, error) {
	j, err := s.job(r)
	if err != nil {
		var none T
		return none, err
	}
	return derive(j), nil
}

func (s *Server) getJob(r *http.Request) (JobAnswer, error) {
	return ofJob(s, r, func(j *Job) JobAnswer { return jobOf(j, s.now()) })
}

func (s *Server) getJobStatus(r *http.Request) (JobStatusAnswer, error) {
	return ofJob(s, r, func(j *Job) JobStatusAnswer { return JobStatusAnswer{Status: j.State} })
}

func (s *Server) getJobPlan(r *http.Request) (PlanAnswer, error) {
	return ofJob(s, r, func(j *Job) PlanAnswer { return PlanAnswer{Plan: planOf(j)} })
}

func (s *Server) getJobConfig(r *http.Request) (JobConfigAnswer, error) {
	return ofJob(s, r, jobConfigOf)
}

func (s *Server) getExceptions(r *http.Request) (ExceptionsAnswer, error) {
	limit, err := queryInt(r, "maxExceptions", conf.WebExceptionHistorySize.Get(s.o.Config))
	if err != nil {
		return ExceptionsAnswer{}, err
	}
	return ofJob(s, r, func(j *Job) ExceptionsAnswer { return exceptionsOf(j, limit) })
}

func (s *Server) getAccumulators(r *http.Request) (AccumulatorsAnswer, error) {
	return ofJob(s, r, func(j *Job) AccumulatorsAnswer {
		return AccumulatorsAnswer{Job: []Empty{}, User: accumulatorsOf(j.Accumulators), Serialized: map[string]string{}}
	})
}

func (s *Server) getResult(r *http.Request) (ResultAnswer, error) {
	id, err := pathID(r, "jobid")
	if err != nil {
		return ResultAnswer{}, err
	}
	result, err := s.o.Cluster.JobResult(r.Context(), id)
	if err == nil && result != nil && s.o.OnResult != nil {
		s.o.OnResult(id)
	}
	return resultOf(id, result), err
}

// cancelJob answers PATCH and its twins. Flink's other mode, stop, has long been replaced by POST …/stop.
func (s *Server) cancelJob(r *http.Request) (Empty, error) {
	id, err := pathID(r, "jobid")
	if err != nil {
		return Empty{}, err
	}
	if mode := r.URL.Query().Get("mode"); mode != "" && mode != "cancel" {
		return Empty{}, BadRequest("Bad request, could not parse parameters: the termination mode %q is not \"cancel\"; use POST /jobs/:jobid/stop to stop a job with a savepoint.", mode)
	}
	return Empty{}, s.o.Cluster.Cancel(r.Context(), id)
}

func (s *Server) patchHeartbeat(r *http.Request) (Empty, error) {
	id, err := pathID(r, "jobid")
	if err != nil {
		return Empty{}, err
	}
	var body HeartbeatRequest
	if err := readJSON(r, &body); err != nil {
		return Empty{}, err
	}
	if body.Expired <= 0 {
		return Empty{}, BadRequest("expiredTimestamp is missing: the time in milliseconds since the epoch at which the client is to be taken for dead.")
	}
	return Empty{}, s.o.Cluster.ClientHeartbeat(r.Context(), id, time.UnixMilli(body.Expired))
}

// Kinds of asynchronous operations; a stop is asked for where a savepoint is, as in Flink.
const (
	opSavepoint  = "savepoint"
	opCheckpoint = "checkpoint"
	opDisposal   = "savepoint disposal"
)

// begin starts an asynchronous operation under the caller's trigger id, or a new one.
func (s *Server) begin(subject, kind, trigger string, f func(context.Context) (OperationResult, error)) (TriggerAnswer, error) {
	if trigger == "" {
		trigger = newTrigger()
	}
	if !isHexID(trigger) {
		return TriggerAnswer{}, BadRequest("triggerId %q is not 32 hexadecimal digits.", trigger)
	}
	return TriggerAnswer{RequestID: trigger}, s.ops.start(opKey{subject, kind, trigger}, f)
}

// existingJob reads the job id of the path and refuses unknown jobs, before anything begins in the background.
func (s *Server) existingJob(r *http.Request) (string, error) {
	j, err := s.job(r)
	if err != nil {
		return "", err
	}
	return j.ID, nil
}

// nativeFormat reads formatType.
func nativeFormat(format string) (bool, error) {
	switch format {
	case "", "CANONICAL":
		return false, nil
	case "NATIVE":
		return true, nil
	}
	return false, BadRequest("formatType %q is neither CANONICAL nor NATIVE.", format)
}

func (s *Server) postSavepoint(r *http.Request) (TriggerAnswer, error) {
	id, err := s.existingJob(r)
	if err != nil {
		return TriggerAnswer{}, err
	}
	var body SavepointRequest
	if err := readJSON(r, &body); err != nil {
		return TriggerAnswer{}, err
	}
	native, err := nativeFormat(body.FormatType)
	if err != nil {
		return TriggerAnswer{}, err
	}
	return s.begin(id, opSavepoint, body.TriggerID, func(ctx context.Context) (OperationResult, error) {
		path, err := s.o.Cluster.Savepoint(ctx, id, SavepointOptions{Directory: body.TargetDirectory, Cancel: body.CancelJob, Native: native})
		return OperationResult{Location: path}, err
	})
}

func (s *Server) postStop(r *http.Request) (TriggerAnswer, error) {
	id, err := s.existingJob(r)
	if err != nil {
		return TriggerAnswer{}, err
	}
	var body StopRequest
	if err := readJSON(r, &body); err != nil {
		return TriggerAnswer{}, err
	}
	native, err := nativeFormat(body.FormatType)
	if err != nil {
		return TriggerAnswer{}, err
	}
	return s.begin(id, opSavepoint, body.TriggerID, func(ctx context.Context) (OperationResult, error) {
		path, err := s.o.Cluster.Stop(ctx, id, StopOptions{Directory: body.TargetDirectory, Native: native, Drain: body.Drain})
		return OperationResult{Location: path}, err
	})
}

func (s *Server) getSavepoint(r *http.Request) (OperationAnswer, error) {
	return s.operation(r, opSavepoint)
}

// operation answers for an operation of the job in the path.
func (s *Server) operation(r *http.Request, kind string) (OperationAnswer, error) {
	id, err := pathID(r, "jobid")
	if err != nil {
		return OperationAnswer{}, err
	}
	trigger, err := pathID(r, "triggerid")
	if err != nil {
		return OperationAnswer{}, err
	}
	a, ok := s.ops.answer(opKey{id, kind, trigger})
	if !ok {
		return a, NotFound("There is no %s operation with triggerId=%s for job %s.", kind, trigger, id)
	}
	return a, nil
}

func (s *Server) postDisposal(r *http.Request) (TriggerAnswer, error) {
	var body DisposalRequest
	if err := readJSON(r, &body); err != nil {
		return TriggerAnswer{}, err
	}
	if body.SavepointPath == "" {
		return TriggerAnswer{}, BadRequest("Field savepoint-path must not be omitted.")
	}
	return s.begin("", opDisposal, "", func(ctx context.Context) (OperationResult, error) {
		return OperationResult{}, s.o.Cluster.DisposeSavepoint(ctx, body.SavepointPath)
	})
}

func (s *Server) getDisposal(r *http.Request) (OperationAnswer, error) {
	trigger, err := pathID(r, "triggerid")
	if err != nil {
		return OperationAnswer{}, err
	}
	a, ok := s.ops.answer(opKey{"", opDisposal, trigger})
	if !ok {
		return a, NotFound("There is no savepoint disposal operation with triggerId=%s.", trigger)
	}
	return a, nil
}
