package rest

import (
	"cmp"
	"math"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"goflink/conf"
)

func (s *Server) getConfig(*http.Request) (ConfigAnswer, error) {
	zone, offset := s.now().Zone()
	c := s.o.Config
	return ConfigAnswer{
		RefreshInterval: conf.WebRefreshInterval.Get(c).Milliseconds(), TimezoneName: zone, TimezoneOffset: offset * 1000,
		Version: conf.Version, Revision: conf.Commit,
		Features: ConfigFeatures{Submit: false, Cancel: conf.WebCancelEnable.Get(c)},
	}, nil
}

func (s *Server) getOverview(r *http.Request) (OverviewAnswer, error) {
	slots, err := s.o.Cluster.Slots(r.Context())
	if err != nil {
		return OverviewAnswer{}, err
	}
	jobs, err := s.o.Cluster.JobSummaries(r.Context())
	if err != nil {
		return OverviewAnswer{}, err
	}
	a := OverviewAnswer{TaskManagers: slots.TaskManagers, SlotsTotal: slots.Slots, SlotsAvailable: slots.FreeSlots, Version: conf.Version, Commit: conf.Commit}
	a.JobsRunning, a.JobsFinished, a.JobsCancelled, a.JobsFailed = jobTotals(jobs)
	return a, nil
}

func (s *Server) deleteCluster(r *http.Request) (Empty, error) {
	s.o.Log.Info("the cluster is shut down by a REST request", "from", r.RemoteAddr)
	return Empty{}, s.o.Cluster.Shutdown(r.Context())
}

func (s *Server) getJobManagerConfig(*http.Request) ([]KeyValue, error) {
	a := []KeyValue{}
	for k, v := range s.o.Config.Redacted() {
		if !strings.HasPrefix(k, "$internal.") {
			a = append(a, KeyValue{k, v})
		}
	}
	slices.SortFunc(a, func(x, y KeyValue) int { return cmp.Compare(x.Key, y.Key) })
	return a, nil
}

func (s *Server) getEnvironment(*http.Request) (EnvironmentAnswer, error) {
	options := []string{"GOMAXPROCS=" + strconv.Itoa(runtime.GOMAXPROCS(0))}
	if limit := debug.SetMemoryLimit(-1); limit < math.MaxInt64 { // else there is none
		options = append(options, "GOMEMLIMIT="+strconv.FormatInt(limit>>20, 10)+"MiB")
	}
	for _, name := range []string{"GOGC", "GODEBUG"} {
		if v := os.Getenv(name); v != "" {
			options = append(options, name+"="+v)
		}
	}
	return EnvironmentAnswer{JVM: Environment{Version: runtime.Version(), Arch: runtime.GOARCH, Options: options}, Classpath: []string{}}, nil
}

// threads splits a dump of goroutines into single ones, named by their first line.
func threads(dump string) ThreadDumpAnswer {
	a := ThreadDumpAnswer{Threads: []ThreadInfo{}}
	for block := range strings.SplitSeq(dump, "\n\n") {
		block = strings.TrimSpace(block)
		if block == "" {
			continue
		}
		first, _, _ := strings.Cut(block, "\n")
		name, _, _ := strings.Cut(strings.TrimSuffix(first, ":"), " [")
		a.Threads = append(a.Threads, ThreadInfo{Name: name, Text: block})
	}
	return a
}

// maxDump bounds a dump of goroutines.
const maxDump = 16 << 20

// Goroutines returns the goroutines of this process as text, cut at 16 MiB.
func Goroutines() string {
	for size := 1 << 20; ; size *= 2 {
		buf := make([]byte, min(size, maxDump))
		if n := runtime.Stack(buf, true); n < len(buf) || len(buf) == maxDump {
			return string(buf[:n])
		}
	}
}

func (s *Server) getThreadDump(*http.Request) (ThreadDumpAnswer, error) {
	return threads(Goroutines()), nil
}
