// Package spec is what the client tells the ApplicationMaster, and both tell
// their containers: one file in the application's folder, and the names that
// files and environment variables have inside a container. The client writes
// it, package appmaster reads it. It has no goroutines and no state.
package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"goflink/yarnrpc"
)

// Names of files inside a container of ours.
const (
	ApplicationFile = "application.json" // this spec; in the ApplicationMaster's container only
	FlinkBinary     = "flink"            // bin/flink
	ProgramBinary   = "program"          // the job binary (per-job and application mode)
	ConfigFile      = "config.yaml"      // the effective configuration
	HadoopConfFile  = "core-site.xml"    // the merged Hadoop configuration, under a name that all look for
	JobGraphFile    = "job.graph"        // per-job mode: the planned JobGraph, encoded
)

// SecretAlias is the alias of the cluster's secret among the credentials of
// every container (hadoop's Credentials, secrets section).
const SecretAlias = "goflink.cluster.secret"

// Environment of TaskManager containers; nothing secret is in it.
const (
	EnvJobManager = "GOFLINK_JOBMANAGER" // host:port of the control plane
	EnvLeaderDir  = "GOFLINK_LEADER_DIR" // URI of the folder with the leader file
	EnvVCores     = "GOFLINK_VCORES"     // vcores that were asked for
)

// Mode is how the cluster was started.
type Mode string

// The three modes of a cluster on YARN.
const (
	SessionMode     Mode = "session"     // jobs come later, through REST
	PerJobMode      Mode = "per-job"     // the client planned the job: JobGraphFile
	ApplicationMode Mode = "application" // the ApplicationMaster plans the job
)

// Version of the file format.
const Version = 1

// maxBytes bounds what Read takes: a spec has a few KB.
const maxBytes = 1 << 20

// Application is the content of ApplicationFile.
type Application struct {
	Version       int        `json:"version"`
	ApplicationID string     `json:"applicationId"`
	Mode          Mode       `json:"mode"`
	Name          string     `json:"name"`
	User          string     `json:"user"`
	Dir           string     `json:"dir"`        // URI of the application's folder, removed at its end
	StagingDir    string     `json:"stagingDir"` // URI of the folder above it, with the cache
	Resources     []Resource `json:"resources"`  // for TaskManager containers too, unless MasterOnly
	Program       *Program   `json:"program,omitempty"`
	ClientVersion string     `json:"clientVersion"`
	// ResourceManager names the cluster it was submitted to: several may share
	// a file system, and a client sweeps only what its own has forgotten.
	ResourceManager string `json:"resourceManager,omitempty"`
}

// Program is the job's binary in per-job and application mode.
type Program struct {
	SHA256 string   `json:"sha256"`
	Size   int64    `json:"size"`
	URI    string   `json:"uri"`
	Name   string   `json:"name"`
	Args   []string `json:"args"`
	Env    []string `json:"env,omitempty"` // KEY=VALUE, listed ones only
	Entry  string   `json:"entry,omitempty"`
	// Attached tells that a client waits for the result.
	Attached bool `json:"attached"`
	// Restore* is where the job starts from (execution.state-recovery.*).
	RestorePath             string `json:"restorePath,omitempty"`
	RestoreAllowNonRestored bool   `json:"restoreAllowNonRestored,omitempty"`
	RestoreClaimMode        string `json:"restoreClaimMode,omitempty"`
}

// Resource is a file in HDFS that YARN places into containers. Size and
// modification time must match the file exactly.
type Resource struct {
	Name       string `json:"name"` // in the container's folder
	URI        string `json:"uri"`
	Size       int64  `json:"size"`
	ModTimeMS  int64  `json:"modTimeMs"`
	Archive    bool   `json:"archive,omitempty"`
	Public     bool   `json:"public,omitempty"`
	MasterOnly bool   `json:"masterOnly,omitempty"`
}

// Encode renders the spec.
func (a *Application) Encode() ([]byte, error) {
	a.Version = Version
	if err := a.Validate(); err != nil {
		return nil, err
	}
	return json.MarshalIndent(a, "", "  ")
}

// Read parses and validates a spec.
func Read(r io.Reader) (*Application, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", ApplicationFile, err)
	}
	if len(data) > maxBytes {
		return nil, fmt.Errorf("%s is larger than %d bytes", ApplicationFile, maxBytes)
	}
	var a Application
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(&a); err != nil {
		return nil, fmt.Errorf("%s: %w", ApplicationFile, err)
	}
	if a.Version != Version {
		return nil, fmt.Errorf("%s has version %d, this is version %d: start the client and the cluster from one release",
			ApplicationFile, a.Version, Version)
	}
	return &a, a.Validate()
}

// Validate reports all problems at once.
func (a *Application) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if a.ApplicationID == "" {
		bad("%s: no applicationId", ApplicationFile)
	}
	for _, dir := range []string{a.Dir, a.StagingDir} {
		if u, err := url.Parse(dir); err != nil || u.Scheme == "" {
			bad("%s: %q is no URI", ApplicationFile, dir)
		}
	}
	switch a.Mode {
	case SessionMode:
	case PerJobMode, ApplicationMode:
		if a.Program == nil || a.Program.SHA256 == "" {
			bad("%s: mode %s without a program", ApplicationFile, a.Mode)
		}
	default:
		bad("%s: unknown mode %q", ApplicationFile, a.Mode)
	}
	for _, r := range a.Resources {
		if r.Name == "" || r.URI == "" || r.Size < 0 {
			bad("%s: resource %q is incomplete", ApplicationFile, r.Name)
		}
	}
	return errors.Join(errs...)
}

// Resource finds a resource by its name in the container.
func (a *Application) Resource(name string) (Resource, bool) {
	for _, r := range a.Resources {
		if r.Name == name {
			return r, true
		}
	}
	return Resource{}, false
}

// Local is the resource as YARN is told of it. Files of the cache are private
// to the user, so that a node keeps them for the next application.
func (r Resource) Local() yarnrpc.LocalResource {
	l := yarnrpc.LocalResource{
		URI: r.URI, Size: r.Size, ModTime: time.UnixMilli(r.ModTimeMS), Archive: r.Archive, Visibility: yarnrpc.VisibilityApplication,
	}
	switch {
	case r.Public:
		l.Visibility = yarnrpc.VisibilityPublic
	case strings.Contains(r.URI, "/"+CacheDir+"/"):
		l.Visibility = yarnrpc.VisibilityPrivate
	}
	return l
}

// CacheDir is the folder of the staging area that holds files by content.
const CacheDir = "cache"
