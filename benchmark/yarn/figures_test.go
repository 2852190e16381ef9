//go:build bench

package yarn

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"goflink/benchmark/figures"
	"goflink/internal/hadooptest"
	"goflink/internal/testbed"
)

func TestMain(m *testing.M) { os.Exit(hadooptest.Main(m)) }

// runs is how often each thing is measured.
var runs = func() int {
	if n, err := strconv.Atoi(os.Getenv("RUNS")); err == nil && n > 0 {
		return n
	}
	return 5
}()

// What is asked of goflink.
const (
	wantRunning  = "at most 5 s"
	wantStaged   = "at most 60 MB"
	wantNothing  = "0"
	wantMemory   = "at most 64 MiB"
	wantSession  = "at most 0.7 s"
	wantRecovery = "at most 6 s"
)

func TestFigures(t *testing.T) {
	var cluster *hadooptest.Cluster
	if os.Getenv("GOFLINK_HADOOP_BASE_PORT") != "" {
		cluster = hadooptest.Start(t, hadooptest.Options{})
	} else {
		cluster = hadooptest.Start(t, hadooptest.Options{Nodes: 2, Settings: map[string]string{"yarn.nodemanager.delete.debug-delay-sec": "600"}})
	}
	into := &figures.Table{}
	measure(t, cluster, ours{}, into)
	if home := os.Getenv("GOFLINK_BENCH_FLINK"); home != "" {
		measure(t, cluster, &peer{home: home}, into)
	}
	fmt.Printf("\n%d runs each, medians; %d CPUs\n\n%s\n", runs, cpus(), into.Text())
}

func measure(t *testing.T, cluster *hadooptest.Cluster, who product, into *figures.Table) {
	t.Run(who.name(), func(t *testing.T) {
		b := &bench{Bed: testbed.New(t, testbed.Options{Hadoop: cluster}), who: who, into: into}
		who.prepare(b.Bed)
		b.submissions("per-job", "run", "-d", "-t", "yarn-per-job")
		b.submissions("application", "run-application", "-t", "yarn-application")
		b.onSession()
		b.recovery()
	})
}

// bench is the measurement of one product.
type bench struct {
	*testbed.Bed
	who  product
	into *figures.Table
	over []string // applications that were measured
}

func (b *bench) add(figure, value, want string) { b.into.Add(b.who.name(), figure, value, want) }

// newest waits for the application that a command has just submitted.
func (b *bench) newest() string {
	var id string
	b.Eventually("a new application", 2*time.Minute, func() bool {
		for _, a := range b.Applications() {
			if !slices.Contains(b.over, a.ID) {
				id = a.ID
			}
		}
		return id != ""
	})
	b.over = append(b.over, id)
	return id
}

// submissions measures the way to all tasks running, what was staged, and the
// memory of the containers.
func (b *bench) submissions(mode string, command ...string) {
	var all []time.Duration
	var steps []timeline
	var before stagedSizes
	staging := b.Dir + "/staging-" + mode
	for i := range runs {
		p := b.who.flink(b.Bed, append(command, "-Dyarn.staging-directory="+b.Cluster.URI(staging), b.who.program("TopSpeedWindowing"))...)
		id := b.newest()
		jm := b.Of(id)
		job := jm.OnlyJob(2 * time.Minute)
		jm.AwaitRunning(job, 2*time.Minute)
		all = append(all, time.Since(p.Began()))
		r := p.Wait(time.Minute).OK(b.T)
		after := b.sizes(staging, id)
		switch i {
		case 0:
			b.add(mode+": staged the first time", fmt.Sprintf("%.1f MB, %d files", megabytes(after.cache+after.app), after.files), wantStaged)
			b.memory(mode, id, jm, job)
		case 1:
			b.add(mode+": program bytes staged the second time", fmt.Sprint(after.cache-before.cache+b.who.programBytes(after.app)), wantNothing)
			b.add(mode+": all bytes staged the second time", fmt.Sprintf("%.3f MB", megabytes(after.cache-before.cache+after.app)), "")
		}
		before = after
		if _, own := b.who.(ours); own {
			steps = append(steps, b.timeline(id, p.Began(), r))
		}
		b.KillApplication(id)
		b.AwaitEnd(id, "KILLED", time.Minute)
	}
	b.add(mode+": submission to all tasks running", figures.Seconds(all), wantRunning)
	for _, s := range medians(steps) {
		b.add("    "+mode+": "+s.name, s.took.Round(time.Millisecond).String(), "")
	}
}

type stagedSizes struct {
	cache, app int64
	files      int
}

