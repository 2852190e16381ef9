//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"

	"goflink/internal/testbed"
)

// TestUnstableBuild: a build that is not reproducible is refused when it is
// planned, on the client and in the ApplicationMaster; through stream.Once it
// runs.
func TestUnstableBuild(t *testing.T) {
	t.Parallel()
	b := onYarn(t)
	local := testbed.New(t, testbed.Options{})
	diff := []string{"builds another graph each time", "stream.Once", "uid numbers-"}
	r := b.Flink("run", "-t", "yarn-per-job", jobs["unstable"])
	refused(t, r, diff...)
	if apps := b.Applications(); len(apps) != 0 {
		t.Errorf("submitted all the same: %v", apps)
	}
	refused(t, local.Flink("run", "-t", "local", jobs["unstable"]), diff...)
	r = local.Run(testbed.Command{}, jobs["unstable"])
	if r.Code == 0 || !strings.Contains(r.Stderr, "numbers-") {
		t.Errorf("run bare\n%s", r)
	}
	id := b.Flink("run-application", "-t", "yarn-application", jobs["unstable"]).Match(t, testbed.ApplicationID)
	a := b.AwaitEnd(id, "FAILED", time.Minute)
	for _, part := range diff {
		if !strings.Contains(a.Diagnostics, part) {
			t.Errorf("the diagnostics of %s do not say %q: %s", id, part, a.Diagnostics)
		}
	}
	b.Flink("run", "-t", "yarn-per-job", jobs["unstable"], "--once").OK(t)
	b.AwaitEnd(b.Flink("run-application", "-t", "yarn-application", jobs["unstable"], "--once").OK(t).Match(t, testbed.ApplicationID), "SUCCEEDED", time.Minute)
	local.Flink("run", "-t", "local", jobs["unstable"], "--once").OK(t)
	local.Run(testbed.Command{}, jobs["unstable"], "--once").OK(t)
}
