package launch

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"goflink/conf"
	"goflink/control"
	"goflink/hadooprpc"
	"goflink/hdfsstore"
	"goflink/internal/logfile"
)

// openLog opens the process's log and makes it the default one. Without a
// folder it stays at standard error.
func openLog(boot *control.Bootstrap, c *conf.Config) (*slog.Logger, func(), error) {
	if boot.LogDir == "" || boot.LogName == "" {
		return slog.Default(), func() {}, nil
	}
	o := logfile.FromConf(filepath.Join(boot.LogDir, boot.LogName+".log"), c)
	if _, ok := c.Lookup(embeddedKey); ok {
		o.Echo = os.Stderr
	}
	f, err := logfile.Open(o)
	if err != nil {
		return nil, nil, err
	}
	log := f.Logger()
	slog.SetDefault(log)
	return log, func() { _ = f.Close() }, nil
}

// OpenFiles makes the resolver of file systems with the Hadoop configuration
// that the process finds; a job that reads no HDFS needs none.
func OpenFiles(c *conf.Config) (*hdfsstore.Resolver, error) {
	hadoop, err := hadooprpc.FindConf(os.Getenv, conf.FSHadoopConf.Get(c))
	if err != nil && !errors.Is(err, hadooprpc.ErrNoConf) {
		return nil, fmt.Errorf("reading Hadoop's configuration: %w", err)
	}
	return hdfsstore.NewResolver(hdfsstore.Options{Hadoop: hadoop, DefaultScheme: conf.FSDefaultScheme.Get(c)}), nil
}