// sizes is what lies in a staging folder, and of it what belongs to one
// application.
func (b *bench) sizes(staging, id string) (s stagedSizes) {
	var walk func(dir string, add func(size int64))
	walk = func(dir string, add func(size int64)) {
		list, err := b.FS().List(b.T.Context(), dir)
		if err != nil {
			return // there is none
		}
		for _, f := range list {
			if f.IsDir {
				walk(path.Join(dir, f.Name), add)
			} else {
				add(f.Size)
			}
		}
	}
	root := path.Join(staging, ".flink")
	walk(path.Join(root, "cache"), func(size int64) {
		if s.cache += size; size > 0 { // notes of use are empty
			s.files++
		}
	})
	walk(path.Join(root, id), func(size int64) { s.app += size; s.files++ })
	return s
}

func megabytes(n int64) float64 { return float64(n) / 1e6 }

// settled is how long a job has run before its memory is measured.
const settled = 8 * time.Second

// memory sums up the proportional set sizes of all processes of a container.
func (b *bench) memory(mode, id string, jm *testbed.JobManager, job string) {
	b.Eventually("the job has run a while", time.Minute, func() bool {
		j, err := jm.Job(job)
		return err == nil && j.Times["RUNNING"] > 0 && time.Since(time.UnixMilli(j.Times["RUNNING"])) > settled
	})
	sums := map[string]int64{}
	parts := map[string][]string{}
	for _, p := range b.Processes(id) {
		n, err := p.PSS()
		if err != nil {
			continue // it has ended
		}
		kind := "TaskManager"
		if isMaster(p.Container) {
			kind = "ApplicationMaster"
		}
		sums[kind] += n
		parts[kind] = append(parts[kind], fmt.Sprintf("%s %.1f", p.Role, float64(n)/(1<<20)))
	}
	for _, kind := range []string{"ApplicationMaster", "TaskManager"} {
		slices.Sort(parts[kind])
		b.add(fmt.Sprintf("%s: PSS of the %s container", mode, kind), fmt.Sprintf("%.1f MiB (%s)", float64(sums[kind])/(1<<20), strings.Join(parts[kind], ", ")), wantMemory)
	}
}

// isMaster tells by its number that a container is an ApplicationMaster's.
func isMaster(container string) bool { return strings.HasSuffix(container, "_000001") }

// onSession measures a small job on a session that runs.
func (b *bench) onSession() {
	p := b.who.session(b.Bed, "", "-d")
	id := b.newest()
	began := p.Began()
	p.Wait(2 * time.Minute).OK(b.T)
	b.add("session: start of yarn-session.sh -d", time.Since(began).Round(10*time.Millisecond).String(), "")
	var first time.Duration
	var later []time.Duration
	for i := range runs + 1 {
		r := b.who.flink(b.Bed, "run", "-t", "yarn-session", "-Dyarn.application.id="+id, b.who.program("WordCount")).Wait(2 * time.Minute).OK(b.T)
		if i == 0 {
			first = r.Took
		} else {
			later = append(later, r.Took)
		}
	}
	b.add("session: flink run WordCount, the first (starts a TaskManager)", first.Round(10*time.Millisecond).String(), "")
	b.add("session: flink run WordCount, the following", figures.Seconds(later), wantSession)
	b.who.session(b.Bed, "stop\n", "-id", id).Wait(time.Minute).OK(b.T)
	b.AwaitEnd(id, "SUCCEEDED", time.Minute)
}

// recovery measures the time from the death of a TaskManager to all tasks
// running again.
func (b *bench) recovery() {
	p := b.who.flink(b.Bed, "run", "-d", "-t", "yarn-per-job", "-Dexecution.checkpointing.interval=1s", "-Dexecution.checkpointing.dir="+b.URI("checkpoints"),
		b.who.program("TopSpeedWindowing"))
	id := b.newest()
	p.Wait(2 * time.Minute).OK(b.T)
	jm := b.Of(id).Fixed()
	job := jm.OnlyJob(time.Minute)
	var took []time.Duration
	for range runs {
		jm.AwaitRunning(job, 2*time.Minute)
		jm.AwaitCheckpoints(job, 2, time.Minute)
		before := jm.Attempt(job)
		begin := time.Now()
		for _, p := range b.Processes(id) {
			if !isMaster(p.Container) && p.Role != testbed.RoleShell {
				p.Signal(syscall.SIGKILL)
				break
			}
		}
		b.Eventually("all tasks run again", 2*time.Minute, func() bool {
			if jm.Attempt(job) <= before {
				return false
			}
			j, err := jm.Job(job)
			return err == nil && j.AllRunning()
		})
		took = append(took, time.Since(begin))
	}
	b.add("SIGKILL of a TaskManager to all tasks running", figures.Seconds(took), wantRecovery)
	// So that it removes its folder.
	b.who.flink(b.Bed, "cancel", "-t", "yarn-per-job", "-Dyarn.application.id="+id, job).Wait(time.Minute).OK(b.T)
	b.AwaitEnd(id, "KILLED", time.Minute)
}
