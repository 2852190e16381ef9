package jobmanager

import (
	"fmt"
	"io"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"goflink/control"
	"goflink/graph"
	"goflink/state"
)

// service implements the control plane.
type service struct {
	control.UnimplementedJobManagerServer
	jm *JobManager
}

// protocolProblem tells why a process of another release is refused; empty: it
// is not. One release back is served.
func protocolProblem(who string, protocol uint32) string {
	if protocol == control.ProtocolVersion || protocol+1 == control.ProtocolVersion {
		return ""
	}
	return fmt.Sprintf("%s speaks worker protocol %d, this JobManager %d: build it with the cluster's release of goflink", who, protocol, control.ProtocolVersion)
}

// maxSlots bounds the slots that a TaskManager may offer.
const maxSlots = state.MaxMaxParallelism

// TaskManager serves the stream of a TaskManager.
func (s *service) TaskManager(stream grpc.BidiStreamingServer[control.TaskManagerEvent, control.TaskManagerCommand]) error {
	e, err := first(s.jm, stream)
	if err != nil {
		return err
	}
	reg := e.GetRegister()
	if reg == nil {
		return status.Error(codes.InvalidArgument, "the first message must register the TaskManager")
	}
	if problem := taskManagerProblem(reg); problem != "" {
		s.jm.log.Warn("A TaskManager was refused", "id", reg.GetId(), "reason", problem)
		return stream.Send(&control.TaskManagerCommand{Command: &control.TaskManagerCommand_Registered{Registered: &control.Registered{
			ClusterId: s.jm.o.ClusterID, Epoch: s.jm.o.Epoch, Refused: problem}}})
	}
	c := newConn[control.TaskManagerCommand](s.jm.clock.Now())
	gone := make(chan struct{})
	defer close(gone)
	s.jm.loop.feed(stream.Context(), func() { s.jm.admit(reg, c, gone) })
	err = serve(s.jm, stream, c, func(e *control.TaskManagerEvent) bool {
		return s.jm.loop.feed(stream.Context(), func() { s.jm.fromTaskManager(reg.Id, c, e) })
	})
	s.jm.loop.post(func() { s.jm.broken(reg.Id, c) })
	return err
}

func taskManagerProblem(r *control.RegisterTaskManager) string {
	switch {
	case r.GetId() == "" || len(r.GetId()) > 255 || r.GetHost() == "":
		return "the TaskManager has no id or no host"
	case r.GetSlots() < 1 || r.GetSlots() > maxSlots:
		return fmt.Sprintf("the TaskManager offers %d slots (taskmanager.numberOfTaskSlots)", r.GetSlots())
	}
	return protocolProblem("TaskManager "+r.GetId(), r.GetProtocol())
}

