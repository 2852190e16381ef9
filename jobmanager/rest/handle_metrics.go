package rest

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"goflink/metrics"
)

// asked returns the metrics that "get" names; nil when it is absent and names are listed.
func asked(r *http.Request) []string {
	text := r.URL.Query().Get("get")
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

// metricAnswers lists the names of all, or the values of those asked for; unknown ones are left out, as in Flink.
func metricAnswers(r *http.Request, all map[string]string) []MetricAnswer {
	a := []MetricAnswer{}
	names := asked(r)
	if names == nil {
		for _, id := range slices.Sorted(maps.Keys(all)) {
			a = append(a, MetricAnswer{ID: id})
		}
		return a
	}
	for _, id := range names {
		if v, ok := all[id]; ok {
			a = append(a, MetricAnswer{ID: id, Value: &v})
		}
	}
	return a
}

func (s *Server) getJobManagerMetrics(r *http.Request) ([]MetricAnswer, error) {
	all, err := s.o.Cluster.JobManagerMetrics(r.Context())
	return metricAnswers(r, all), err
}

func (s *Server) getJobMetrics(r *http.Request) ([]MetricAnswer, error) {
	id, err := pathID(r, "jobid")
	if err != nil {
		return nil, err
	}
	all, err := s.o.Cluster.JobMetrics(r.Context(), id)
	return metricAnswers(r, all), err
}

func (s *Server) getTaskManagerMetrics(r *http.Request) ([]MetricAnswer, error) {
	all, err := s.o.Cluster.TaskManagerMetrics(r.Context(), r.PathValue("id"))
	return metricAnswers(r, all), err
}

// taskMetrics reads the metrics of the vertex in the path.
func (s *Server) taskMetrics(r *http.Request) (map[int]map[string]string, error) {
	id, err := pathID(r, "jobid")
	if err != nil {
		return nil, err
	}
	vertex, err := pathID(r, "vertexid")
	if err != nil {
		return nil, err
	}
	return s.o.Cluster.TaskMetrics(r.Context(), id, vertex)
}

func (s *Server) getVertexMetrics(r *http.Request) ([]MetricAnswer, error) {
	tasks, err := s.taskMetrics(r)
	all := map[string]string{}
	for i, m := range tasks {
		for name, v := range m {
			all[strconv.Itoa(i)+"."+name] = v
		}
	}
	return metricAnswers(r, all), err
}

func (s *Server) getSubtaskMetrics(r *http.Request) ([]MetricAnswer, error) {
	tasks, err := s.taskMetrics(r)
	if err != nil {
		return nil, err
	}
	index, err := pathInt(r, "index")
	if err != nil {
		return nil, err
	}
	return metricAnswers(r, tasks[int(index)]), nil
}

// getCoordinatorMetrics lists the metrics of a source's coordinator, which are reported with the job under the vertex id.
func (s *Server) getCoordinatorMetrics(r *http.Request) ([]MetricAnswer, error) {
	v, err := s.vertex(r)
	if err != nil {
		return nil, err
	}
	all, err := s.o.Cluster.JobMetrics(r.Context(), r.PathValue("jobid"))
	own := map[string]string{}
	for name, value := range all {
		if rest, ok := strings.CutPrefix(name, v.ID+"."); ok {
			own[rest] = value
		}
	}
	return metricAnswers(r, own), err
}

// getWatermarks lists the watermarks of the subtasks that have had one.
func (s *Server) getWatermarks(r *http.Request) ([]MetricAnswer, error) {
	tasks, err := s.taskMetrics(r)
	a := []MetricAnswer{}
	const name = "currentInputWatermark"
	none := strconv.FormatInt(metrics.NoWatermark, 10)
	for _, i := range slices.Sorted(maps.Keys(tasks)) {
		if v, ok := tasks[i][name]; ok && v != none {
			a = append(a, MetricAnswer{ID: strconv.Itoa(i) + "." + name, Value: &v})
		}
	}
	return a, err
}

func (s *Server) getSubtasksMetrics(r *http.Request) ([]AggregatedMetric, error) {
	tasks, err := s.taskMetrics(r)
	if err != nil {
		return nil, err
	}
	chosen, err := ranges(r.URL.Query().Get("subtasks"))
	if err != nil {
		return nil, err
	}
	var parts []map[string]string
	for i, m := range tasks {
		if chosen == nil || chosen(i) {
			parts = append(parts, m)
		}
	}
	return aggregateMetrics(r, parts)
}

// ranges reads "0-3,7" into a predicate; nil for an empty text, which chooses all.
func ranges(text string) (func(int) bool, error) {
	if text == "" {
		return nil, nil
	}
	var bounds [][2]int
	for part := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		lo, errLo := strconv.Atoi(from)
		hi, errHi := strconv.Atoi(to)
		if errLo != nil || errHi != nil || lo > hi {
			return nil, BadRequest("Invalid range %q of subtasks; expected for example 0-3,7.", part)
		}
		bounds = append(bounds, [2]int{lo, hi})
	}
	return func(i int) bool {
		return slices.ContainsFunc(bounds, func(b [2]int) bool { return i >= b[0] && i <= b[1] })
	}, nil
}

