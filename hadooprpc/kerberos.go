package hadooprpc

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/credentials"
	"github.com/jcmturner/gokrb5/v8/keytab"
)

// defaultKrb5Conf is where Kerberos' own tools look when KRB5_CONFIG names nothing.
const defaultKrb5Conf = "/etc/krb5.conf"

// Kerberos is a login: who we are, and the means to get service tickets. It is safe for concurrent use. Tickets
// are renewed by nobody: owners that live longer than a ticket log in again with LoginKeytab, well before its end.
type Kerberos struct {
	client *client.Client
}

// LoginKeytab logs in as principal ("alice@REALM", or without a realm for the default one) with a keytab file.
func LoginKeytab(principal, keytabPath, krb5conf string) (*Kerberos, error) {
	conf, err := loadKrb5(krb5conf)
	if err != nil {
		return nil, err
	}
	kt, err := keytab.Load(keytabPath)
	if err != nil {
		return nil, fmt.Errorf("read keytab %s: %w", keytabPath, err)
	}
	name, realm, ok := strings.Cut(principal, "@")
	if !ok {
		realm = conf.LibDefaults.DefaultRealm
	}
	cl := client.NewWithKeytab(name, realm, kt, conf, client.DisablePAFXFAST(true))
	if err := cl.Login(); err != nil {
		return nil, fmt.Errorf("kerberos login of %s@%s with keytab %s: %w", name, realm, keytabPath, err)
	}
	return &Kerberos{client: cl}, nil
}

// LoginCache uses the ticket cache file that kinit wrote. Such a login ends with its ticket.
func LoginCache(path, krb5conf string) (*Kerberos, error) {
	conf, err := loadKrb5(krb5conf)
	if err != nil {
		return nil, err
	}
	cache, err := credentials.LoadCCache(path)
	if err != nil {
		return nil, fmt.Errorf("read ticket cache %s: %w", path, err)
	}
	cl, err := client.NewFromCCache(cache, conf, client.DisablePAFXFAST(true))
	if err != nil {
		return nil, fmt.Errorf("use ticket cache %s: %w", path, err)
	}
	return &Kerberos{client: cl}, nil
}

// TicketCachePath finds the ticket cache as Kerberos' tools do, or says which kinds are supported.
func TicketCachePath(env func(string) string) (string, error) {
	name := env("KRB5CCNAME")
	if name == "" {
		return fmt.Sprintf("/tmp/krb5cc_%d", os.Getuid()), nil
	}
	if path, ok := strings.CutPrefix(name, "FILE:"); ok {
		return path, nil
	}
	if strings.Contains(name, ":") && !strings.HasPrefix(name, "/") {
		return "", fmt.Errorf("the ticket cache KRB5CCNAME=%s is of a kind that cannot be read, only FILE caches can", name)
	}
	return name, nil
}

// loadKrb5 reads a krb5.conf; empty means the file KRB5_CONFIG names, else /etc/krb5.conf.
func loadKrb5(path string) (*config.Config, error) {
	if path == "" {
		path = os.Getenv("KRB5_CONFIG")
	}
	if path == "" {
		path = defaultKrb5Conf
	}
	conf, err := config.Load(path)
	var unsupported config.UnsupportedDirective
	if err != nil && !errors.As(err, &unsupported) {
		return nil, fmt.Errorf("read the Kerberos configuration %s (KRB5_CONFIG names another one): %w", path, err)
	}
	// gokrb5 reads UDP answers into 4 KiB, which tickets with group data exceed.
	conf.LibDefaults.UDPPreferenceLimit = 1
	return conf, nil
}

// Principal is the full name, "alice@REALM".
func (k *Kerberos) Principal() string {
	return k.client.Credentials.UserName() + "@" + k.client.Credentials.Domain()
}

// ShortName is the first part of the principal: the Hadoop user under the default mapping rules.
func (k *Kerberos) ShortName() string {
	name, _, _ := strings.Cut(k.client.Credentials.UserName(), "/")
	return name
}

// Client is the underlying login, for other protocols that need tickets.
func (k *Kerberos) Client() *client.Client { return k.client }

// Close forgets keys and tickets.
func (k *Kerberos) Close() { k.client.Destroy() }
