package stream

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"reflect"
	"runtime"
	"strings"
	"time"

	"goflink/codec"
	"goflink/conf"
	"goflink/graph"
	"goflink/metrics/accumulator"
)

// Settings are what an Env starts from.
type Settings struct {
	// Name of the job, unless the program sets another one.
	Name string
	// Conf is the configuration below what the program sets; nil is empty.
	Conf *conf.Config
	// Args are the program's arguments, without its name.
	Args []string
	// Once holds the values of Once that the plan computed; nil while planning.
	Once map[string][]byte
	// Planning is true in the one process that plans.
	Planning bool
	// Log; nil means slog.Default.
	Log *slog.Logger
	// Stdout is where Printf writes; nil means os.Stdout.
	Stdout io.Writer
}

// Env records the graph of one job. It is not safe for concurrent use.
type Env struct {
	s      Settings
	own    *conf.Config // what the program set
	graph  *graph.StreamGraph
	ops    []*op
	codecs map[reflect.Type]any // codec.Codec[T] by T
	// accumulators are what the factories declare, for conflicts of their kinds.
	accumulators *accumulator.Set
	cached       map[string]*cachedFile // by alias
	shipped      int                    // bytes of local files among them
	errs         []error
	// unbounded is true when a source never ends by itself.
	unbounded bool
	// round is put before the names and uids of operators of an iteration.
	round string
	// batchOnly names what the program uses that works in BATCH only.
	batchOnly string
}

// NewEnv returns an empty graph.
func NewEnv(s Settings) *Env {
	if s.Conf == nil {
		s.Conf = conf.New()
	}
	if s.Log == nil {
		s.Log = slog.Default()
	}
	if s.Stdout == nil {
		s.Stdout = os.Stdout
	}
	name := s.Name
	if n := conf.PipelineName.Get(s.Conf); n != "" {
		name = n
	}
	return &Env{s: s, own: conf.New(), codecs: map[reflect.Type]any{}, accumulators: accumulator.NewSet(), cached: map[string]*cachedFile{},
		graph: &graph.StreamGraph{Name: name, Once: map[string][]byte{}}}
}

// SetName names the job (pipeline.name).
func (e *Env) SetName(name string) { e.graph.Name = name }

// Configure sets a configuration key, over what was submitted with the job.
func (e *Env) Configure(key, value string) { e.own.Set(key, value) }

// SetParallelism is the parallelism of operators that set none
// (parallelism.default).
func (e *Env) SetParallelism(n int) {
	if n < 1 {
		e.failf("parallelism %d is below 1", n)
		return
	}
	conf.ParallelismDefault.Set(e.own, n)
}

// Parallelism is the parallelism of operators that set none.
func (e *Env) Parallelism() int { return conf.ParallelismDefault.Get(e.Conf()) }

// SetMaxParallelism is the number of key groups of operators that set none
// (pipeline.max-parallelism), the bound of later rescaling.
func (e *Env) SetMaxParallelism(n int) {
	if n < 1 || n > 1<<15 {
		e.failf("max parallelism %d is not between 1 and 32768", n)
		return
	}
	conf.PipelineMaxParallelism.Set(e.own, n)
}

// EnableCheckpointing takes a checkpoint each interval
// (execution.checkpointing.interval).
func (e *Env) EnableCheckpointing(interval time.Duration) {
	if interval <= 0 {
		e.failf("checkpointing interval %s is not positive", interval)
		return
	}
	conf.CheckpointingInterval.Set(e.own, interval)
}

// SetBufferTimeout bounds how long a record waits in an output buffer
// (execution.buffer-timeout.interval); BufferTimeout does so for one operator.
func (e *Env) SetBufferTimeout(d time.Duration) { conf.ExecutionBufferTimeout.Set(e.own, d) }

// SetLatencyTracking has sources send latency markers each interval
// (metrics.latency.interval); 0 switches them off.
func (e *Env) SetLatencyTracking(interval time.Duration) {
	conf.MetricsLatencyInterval.Set(e.own, interval)
}

