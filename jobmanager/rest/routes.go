package rest

import (
	"net/http"
)

// routes registers all requests. Those that change something and are no GET have a PUT twin, since YARN's proxy passes
// GET and PUT only.
func (s *Server) routes() {
	s.clusterRoutes()
	s.jobRoutes()
	s.vertexRoutes()
	s.checkpointRoutes()
	s.taskManagerRoutes()
	s.programRoutes()
	s.mux.HandleFunc("/", s.page)
}

// change registers a changing request under its own method, and its twin PUT for the proxy.
func (s *Server) change(method, path string, h handler) {
	s.route(method+" "+path, h)
	s.route("PUT "+path, s.proxied(h))
}

// proxied guards a twin: it is there for YARN's proxy, and a page of another site must not reach it past the proxy.
func (s *Server) proxied(h handler) handler {
	return func(r *http.Request) (int, any, error) {
		if s.o.FromProxy != nil && !s.o.FromProxy(r) {
			return 0, nil, &Error{http.StatusForbidden, "This form of the request is accepted from YARN's proxy only; use the method that the REST API documents."}
		}
		return h(r)
	}
}

func (s *Server) clusterRoutes() {
	s.route("GET /config", get(s.getConfig))
	s.route("GET /overview", get(s.getOverview))
	s.change(http.MethodDelete, "/cluster", get(s.deleteCluster))
	s.route("GET /datasets", get(func(*http.Request) (DataSetsAnswer, error) { return DataSetsAnswer{DataSets: []Empty{}}, nil }))
	for _, prefix := range []string{"", "/jobs/{jobid}"} {
		s.route("GET "+prefix+"/jobmanager/config", get(s.getJobManagerConfig))
		s.route("GET "+prefix+"/jobmanager/environment", get(s.getEnvironment))
	}
	s.route("GET /jobmanager/metrics", get(s.getJobManagerMetrics))
	s.route("GET /jobmanager/thread-dump", get(s.getThreadDump))
	s.route("GET /jobmanager/logs", get(s.getLogs))
	s.mux.HandleFunc("GET /jobmanager/logs/{name}", func(w http.ResponseWriter, r *http.Request) { s.serveLog(w, r, r.PathValue("name")) })
	s.mux.HandleFunc("GET /jobmanager/log", func(w http.ResponseWriter, r *http.Request) { s.serveLog(w, r, s.o.LogFile) })
	s.mux.HandleFunc("GET /jobmanager/stdout", func(w http.ResponseWriter, r *http.Request) { s.serveLog(w, r, s.o.StdoutFile) })
}

func (s *Server) jobRoutes() {
	s.route("GET /jobs", get(s.getJobs))
	s.mux.HandleFunc("POST /jobs", s.postJob)
	s.mux.HandleFunc("PUT /jobs", s.putJob)
	s.route("GET /jobs/overview", get(s.getJobsOverview))
	s.route("GET /jobs/metrics", get(s.getJobsMetrics))
	s.route("GET /jobs/{jobid}", get(s.getJob))
	s.change(http.MethodPatch, "/jobs/{jobid}", accepted(s.cancelJob))
	s.route("GET /jobs/{jobid}/yarn-cancel", s.proxied(accepted(s.cancelJob)))
	s.route("GET /jobs/{jobid}/yarn-stop", s.proxied(accepted(s.cancelJob)))
	s.route("GET /jobs/{jobid}/status", get(s.getJobStatus))
	s.route("GET /jobs/{jobid}/plan", get(s.getJobPlan))
	s.route("GET /jobs/{jobid}/config", get(s.getJobConfig))
	s.route("GET /jobs/{jobid}/exceptions", get(s.getExceptions))
	s.route("GET /jobs/{jobid}/accumulators", get(s.getAccumulators))
	s.route("GET /jobs/{jobid}/execution-result", get(s.getResult))
	s.route("GET /jobs/{jobid}/metrics", get(s.getJobMetrics))
	s.route("GET /jobs/{jobid}/resource-requirements", get(s.getRequirements))
	s.route("PUT /jobs/{jobid}/resource-requirements", get(s.putRequirements)) // a PUT in Flink, too: there is no twin
	s.change(http.MethodPatch, "/jobs/{jobid}/clientHeartbeat", accepted(s.patchHeartbeat))
	s.change(http.MethodPost, "/jobs/{jobid}/savepoints", accepted(s.postSavepoint))
	s.route("GET /jobs/{jobid}/savepoints/{triggerid}", get(s.getSavepoint))
	s.change(http.MethodPost, "/jobs/{jobid}/stop", accepted(s.postStop))
	s.change(http.MethodPost, "/savepoint-disposal", get(s.postDisposal))
	s.route("GET /savepoint-disposal/{triggerid}", get(s.getDisposal))
}

