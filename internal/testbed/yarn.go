package testbed

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"goflink/yarnrpc"
)

// App is an application as the ResourceManager's web service tells of it.
type App struct {
	ID          string `json:"id"`
	State       string `json:"state"`
	FinalStatus string `json:"finalStatus"`
	Diagnostics string `json:"diagnostics"`
	TrackingURL string `json:"trackingUrl"`
	Name        string `json:"name"`
	Type        string `json:"applicationType"`
	Containers  int    `json:"runningContainers"`
	Started     int64  `json:"startedTime"`
}

// Ended tells whether the application is over.
func (a App) Ended() bool { return slices.Contains([]string{"FINISHED", "FAILED", "KILLED"}, a.State) }

// httpLimit bounds a question: whoever is asked may be paused.
const httpLimit = 5 * time.Second

// get asks a web service for JSON.
func get(address string, into any) error { return send(http.MethodGet, address, nil, into) }

func send(method, address string, body io.Reader, into any) error {
	req, err := http.NewRequest(method, address, body)
	if err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	c := http.Client{Timeout: httpLimit, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusAccepted {
		return fmt.Errorf("%s: status %d: %.300s", address, resp.StatusCode, data)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%s: %w: %.300s", address, err, data)
	}
	return nil
}

// rm asks the ResourceManager, again while it does not answer.
func (b *Bed) rm(path string, into any) {
	b.T.Helper()
	var err error
	if !Poll(30*time.Second, func() bool {
		err = get(b.Cluster.Getenv("YARN_RM_WEBAPP")+"/ws/v1/cluster/"+path, into)
		return err == nil
	}) {
		b.T.Errorf("the ResourceManager does not answer: %v", err)
	}
}

// Applications are all that the test has submitted, oldest first.
func (b *Bed) Applications() []App {
	b.T.Helper()
	var answer struct {
		Apps struct {
			App []App `json:"app"`
		} `json:"apps"`
	}
	b.rm("apps?applicationTags="+url.QueryEscape(b.Name), &answer)
	slices.SortFunc(answer.Apps.App, func(x, y App) int { return strings.Compare(x.ID, y.ID) })
	return answer.Apps.App
}

// Application is one of them, by its id.
func (b *Bed) Application(id string) App {
	b.T.Helper()
	var answer struct {
		App App `json:"app"`
	}
	b.rm("apps/"+id, &answer)
	return answer.App
}

func (b *Bed) attempts(id string) int {
	var answer struct {
		Attempts struct {
			List []struct{} `json:"appAttempt"`
		} `json:"appAttempts"`
	}
	b.rm("apps/"+id+"/appattempts", &answer)
	return len(answer.Attempts.List)
}

// Attempts is how many ApplicationMasters the application has had.
func (b *Bed) Attempts(id string) int { b.T.Helper(); return b.attempts(id) }

// AwaitEnd waits for an application's end and demands its final status.
func (b *Bed) AwaitEnd(id, finalStatus string, limit time.Duration) App {
	b.T.Helper()
	var a App
	b.Eventually(id+" ends", limit, func() bool { a = b.Application(id); return a.Ended() })
	if a.FinalStatus != finalStatus {
		b.T.Errorf("%s: final status %s (state %s), want %s: %s", id, a.FinalStatus, a.State, finalStatus, a.Diagnostics)
	}
	return a
}

// Client speaks to the ResourceManager as the user does.
func (b *Bed) Client() *yarnrpc.Client {
	b.T.Helper()
	c, err := yarnrpc.NewClient(yarnrpc.ClientOptions{Conf: b.Cluster.Conf(), User: User})
	b.must(err)
	b.T.Cleanup(func() { _ = c.Close() }) // its connections only
	return c
}

// KillApplication is yarn application -kill.
func (b *Bed) KillApplication(id string) {
	b.T.Helper()
	if out, err := b.Cluster.As(User).Try("yarn", "application", "-kill", id); err != nil {
		b.T.Errorf("yarn application -kill %s: %v\n%s", id, err, out)
	}
}

// yarnsOwn are files that YARN puts beside the logs.
var yarnsOwn = map[string]bool{"directory.info": true, "launch_container.sh": true, "prelaunch.out": true}

// logs are the local log files of an application's containers.
func (b *Bed) logs(id string) []string {
	files, _ := filepath.Glob(filepath.Join(b.Cluster.Dir(), "data", "nm*", "containers", id, "container_*", "*")) // the pattern is good
	files = slices.DeleteFunc(files, func(f string) bool { return !strings.Contains(filepath.Base(f), ".") || yarnsOwn[filepath.Base(f)] })
	slices.Sort(files)
	return files
}

// Logs are the local log files of an application's containers with a name,
// such as jobmanager.log, oldest container first.
func (b *Bed) Logs(id, name string) []string {
	return slices.DeleteFunc(b.logs(id), func(f string) bool { return filepath.Base(f) != name })
}

// NodeOf is the number of the NodeManager that runs a container.
func (b *Bed) NodeOf(container string) int {
	b.T.Helper()
	for _, c := range b.Cluster.Containers() {
		if c.ID == container {
			return c.Node
		}
	}
	b.T.Fatalf("no NodeManager runs %s", container)
	return 0
}

// AllApplications are those of all users.
func (b *Bed) AllApplications() []App {
	b.T.Helper()
	var answer struct {
		Apps struct {
			App []App `json:"app"`
		} `json:"apps"`
	}
	b.rm("apps", &answer)
	return answer.Apps.App
}

// KillAs is yarn application -kill by another user.
func (b *Bed) KillAs(user, id string) {
	b.T.Helper()
	if out, err := b.Cluster.As(user).Try("yarn", "application", "-kill", id); err != nil {
		b.T.Errorf("yarn application -kill %s: %v\n%s", id, err, out)
	}
}