// jobOf finds the master of a job, nil when there is none. A JobManager that ends
// does not know: its successor may.
func (s *service) jobOf(id string) (*master, error) {
	m, err := ask(s.jm.ctx, s.jm.loop, func() *master { return s.jm.jobs[id] })
	if err != nil {
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	return m, nil
}

// Worker serves the stream of a worker.
func (s *service) Worker(stream grpc.BidiStreamingServer[control.WorkerEvent, control.WorkerCommand]) error {
	e, err := first(s.jm, stream)
	if err != nil {
		return err
	}
	reg := e.GetRegister()
	if reg == nil {
		return status.Error(codes.InvalidArgument, "the first message must register the worker")
	}
	m, err := s.jobOf(reg.GetJobId())
	if err != nil {
		return err
	}
	problem := protocolProblem("the job's program", reg.GetProtocol())
	if m == nil && problem == "" {
		problem = fmt.Sprintf("job %s is not running here: worker %s belongs to an earlier JobManager", reg.GetJobId(), reg.GetWorkerId())
	}
	c := newConn[control.WorkerCommand](s.jm.clock.Now())
	if problem == "" {
		problem, err = ask(s.jm.ctx, m.loop, func() string { return m.admitWorker(reg, c) })
		if err != nil {
			return status.Error(codes.Unavailable, err.Error())
		}
	}
	if problem != "" {
		s.jm.log.Warn("A worker was refused", "worker", reg.GetWorkerId(), "reason", problem)
		return stream.Send(&control.WorkerCommand{Command: &control.WorkerCommand_Registered{Registered: &control.WorkerRegistered{
			Refused: problem, Epoch: s.jm.o.Epoch}}})
	}
	err = serve(s.jm, stream, c, func(e *control.WorkerEvent) bool {
		return m.loop.feed(stream.Context(), func() { m.fromWorker(reg.WorkerId, c, e) })
	})
	m.post(func() { m.workerBroken(reg.WorkerId, c) })
	return err
}

// Coordinator serves the stream of a job's coordinator.
func (s *service) Coordinator(stream grpc.BidiStreamingServer[control.CoordinatorEvent, control.CoordinatorCommand]) error {
	e, err := first(s.jm, stream)
	if err != nil {
		return err
	}
	reg := e.GetRegister()
	if reg == nil {
		return status.Error(codes.InvalidArgument, "the first message must register the coordinator")
	}
	m, err := s.jobOf(reg.GetJobId())
	if err != nil {
		return err
	}
	problem := protocolProblem("the job's program", reg.GetProtocol())
	if m == nil && problem == "" {
		problem = fmt.Sprintf("job %s is not running here", reg.GetJobId())
	}
	c := newConn[control.CoordinatorCommand](s.jm.clock.Now())
	if problem == "" {
		problem, err = ask(s.jm.ctx, m.loop, func() string { return m.admitCoordinator(reg, c) })
		if err != nil {
			return status.Error(codes.Unavailable, err.Error())
		}
	}
	if problem != "" {
		s.jm.log.Warn("A source coordinator was refused", "job", reg.GetJobId(), "reason", problem)
		return stream.Send(&control.CoordinatorCommand{Command: &control.CoordinatorCommand_Registered{Registered: &control.WorkerRegistered{
			Refused: problem, Epoch: s.jm.o.Epoch}}})
	}
	err = serve(s.jm, stream, c, func(e *control.CoordinatorEvent) bool {
		return m.loop.feed(stream.Context(), func() { m.fromCoordinator(c, e) })
	})
	m.post(func() { m.coordinatorBroken(c) })
	return err
}

// chunkSize is what FetchProgram sends at once; see control.proto.
const chunkSize = 256 << 10

// FetchProgram sends the bytes of a program that has no URI.
func (s *service) FetchProgram(r *control.FetchProgramRequest, stream grpc.ServerStreamingServer[control.Chunk]) error {
	if s.jm.o.Programs == nil {
		return status.Error(codes.NotFound, "this cluster keeps no programs")
	}
	if len(r.GetSha256()) != 64 || strings.Trim(r.GetSha256(), "0123456789abcdef") != "" || r.GetOffset() < 0 {
		return status.Errorf(codes.InvalidArgument, "%q is no SHA-256", r.GetSha256())
	}
	f, err := s.jm.o.Programs.Open(stream.Context(), r.GetSha256())
	if err != nil {
		return status.Error(codes.NotFound, err.Error())
	}
	defer f.Close()
	if _, err := f.Seek(r.GetOffset(), io.SeekStart); err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	buf := make([]byte, chunkSize)
	for {
		n, err := io.ReadFull(f, buf)
		if n > 0 {
			if err := stream.Send(&control.Chunk{Data: buf[:n]}); err != nil {
				return err
			}
		}
		switch err {
		case nil:
		case io.EOF, io.ErrUnexpectedEOF:
			return nil
		default:
			return status.Error(codes.Internal, err.Error())
		}
	}
}

// graphProblem compares the program and graph of a process with the job's.
func graphProblem(g *graph.JobGraph, sha256, fingerprint, description string) string {
	switch {
	case sha256 != g.GetProgram().GetSha256():
		return fmt.Sprintf("it runs program %.12s…, the job is program %.12s…", sha256, g.GetProgram().GetSha256())
	case fingerprint != g.GetFingerprint():
		return "it built another graph than was submitted; what the graph depends on must be the same wherever it is built" +
			" (no clock, random numbers, map order or local files: compute such values with stream.Once)\n" +
			graph.DiffText(graph.Describe(g), description)
	}
	return ""
}