func (s *Server) vertexRoutes() {
	const v = "GET /jobs/{jobid}/vertices/{vertexid}"
	s.route(v, get(s.getVertex))
	s.route(v+"/accumulators", get(s.getVertexAccumulators))
	s.route(v+"/backpressure", get(s.getBackPressure))
	s.route(v+"/flamegraph", get(func(*http.Request) (FlameGraphAnswer, error) { return FlameGraphAnswer{End: -2}, nil }))
	s.route(v+"/jm-operator-metrics", get(s.getCoordinatorMetrics))
	s.route(v+"/metrics", get(s.getVertexMetrics))
	s.route(v+"/subtasks/accumulators", get(s.getSubtaskAccumulators))
	s.route(v+"/subtasks/metrics", get(s.getSubtasksMetrics))
	s.route(v+"/subtasks/{index}", get(s.getSubtask))
	s.route(v+"/subtasks/{index}/metrics", get(s.getSubtaskMetrics))
	s.route(v+"/subtasks/{index}/attempts/{attempt}", get(s.getAttempt))
	s.route(v+"/subtasktimes", get(s.getSubtaskTimes))
	s.route(v+"/taskmanagers", get(s.getVertexTaskManagers))
	s.route(v+"/watermarks", get(s.getWatermarks))
}

func (s *Server) checkpointRoutes() {
	const c = "/jobs/{jobid}/checkpoints"
	s.route("GET "+c, get(s.getCheckpoints))
	s.change(http.MethodPost, c, accepted(s.postCheckpoint))
	s.route("GET "+c+"/config", get(s.getCheckpointConfig))
	s.route("GET "+c+"/{triggerid}", get(s.getCheckpointTrigger))
	s.route("GET "+c+"/details/{checkpointid}", get(s.getCheckpoint))
	s.route("GET "+c+"/details/{checkpointid}/subtasks/{vertexid}", get(s.getCheckpointSubtasks))
}

func (s *Server) taskManagerRoutes() {
	const t = "GET /taskmanagers/{id}"
	s.route("GET /taskmanagers", get(s.getTaskManagers))
	s.route("GET /taskmanagers/metrics", get(s.getTaskManagersMetrics))
	s.route(t, get(s.getTaskManager))
	s.route(t+"/metrics", get(s.getTaskManagerMetrics))
	s.route(t+"/thread-dump", get(s.getTaskManagerThreads))
	s.route(t+"/logs", get(s.getTaskManagerLogs))
	s.mux.HandleFunc(t+"/logs/{name}", func(w http.ResponseWriter, r *http.Request) { s.serveTaskManagerLog(w, r, r.PathValue("name")) })
	s.mux.HandleFunc(t+"/log", func(w http.ResponseWriter, r *http.Request) { s.serveTaskManagerLog(w, r, TaskManagerLogName) })
	s.mux.HandleFunc(t+"/stdout", func(w http.ResponseWriter, r *http.Request) { s.serveTaskManagerLog(w, r, TaskManagerStdoutName) })
}

func (s *Server) programRoutes() {
	s.mux.HandleFunc("GET /programs/{sha256}", s.getProgram) // and HEAD
	s.mux.HandleFunc("PUT /programs/{sha256}", s.putProgram)
}
