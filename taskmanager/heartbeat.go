package taskmanager

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"goflink/conf"
	"goflink/control"
	"goflink/metrics"
)

// beat sends heartbeats with the figures of this process that have changed,
// whatever else goes on.
func (s *supervisor) beat(ctx context.Context) {
	registry := metrics.NewRegistry(metrics.Options{Host: s.o.Host, TaskManagerID: s.o.ResourceID, Scopes: metrics.ScopesFrom(s.o.Conf)})
	process := registry.Process()
	metrics.RegisterProcess(process)
	sent := map[string]string{}
	var to *link
	beats := time.NewTicker(max(conf.HeartbeatInterval.Get(s.o.Conf), 10*time.Millisecond))
	defer beats.Stop()
	meters := time.NewTicker(metrics.TickInterval)
	defer meters.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-meters.C:
			registry.Tick(now)
		case now := <-beats.C:
			l, rss := s.beatTarget()
			if l == nil {
				continue
			}
			if l != to { // another stream knows nothing yet
				to = l
				clear(sent)
			}
			l.Send(&control.TaskManagerEvent{Event: &control.TaskManagerEvent_Heartbeat{Heartbeat: &control.Heartbeat{
				SentMs: now.UnixMilli(), RssBytes: rss, Metrics: changed(sent, process.Snapshot())}}})
		}
	}
}

// beatTarget is the stream of the moment, and the resident memory of this
// process and its workers.
func (s *supervisor) beatTarget() (*link, int64) {
	s.mu.Lock()
	l := s.mu.link
	pids := []int{os.Getpid()}
	for _, w := range s.mu.running {
		if w.pid != 0 {
			pids = append(pids, w.pid)
		}
	}
	s.mu.Unlock()
	rss := int64(0)
	for _, pid := range pids {
		rss += residentBytes(pid)
	}
	return l, rss
}

// changed returns what differs from what was sent, and notes it as sent.
func changed(sent, now map[string]string) map[string]string {
	diff := map[string]string{}
	for k, v := range now {
		if sent[k] != v {
			sent[k], diff[k] = v, v
		}
	}
	return diff
}

// residentBytes is the resident memory of a process; 0 when it cannot be told.
func residentBytes(pid int) int64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(data))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
