package yarn

import (
	"errors"

	"goflink/conf"
	"goflink/hadooprpc"
	"goflink/hdfsstore"
)

// OpenFiles makes a resolver of file systems for commands that need no cluster. Without a Hadoop configuration it
// knows local files only. The caller closes it.
func OpenFiles(o Options) (*hdfsstore.Resolver, error) {
	h, err := hadoopConf(o)
	if err != nil && !errors.Is(err, hadooprpc.ErrNoConf) {
		return nil, err
	}
	var kerberos *hadooprpc.Kerberos
	user := userName(o.Getenv)
	if h != nil && h.Secure() {
		user = "" // the login's
		if kerberos, err = login(o, h); err != nil {
			return nil, err
		}
	}
	return hdfsstore.NewResolver(hdfsstore.Options{
		Hadoop: h, Kerberos: kerberos, User: user, DefaultScheme: conf.FSDefaultScheme.Get(o.Conf), TokenFile: o.Getenv(hadooprpc.EnvTokenFile), Logger: o.Log,
	}), nil
}
