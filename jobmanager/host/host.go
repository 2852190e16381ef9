// Package host runs a JobManager with everything around it in one process: the
// control plane's listener, the REST server, the store for uploaded programs
// and the starter of coordinators. launch (embedded), cmd/flink (standalone)
// and appmaster (YARN) call Start; what differs between them is in Options.
//
// It has no goroutines of its own; Close ends what it started, in order.
package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"goflink/conf"
	"goflink/control"
	"goflink/hdfsstore"
	"goflink/jobmanager"
	"goflink/jobmanager/rest"
)

// Options say what to run.
type Options struct {
	Conf      *conf.Config
	Secret    control.Secret
	ClusterID string
	Epoch     int64
	Mode      jobmanager.Mode
	HA        jobmanager.Store // nil: nothing survives
	Files     *hdfsstore.Resolver
	Provider  jobmanager.ResourceProvider // nil: TaskManagers come by themselves
	// MinTaskManagers are started at once and kept.
	MinTaskManagers int

	// Host is the address that others reach this process at; listeners bind to
	// it unless jobmanager.bind-host and rest.bind-address say otherwise.
	Host string
	// AnyPort takes free ports where none is configured, as on YARN.
	AnyPort bool
	// AnyControlPort takes a free port for the control plane alone.
	AnyControlPort bool
	// Secure demands a signature of every REST request that is not a read
	// through YARN's proxy.
	Secure bool
	// FromProxy tells requests of YARN's proxy; nil: from everyone.
	FromProxy func(*http.Request) bool
	// OnResult is told when a client fetched a job's result.
	OnResult func(jobID string)

	// Scratch is a folder for program binaries.
	Scratch string
	// Binary is a local copy of the only program there is; empty: by digest.
	Binary string
	// LogDir, LogFile and StdoutFile are what REST shows of this process's log.
	LogDir, LogFile, StdoutFile string
	Log                         *slog.Logger
}

// Host is a running JobManager with its REST server.
type Host struct {
	JobManager  *jobmanager.JobManager
	RESTAddress string // host:port
	rest        *rest.Server
	log         *slog.Logger
}

// Start opens the listeners and starts everything.
func Start(ctx context.Context, o Options) (_ *Host, err error) {
	restListener, controlListener, err := o.listen(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			restListener.Close()
			controlListener.Close()
		}
	}()
	programs, err := rest.NewProgramDir(filepath.Join(o.Scratch, "programs"))
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(o.Scratch, "binaries"), 0o700); err != nil {
		return nil, fmt.Errorf("the folder for binaries: %w", err)
	}
	jm, err := jobmanager.New(jobmanager.Options{
		Conf: o.Conf, Secret: o.Secret, ClusterID: o.ClusterID, Epoch: o.Epoch, HA: o.HA, Files: o.Files, Programs: programs,
		Listener: controlListener, Address: o.reach(controlListener), Provider: o.Provider, MinTaskManagers: o.MinTaskManagers,
		Coordinators: &jobmanager.ExecLauncher{Dir: filepath.Join(o.Scratch, "binaries"), LogDir: o.LogDir, Binary: o.Binary,
			Files: o.Files, Programs: programs, Log: o.Log},
		Log: o.Log, Mode: o.Mode,
	})
	if err != nil {
		return nil, err
	}
	if err := jm.Start(); err != nil {
		return nil, errors.Join(err, jm.Close())
	}
	h := &Host{JobManager: jm, RESTAddress: o.reach(restListener), log: o.Log}
	h.rest = rest.New(rest.Options{
		Cluster: jm.REST(), Programs: programs, Config: o.Conf, LogDir: o.LogDir, LogFile: o.LogFile, StdoutFile: o.StdoutFile,
		Authenticate: rest.SecretAuthenticator(o.Secret, o.unsigned, time.Now), FromProxy: o.FromProxy, OnResult: o.OnResult, Log: o.Log,
	})
	h.rest.Serve(restListener)
	o.Log.Info("REST endpoint is listening", "address", h.RESTAddress)
	return h, nil
}

// unsigned tells which requests that change something need no signature. On a
// secured cluster none; elsewhere all but those that bring code, as tools that
// speak Flink's REST API cannot sign.
func (o *Options) unsigned(r *http.Request) bool {
	if o.Secure {
		return false
	}
	path := strings.TrimPrefix(r.URL.Path, "/v1")
	submits := path == "/jobs" && r.Method != http.MethodGet || strings.HasPrefix(path, "/programs/")
	return !submits
}

// listen opens the two listeners.
func (o *Options) listen(ctx context.Context) (restListener, controlListener net.Listener, err error) {
	c := o.Conf.Clone()
	if _, set := c.Lookup(conf.RestBindAddress.Key); !set {
		conf.RestBindAddress.Set(c, o.Host)
	}
	if restListener, err = rest.Listen(ctx, c, o.AnyPort); err != nil {
		return nil, nil, err
	}
	bind := conf.JobManagerBindHost.Get(o.Conf)
	if bind == "" {
		bind = o.Host
	}
	port := conf.JobManagerRPCPort.Get(o.Conf)
	if o.AnyPort || o.AnyControlPort {
		port = 0
	}
	var lc net.ListenConfig
	controlListener, err = lc.Listen(ctx, "tcp", net.JoinHostPort(bind, strconv.Itoa(port)))
	if err != nil {
		restListener.Close()
		return nil, nil, fmt.Errorf("the JobManager cannot listen on %s port %d (%s, %s): %w",
			bind, port, conf.JobManagerBindHost.Key, conf.JobManagerRPCPort.Key, err)
	}
	return restListener, controlListener, nil
}

// reach is host:port under which others reach a listener.
func (o *Options) reach(l net.Listener) string {
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return l.Addr().String()
	}
	return net.JoinHostPort(o.Host, port)
}

// AwaitResults waits until clients have fetched the outcome of operations, or
// ctx ends.
func (h *Host) AwaitResults(ctx context.Context) error { return h.rest.AwaitResults(ctx) }

// Shutdown ends the cluster in good order, then everything here.
func (h *Host) Shutdown(ctx context.Context, status jobmanager.FinalStatus) error {
	err := h.JobManager.Shutdown(ctx, status)
	return errors.Join(err, h.rest.Close(ctx))
}

// Close ends everything at once; what high availability keeps stays.
func (h *Host) Close(ctx context.Context) error {
	return errors.Join(h.rest.Close(ctx), h.JobManager.Close())
}
