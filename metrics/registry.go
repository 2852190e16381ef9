package metrics

import (
	"strings"
	"sync"
	"time"

	"goflink/conf"
)

// Scopes are the formats of the identifiers that reporters show, with <host>, <tm_id>, <job_name>, <task_name>,
// <operator_name>, <subtask_index> and further variables in them.
type Scopes struct {
	JobManager, JobManagerJob, JobManagerOperator string
	TaskManager, TaskManagerJob, Task, Operator   string
}

// ScopesFrom reads the formats (metrics.scope.…) from the configuration.
func ScopesFrom(c *conf.Config) Scopes {
	return Scopes{
		JobManager: conf.MetricsScopeJM.Get(c), JobManagerJob: conf.MetricsScopeJMJob.Get(c), JobManagerOperator: conf.MetricsScopeJMOperator.Get(c),
		TaskManager: conf.MetricsScopeTM.Get(c), TaskManagerJob: conf.MetricsScopeTMJob.Get(c),
		Task: conf.MetricsScopeTask.Get(c), Operator: conf.MetricsScopeOperator.Get(c),
	}
}

// Options are what a registry is made with.
type Options struct {
	// Host is the value of <host>.
	Host string
	// TaskManagerID is the value of <tm_id>; empty in a JobManager.
	TaskManagerID string
	// Scopes are the formats of identifiers; the zero value takes Flink's defaults.
	Scopes Scopes
	// Now is the clock of meters; time.Now when it is nil.
	Now func() time.Time
}

// Registry holds the metrics of a process.
type Registry struct {
	opts Options
	now  func() time.Time

	mu struct {
		sync.Mutex
		roots   map[string]*Group // by what names the component: "jm", "job <id>", "task <id> <vertex> <subtask>"
		dropped int64
	}
}

// NewRegistry makes the registry of a process.
func NewRegistry(o Options) *Registry {
	if o.Scopes == (Scopes{}) {
		o.Scopes = ScopesFrom(conf.New())
	}
	r := &Registry{opts: o, now: o.Now}
	if r.now == nil {
		r.now = time.Now
	}
	r.mu.roots = map[string]*Group{}
	return r
}

// format fills a scope's variables in. Unknown ones stay as they are, so that a misspelling is seen.
func format(scope string, variables map[string]string) string {
	pairs := make([]string, 0, 2*len(variables))
	for k, v := range variables {
		pairs = append(pairs, k, v)
	}
	return strings.NewReplacer(pairs...).Replace(scope)
}

func (r *Registry) variables(more ...string) map[string]string {
	v := map[string]string{"<host>": r.opts.Host}
	if r.opts.TaskManagerID != "" {
		v["<tm_id>"] = r.opts.TaskManagerID
	}
	for i := 0; i+1 < len(more); i += 2 {
		v[more[i]] = more[i+1]
	}
	return v
}

// root returns or makes the group of a component.
func (r *Registry) root(key, scope string, variables map[string]string) *Group {
	r.mu.Lock()
	defer r.mu.Unlock()
	g, ok := r.mu.roots[key]
	if !ok {
		g = newGroup(r, format(scope, variables), "", variables, &owned{})
		r.mu.roots[key] = g
	}
	return g
}

// Process returns the group of the process itself: of the TaskManager where there is an id for it, else of the JobManager.
func (r *Registry) Process() *Group {
	if r.opts.TaskManagerID != "" {
		return r.root("tm", r.opts.Scopes.TaskManager, r.variables())
	}
	return r.root("jm", r.opts.Scopes.JobManager, r.variables())
}

// Job returns the group of a job in this process.
func (r *Registry) Job(id, name string) *Group {
	scope := r.opts.Scopes.JobManagerJob
	if r.opts.TaskManagerID != "" {
		scope = r.opts.Scopes.TaskManagerJob
	}
	return r.root("job "+id, scope, r.variables("<job_id>", id, "<job_name>", cleanName(name)))
}

// RemoveJob forgets a job and all of its tasks in this process.
func (r *Registry) RemoveJob(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.mu.roots, "job "+id)
	for key := range r.mu.roots {
		if strings.HasPrefix(key, "task "+id+" ") {
			delete(r.mu.roots, key)
		}
	}
}

// Tick advances the meters; to be called every TickInterval from one goroutine.
func (r *Registry) Tick(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, root := range r.mu.roots {
		root.each(func(g *Group) { g.tick(now) })
	}
}

// Snapshot returns the figures of all components by their full identifiers, scope and name: what reporters send.
func (r *Registry) Snapshot() map[string]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[string]string{}
	for _, root := range r.mu.roots {
		// A child of another scope (an operator of a task) brings its own; its prefix then belongs to REST only.
		root.each(func(g *Group) {
			prefix := g.scope + "." + strings.TrimPrefix(g.prefix, g.restOnly(root))
			for name, m := range g.metrics {
				if h, ok := m.(*Histogram); ok {
					h.Statistics().each(func(suffix, text string) { out[prefix+name+suffix] = text })
					continue
				}
				out[prefix+name] = m.text()
			}
		})
	}
	return out
}

// restOnly returns the part of the prefix that stands for the operator, which the scope already names.
func (g *Group) restOnly(root *Group) string {
	if g.scope == root.scope {
		return ""
	}
	if op, ok := g.variables["<operator_name>"]; ok {
		return OperatorName(op) + "."
	}
	return ""
}

// Dropped returns how many registrations were refused because of their number or a name taken already.
func (r *Registry) Dropped() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mu.dropped
}
