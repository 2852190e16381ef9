package restclient

import (
	"context"
	"net/http"
	"net/url"

	"goflink/jobmanager/rest"
)

// Overview returns the cluster in numbers.
func (c *Client) Overview(ctx context.Context) (rest.OverviewAnswer, error) {
	return fetch[rest.OverviewAnswer](ctx, c, "/overview")
}

// Config returns the version and features of the cluster.
func (c *Client) Config(ctx context.Context) (rest.ConfigAnswer, error) {
	return fetch[rest.ConfigAnswer](ctx, c, "/config")
}

// JobManagerConfig returns the cluster's configuration, its secrets hidden.
func (c *Client) JobManagerConfig(ctx context.Context) (map[string]string, error) {
	list, err := fetch[[]rest.KeyValue](ctx, c, "/jobmanager/config")
	out := map[string]string{}
	for _, kv := range list {
		out[kv.Key] = kv.Value
	}
	return out, err
}

// TaskManagers lists the registered TaskManagers.
func (c *Client) TaskManagers(ctx context.Context) ([]rest.TaskManagerAnswer, error) {
	a, err := fetch[rest.TaskManagersAnswer](ctx, c, "/taskmanagers")
	return a.TaskManagers, err
}

// TaskManager returns one TaskManager.
func (c *Client) TaskManager(ctx context.Context, id string) (rest.TaskManagerDetailsAnswer, error) {
	return fetch[rest.TaskManagerDetailsAnswer](ctx, c, "/taskmanagers/"+url.PathEscape(id))
}

// Shutdown ends the cluster.
func (c *Client) Shutdown(ctx context.Context) error {
	return c.do(ctx, request{method: http.MethodDelete, path: "/cluster"}, nil)
}
