package cli

import (
	"context"
	"slices"
	"time"

	"goflink/client/yarn"
)

const (
	// knownPatience is how long a detached submission waits for the cluster to
	// know its job; the next command of a script speaks about that job.
	knownPatience = 30 * time.Second
	// knownPoll is the pause between two looks.
	knownPoll = 50 * time.Millisecond
)

// awaitJob waits until a cluster that was started for a job knows it, or has
// ended already: its REST API is there a moment before the job is. What cannot
// be asked is left to the commands that follow.
func (c *command) awaitJob(ctx context.Context, d *yarn.Descriptor, found *yarn.Cluster, id string) {
	ctx, cancel := context.WithTimeout(ctx, knownPatience)
	defer cancel()
	cl, err := newCluster(found.URL, found.Secret, c.set.conf)
	tick := time.NewTicker(knownPoll)
	defer tick.Stop()
	for err == nil {
		jobs, jerr := cl.Jobs(ctx)
		if jerr == nil && slices.ContainsFunc(jobs, func(j jobLine) bool { return j.ID == id }) {
			return
		}
		if jerr != nil {
			if report, rerr := d.Report(ctx, found.ID); rerr != nil || report.State.Ended() {
				err = rerr
				break
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	c.env.log.Info("the cluster could not be asked for its job", "application", found.ID, "job", id, "error", err)
}
