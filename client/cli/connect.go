package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"

	"goflink/client/clientlog"
	"goflink/client/yarn"
	"goflink/conf"
	"goflink/control"
	"goflink/hadooprpc"
)

// console prints the lines of Flink's YARN client.
func (e *Env) console() *clientlog.Console {
	return &clientlog.Console{Out: e.Stdout, Now: e.Now, Log: e.log}
}

// descriptor opens the way to YARN.
func (e *Env) descriptor(s *settings) (*yarn.Descriptor, error) {
	return yarn.Open(yarn.Options{
		Conf: s.conf, Getenv: e.Getenv, Executable: e.Executable, Version: e.Version, Console: e.console(), Log: e.log,
	})
}

// withCluster finds the cluster that the command line means and does something
// with it. On YARN, what dead applications left behind is swept afterwards.
func (c *command) withCluster(do func(ctx context.Context, cl cluster) error) error {
	ctx := c.env.Interrupted
	switch c.set.target {
	case targetLocal:
		return argErrorf("With the target local a job runs in the process of flink run itself: there is no cluster to ask.")
	case targetRemote:
		cl, err := c.env.remote(c.set)
		if err != nil {
			return err
		}
		return do(ctx, cl)
	}
	return c.onYarn(func(d *yarn.Descriptor) error {
		found, err := c.retrieve(ctx, d)
		if err != nil {
			return err
		}
		cl, err := newCluster(found.URL, found.Secret, c.set.conf)
		if err != nil {
			return err
		}
		return do(ctx, cl)
	})
}

// onYarn does something with a Descriptor, and sweeps what killed applications
// left behind, unless the ResourceManager is not there to tell which those are.
func (c *command) onYarn(do func(d *yarn.Descriptor) error) (err error) {
	d, err := c.env.descriptor(c.set)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	err = do(d)
	var gone *hadooprpc.ConnectError
	if !errors.As(err, &gone) {
		d.Sweep(context.WithoutCancel(c.env.Interrupted))
	}
	return err
}

// retrieve finds the cluster on YARN that the command line names.
func (c *command) retrieve(ctx context.Context, d *yarn.Descriptor) (*yarn.Cluster, error) {
	id := conf.YarnApplicationID.Get(c.set.conf)
	if id == "" {
		return nil, fmt.Errorf("which cluster is meant? Give -Dyarn.application.id=application_… (or -yid); yarn-session.sh starts a session, and notes it in %s", sessionFile(c.set.conf, c.env))
	}
	return d.Retrieve(ctx, id)
}

// remote is the cluster at the configured address.
func (e *Env) remote(s *settings) (cluster, error) {
	host := conf.RestAddress.Get(s.conf)
	if host == "" {
		host = "localhost"
	}
	u := url.URL{Scheme: "http", Host: net.JoinHostPort(host, strconv.Itoa(conf.RestPort.Get(s.conf)))}
	secret, err := e.standaloneSecret()
	if err != nil {
		return nil, err
	}
	return openRest(u.String(), secret, s.conf, false)
}

// newCluster speaks REST to a JobManager on YARN.
func newCluster(base string, secret control.Secret, c *conf.Config) (cluster, error) {
	return openRest(base, secret, c, true)
}