func (s *Server) getJobsMetrics(r *http.Request) ([]AggregatedMetric, error) {
	jobs, err := s.o.Cluster.JobSummaries(r.Context())
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, j := range jobs {
		ids = append(ids, j.ID)
	}
	return s.aggregateOver(r, "jobs", ids, func(id string) (map[string]string, error) { return s.o.Cluster.JobMetrics(r.Context(), id) })
}

func (s *Server) getTaskManagersMetrics(r *http.Request) ([]AggregatedMetric, error) {
	tms, err := s.o.Cluster.TaskManagers(r.Context())
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, t := range tms {
		ids = append(ids, t.ID)
	}
	return s.aggregateOver(r, "taskmanagers", ids, func(id string) (map[string]string, error) { return s.o.Cluster.TaskManagerMetrics(r.Context(), id) })
}

// aggregateOver aggregates over components, those that the query parameter names or all.
func (s *Server) aggregateOver(r *http.Request, param string, ids []string, read func(string) (map[string]string, error)) ([]AggregatedMetric, error) {
	if text := r.URL.Query().Get(param); text != "" {
		chosen := strings.Split(text, ",")
		ids = slices.DeleteFunc(ids, func(id string) bool { return !slices.Contains(chosen, id) })
	}
	var parts []map[string]string
	for _, id := range ids {
		m, err := read(id)
		if statusOf(err) == http.StatusNotFound && err != nil {
			continue // it went away since it was listed
		}
		if err != nil {
			return nil, err
		}
		parts = append(parts, m)
	}
	return aggregateMetrics(r, parts)
}

// aggregations are what "agg" may ask for.
var aggregations = []string{"min", "max", "avg", "sum", "skew"}

// aggregateMetrics lists the names of all metrics, or aggregates those that "get" names with those that "agg" names (all by
// default). What is no number is left out.
func aggregateMetrics(r *http.Request, parts []map[string]string) ([]AggregatedMetric, error) {
	agg := aggregations
	if text := r.URL.Query().Get("agg"); text != "" {
		agg = strings.Split(text, ",")
		for _, a := range agg {
			if !slices.Contains(aggregations, a) {
				return nil, BadRequest("Invalid aggregation %q; expected some of %s.", a, strings.Join(aggregations, ","))
			}
		}
	}
	out := []AggregatedMetric{}
	names := asked(r)
	if names == nil {
		seen := map[string]bool{}
		for _, m := range parts {
			for name := range m {
				seen[name] = true
			}
		}
		for name := range seen {
			out = append(out, AggregatedMetric{ID: name})
		}
		slices.SortFunc(out, func(a, b AggregatedMetric) int { return cmp.Compare(a.ID, b.ID) })
		return out, nil
	}
	for _, name := range names {
		var values []float64
		for _, m := range parts {
			if v, err := strconv.ParseFloat(m[name], 64); err == nil {
				values = append(values, v)
			}
		}
		if len(values) > 0 {
			out = append(out, aggregated(name, values, agg))
		}
	}
	return out, nil
}

func aggregated(name string, values []float64, agg []string) AggregatedMetric {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	avg := sum / float64(len(values))
	deviation := 0.0
	for _, v := range values {
		deviation += max(v-avg, avg-v)
	}
	// Flink's skew: the mean deviation in percent of the mean, at most 100.
	skew := 0.0
	if avg != 0 {
		skew = min(100, 100*deviation/float64(len(values))/max(avg, -avg))
	}
	figure := map[string]float64{"min": slices.Min(values), "max": slices.Max(values), "avg": avg, "sum": sum, "skew": skew}
	pick := func(a string) *Number {
		if !slices.Contains(agg, a) {
			return nil
		}
		n := Number(figure[a])
		return &n
	}
	return AggregatedMetric{ID: name, Min: pick("min"), Max: pick("max"), Avg: pick("avg"), Sum: pick("sum"), Skew: pick("skew")}
}
