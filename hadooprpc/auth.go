package hadooprpc

import "context"

// Auth says who we are to a server. Token is used when set, else Kerberos when set, else the plain user name
// (Hadoop's SIMPLE), which the server believes.
type Auth struct {
	// User is the user that SIMPLE claims to be. Ignored with Token and Kerberos, where the credential says it.
	User string

	// Token authenticates by DIGEST-MD5.
	Token *Token

	// Kerberos authenticates by GSSAPI.
	Kerberos *Kerberos

	// Principal is the server's Kerberos principal from the configuration, such as "nn/_HOST@REALM" under
	// dfs.namenode.kerberos.principal. A server that names another one is refused. Empty: any is accepted.
	Principal string

	// Protection lists the acceptable qualities of protection ("auth", "auth-int", "auth-conf"), best first.
	// Empty: the strongest the server offers. Conf.Protection reads it from hadoop.rpc.protection.
	Protection []string

	// AllowSimple permits to go on without authentication at a server that demands none although Token or
	// Kerberos is set (ipc.client.fallback-to-simple-auth-allowed). Default: refuse.
	AllowSimple bool
}

// AuthSource gives the credential for the next connection; tokens are replaced during a long life.
type AuthSource func(ctx context.Context) (Auth, error)

// StaticAuth is a source that always gives a.
func StaticAuth(a Auth) AuthSource {
	return func(context.Context) (Auth, error) { return a, nil }
}

func (a Auth) validate() error {
	if a.Token == nil && a.Kerberos == nil && a.User == "" {
		return authErrorf("no user, token or Kerberos login to authenticate with")
	}
	return nil
}

// sasl tells whether the connection starts with a negotiation.
func (a Auth) sasl() bool { return a.Token != nil || a.Kerberos != nil }