// SetAutoWatermarkInterval is the period of watermark generators
// (pipeline.auto-watermark-interval).
func (e *Env) SetAutoWatermarkInterval(d time.Duration) {
	conf.PipelineAutoWatermarkInterval.Set(e.own, d)
}

// DisableChaining runs every operator in a task of its own
// (pipeline.operator-chaining.enabled).
func (e *Env) DisableChaining() { conf.PipelineOperatorChaining.Set(e.own, false) }

// Conf is the configuration in effect: what the program set over what was
// submitted. Changing the result changes nothing.
func (e *Env) Conf() *conf.Config { return conf.Merge(e.s.Conf, e.own) }

// Args are the program's arguments.
func (e *Env) Args() []string { return e.s.Args }

// Params are the program's arguments by name.
func (e *Env) Params() *Params {
	p, err := ParseParams(e.s.Args)
	if err != nil {
		e.fail(err)
	}
	return p
}

// Planning tells whether this is the process that plans the job: the one to
// talk to the user in.
func (e *Env) Planning() bool { return e.s.Planning }

// Printf tells the user something, once: in the process that plans the job.
// Workers, which build the graph again, print nothing.
func (e *Env) Printf(format string, args ...any) {
	if e.s.Planning {
		fmt.Fprintf(e.s.Stdout, format, args...)
	}
}

// Once runs f when the job is planned and gives the same value to every process
// that builds the graph again. Clocks, random numbers and files of the client's
// machine belong in it.
func Once[T any](e *Env, name string, f func() (T, error)) T {
	var v T
	c, ok := codecOf[T](e, "once "+name)
	if !ok {
		return v
	}
	if _, twice := e.graph.Once[name]; twice {
		e.failf("once: the name %q is used twice", name)
		return v
	}
	if data, have := e.s.Once[name]; have {
		e.graph.Once[name] = data
		n, err := c.Decode(data, &v)
		if err != nil || n != len(data) {
			e.failf("once %q: the planned value does not fit %T: the plan was made by another program (%w)", name, v, err)
		}
		return v
	}
	if e.s.Once != nil {
		e.failf("once %q: the plan has no such value: the program took another path than when it was planned", name)
		return v
	}
	v, err := f()
	if err != nil {
		e.failf("once %q: %w", name, err)
	}
	e.graph.Once[name] = c.Append(nil, &v)
	return v
}

// fail records an error with the caller's position (errors-kept).
func (e *Env) fail(err error) { e.errs = append(e.errs, fmt.Errorf("%s: %w", caller(), err)) }

func (e *Env) failf(format string, args ...any) { e.fail(fmt.Errorf(format, args...)) }

// Err is all errors of graph building so far, or nil.
func (e *Env) Err() error { return errors.Join(e.errs...) }

// caller is the file:line of the first frame outside this package.
func caller() string {
	const prefix = "goflink/stream."
	var pcs [32]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		f, more := frames.Next()
		own := strings.HasPrefix(f.Function, prefix) && !strings.HasSuffix(f.File, "_test.go")
		if !own && !strings.HasPrefix(f.Function, "runtime.") { // runtime: a panic on its way
			return fmt.Sprintf("%s:%d", shortFile(f.File), f.Line)
		}
		if !more {
			return "?"
		}
	}
}

// shortFile keeps folder and file: enough to find it, and the same wherever the
// program was compiled (one-build).
func shortFile(path string) string {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return path
	}
	if j := strings.LastIndexByte(path[:i], '/'); j >= 0 {
		return path[j+1:]
	}
	return path
}

// codecOf compiles the codec of T once for each Env. What cannot be encoded is an
// error of the graph.
func codecOf[T any](e *Env, what string) (codec.Codec[T], bool) {
	t := reflect.TypeFor[T]()
	if c, ok := e.codecs[t]; ok {
		got, ok := c.(codec.Codec[T])
		return got, ok
	}
	c, err := codec.For[T]()
	if err != nil {
		e.failf("%s: %w", what, err)
		e.codecs[t] = nil
		return nil, false
	}
	e.codecs[t] = c
	return c, true
}
