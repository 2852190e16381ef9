package appmaster

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"goflink/appmaster/spec"
	"goflink/conf"
	"goflink/control"
	"goflink/hadooprpc"
	"goflink/hdfsstore"
	"goflink/yarnrpc"
)

// environment is what YARN and the client gave the container.
type environment struct {
	container   yarnrpc.ContainerID
	host        string // of the NodeManager: where others reach us
	logDir      string
	user        string
	app         *spec.Application
	conf        *conf.Config
	hadoop      *hadooprpc.Conf
	credentials *hadooprpc.Credentials
	secret      control.Secret
	amToken     *hadooprpc.Token
	proxyBase   string
}

// loadEnvironment reads the container's variables and files in dir.
func loadEnvironment(dir string, env func(string) string) (*environment, error) {
	e := &environment{host: env("NM_HOST"), user: hadoopUser(env), proxyBase: env("APPLICATION_WEB_PROXY_BASE")}
	var err error
	if e.container, err = yarnrpc.ParseContainerID(env("CONTAINER_ID")); err != nil {
		return nil, fmt.Errorf("this is no YARN container (%w): the ApplicationMaster is started by `flink run -t yarn-…` or yarn-session.sh", err)
	}
	e.logDir, _, _ = strings.Cut(env("LOG_DIRS"), ",")
	f, err := os.Open(filepath.Join(dir, spec.ApplicationFile))
	if err != nil {
		return nil, fmt.Errorf("the container lacks %s: %w", spec.ApplicationFile, err)
	}
	defer f.Close()
	if e.app, err = spec.Read(f); err != nil {
		return nil, err
	}
	if e.conf, err = conf.Load(dir); err != nil {
		return nil, err
	}
	if e.hadoop, err = hadooprpc.LoadConfFile(filepath.Join(dir, spec.HadoopConfFile)); err != nil {
		return nil, err
	}
	return e, e.loadCredentials(env)
}

// loadCredentials finds the two credentials that the ApplicationMaster cannot
// do without: the scheduler's token and the cluster's secret.
func (e *environment) loadCredentials(env func(string) string) error {
	var err error
	if e.credentials, err = hadooprpc.LoadCredentials(env); err != nil {
		return err
	}
	tokens := e.credentials.TokensOfKind(hadooprpc.KindAMRM)
	if len(tokens) == 0 {
		return fmt.Errorf("the container's credentials hold no %s: the ResourceManager did not start this as an ApplicationMaster", hadooprpc.KindAMRM)
	}
	e.amToken = tokens[0]
	e.secret = e.credentials.Secret(spec.SecretAlias)
	if len(e.secret) == 0 {
		return fmt.Errorf("the container's credentials hold no secret %s: the application was not submitted by goflink's client", spec.SecretAlias)
	}
	return nil
}

// workerCredentials are what TaskManager containers get: everything but the
// right to speak to the scheduler.
func (e *environment) workerCredentials() *hadooprpc.Credentials {
	return e.credentials.WithoutKind(hadooprpc.KindAMRM)
}

// resolver opens file systems as the application's user.
func (e *environment) resolver() *hdfsstore.Resolver {
	return hdfsstore.NewResolver(hdfsstore.Options{Hadoop: e.hadoop, User: e.user, DefaultScheme: conf.FSDefaultScheme.Get(e.conf)})
}

// haDir is where the cluster's epochs lie.
func (e *environment) haDir() string { return strings.TrimSuffix(e.app.Dir, "/") + "/ha" }

// attempt is the number of this run of the ApplicationMaster: its epoch.
func (e *environment) attempt() int64 { return int64(e.container.Attempt.Attempt) }

// hadoopUser is who the application runs as: without Kerberos the container's
// system user is the NodeManager's, and only variables tell.
func hadoopUser(env func(string) string) string {
	if u := env("HADOOP_USER_NAME"); u != "" {
		return u
	}
	return env("USER")
}
