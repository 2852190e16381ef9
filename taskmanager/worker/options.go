package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"goflink/conf"
	"goflink/control"
	"goflink/dataflow"
	"goflink/graph"
	"goflink/taskmanager/exchange"
)

// Options configure Run.
type Options struct {
	// Bootstrap says which worker this is and how to reach the JobManager.
	// Role, entry and once-values are the caller's business.
	Bootstrap *control.Bootstrap
	// Program is the job's graph, rebuilt in this process.
	Program dataflow.Program
	// Files opens the file systems of checkpoints and of the program; usually an
	// hdfsstore.Resolver. The caller closes it.
	Files dataflow.FileSystems
	// Log is the process's logger; nil: slog.Default.
	Log *slog.Logger
	// Out takes the lines of print sinks; nil: standard output.
	Out dataflow.Printer
	// FindLeader finds the JobManager's address anew after it was lost; nil:
	// the worker ends when it stays lost for heartbeat.timeout.
	FindLeader func(ctx context.Context) (string, error)
	// Fatal ends the process, when a cancelled task does not end within
	// task.cancellation.timeout; nil: log, then exit with ExitWatchdog.
	Fatal func(error)
	// Now is the clock of processing time; nil: time.Now.
	Now func() time.Time
	// MetricsInterval is how often metrics are reported; 0: 3 s, which a web
	// page that polls each 3 s does not outrun.
	MetricsInterval time.Duration

	uploadPause time.Duration           // 0: the constant; tests do not wait
	wrap        func(net.Conn) net.Conn // faults of tests
}

// ExitWatchdog is the exit code of a worker whose tasks could not be cancelled.
const ExitWatchdog = 4

// settings are what Run makes of its options.
type settings struct {
	Options
	start       *control.StartWorker
	program     graph.Program // the binary
	graph       *graph.JobGraph
	conf        *conf.Config
	vertices    map[string]*graph.Vertex
	operators   map[string]*graph.Vertex // by operator id
	exactlyOnce bool
	// staged: the job has blocking edges.
	staged bool
	// unalignedForced lets barriers overtake on edges with a custom partitioner.
	unalignedForced bool
	flushEvery      time.Duration // 0: after every step, negative: never by time
	debloat         exchange.Debloat
	heartbeat       time.Duration
	timeout         time.Duration // changed by Run's goroutine only
	beats           time.Duration // between the JobManager's heartbeats, 0: it sends none; Run's goroutine only
}

func newSettings(o Options) (*settings, error) {
	s := &settings{Options: o}
	if o.Bootstrap == nil || o.Bootstrap.Worker == nil || o.Program == nil {
		return nil, errors.New("worker: no bootstrap or no program")
	}
	s.start = o.Bootstrap.Worker
	if err := proto.Unmarshal(s.start.Program, &s.program); err != nil {
		return nil, fmt.Errorf("worker: the program's description is damaged: %w", err)
	}
	s.graph = o.Program.JobGraph()
	s.conf = conf.FromMap(s.start.Config)
	if s.Log == nil {
		s.Log = slog.Default()
	}
	if s.Out == nil {
		s.Out = &lines{to: os.Stdout}
	}
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.MetricsInterval <= 0 {
		s.MetricsInterval = 3 * time.Second
	}
	if s.uploadPause == 0 {
		s.uploadPause = uploadPause
	}
	s.exactlyOnce = conf.CheckpointingMode.Get(s.conf) == conf.ExactlyOnce
	s.unalignedForced = conf.CheckpointingUnalignedForced.Get(s.conf)
	s.flushEvery = conf.ExecutionBufferTimeout.Get(s.conf)
	if !conf.ExecutionBufferTimeoutEnabled.Get(s.conf) {
		s.flushEvery = -1
	}
	s.debloat = debloatOf(s.conf)
	if s.staged = s.blocking(); s.staged {
		s.flushEvery = -1 // nobody waits for what goes to disk, and full buffers are read faster
	}
	s.heartbeat = conf.HeartbeatInterval.Get(s.conf)
	s.timeout = conf.HeartbeatTimeout.Get(s.conf)
	s.vertices, s.operators = map[string]*graph.Vertex{}, map[string]*graph.Vertex{}
	for _, v := range s.graph.Vertices {
		s.vertices[v.Id] = v
		for _, op := range v.Operators {
			s.operators[op.Id] = v
		}
	}
	return s, nil
}

func debloatOf(c *conf.Config) exchange.Debloat {
	return exchange.Debloat{Enabled: conf.NetworkDebloatEnabled.Get(c), Period: conf.NetworkDebloatPeriod.Get(c), Target: conf.NetworkDebloatTarget.Get(c),
		Samples: conf.NetworkDebloatSamples.Get(c), Threshold: conf.NetworkDebloatThreshold.Get(c), MinBytes: int(conf.TaskManagerMinSegmentSize.Get(c))}
}

func compressionOf(c *conf.Config) exchange.Compression {
	switch conf.NetworkCompressionCodec.Get(c) {
	case conf.CodecLZ4, conf.CodecLZO:
		return exchange.LZ4
	case conf.CodecZSTD:
		return exchange.ZSTD
	}
	return exchange.Plain
}

// keyedOperators is how many operators share a slot's managed memory.
func (s *settings) keyedOperators() int {
	n := 0
	for _, v := range s.graph.Vertices {
		for _, op := range v.Operators {
			if op.KeySchema != "" {
				n++
			}
		}
	}
	return max(1, n)
}

// lines is a dataflow.Printer that writes each line with one call, so that
// lines of several tasks, and of several processes that append to one file,
// stay whole.
type lines struct {
	mu  sync.Mutex
	to  *os.File
	buf []byte
}

// Print implements dataflow.Printer.
func (l *lines) Print(line string) { l.print(l.to, line) }

// PrintErr implements dataflow.ErrPrinter.
func (l *lines) PrintErr(line string) { l.print(os.Stderr, line) }

func (l *lines) print(to *os.File, line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf = append(append(l.buf[:0], line...), '\n')
	_, _ = to.Write(l.buf) // a full disk must not end the job
}
