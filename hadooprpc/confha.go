package hadooprpc

import (
	"fmt"
	"net"
	"strings"
)

// confDefaults are the properties of Hadoop's *-default.xml that we use.
var confDefaults = map[string]string{
	"fs.defaultFS":                                             "file:///",
	"hadoop.security.authentication":                           "simple",
	"hadoop.security.authorization":                            "false",
	"hadoop.rpc.protection":                                    "authentication",
	"hadoop.security.token.service.use_ip":                     "true",
	"ipc.client.fallback-to-simple-auth-allowed":               "false",
	"yarn.resourcemanager.hostname":                            "0.0.0.0",
	"yarn.resourcemanager.address":                             "${yarn.resourcemanager.hostname}:8032",
	"yarn.resourcemanager.scheduler.address":                   "${yarn.resourcemanager.hostname}:8030",
	"yarn.resourcemanager.webapp.address":                      "${yarn.resourcemanager.hostname}:8088",
	"yarn.resourcemanager.webapp.https.address":                "${yarn.resourcemanager.hostname}:8090",
	"yarn.resourcemanager.connect.max-wait.ms":                 "900000",
	"yarn.resourcemanager.connect.retry-interval.ms":           "30000",
	"yarn.resourcemanager.ha.enabled":                          "false",
	"yarn.resourcemanager.am.max-attempts":                     "2",
	"yarn.http.policy":                                         "HTTP_ONLY",
	"yarn.client.application-client-protocol.poll-interval-ms": "200",
	"dfs.client.use.datanode.hostname":                         "false",
	"dfs.data.transfer.protection":                             "",
	"dfs.encrypt.data.transfer":                                "false",
	"dfs.blocksize":                                            "134217728",
	"dfs.replication":                                          "3",
}

// Default ports of the services.
const (
	portNamenode  = "8020"
	portRM        = "8032"
	portScheduler = "8030"
	portWeb       = "8088"
	portWebTLS    = "8090"
)

// DefaultFS is fs.defaultFS (or its old name), such as "hdfs://nameservice1" or "hdfs://host:8020".
func (c *Conf) DefaultFS() string {
	if _, ok := c.props["fs.defaultFS"]; !ok {
		if old, ok := c.Lookup("fs.default.name"); ok {
			return old
		}
	}
	return c.Get("fs.defaultFS")
}

// Secure tells whether the cluster authenticates with Kerberos.
func (c *Conf) Secure() bool {
	return strings.EqualFold(c.Get("hadoop.security.authentication"), "kerberos")
}

// AllowSimpleFallback is ipc.client.fallback-to-simple-auth-allowed.
func (c *Conf) AllowSimpleFallback() bool {
	return c.Bool("ipc.client.fallback-to-simple-auth-allowed", false)
}

// Protection lists the qualities of protection of hadoop.rpc.protection, for Auth.Protection.
func (c *Conf) Protection() ([]string, error) {
	var out []string
	for _, p := range c.Strings("hadoop.rpc.protection") {
		switch strings.ToLower(p) {
		case "authentication":
			out = append(out, "auth")
		case "integrity":
			out = append(out, "auth-int")
		case "privacy":
			out = append(out, "auth-conf")
		default:
			return nil, fmt.Errorf("hadoop.rpc.protection: %q is none of authentication, integrity, privacy", p)
		}
	}
	return out, nil
}

// IsNameservice tells whether the authority of an hdfs URI is a logical name (HDFS HA or federation).
func (c *Conf) IsNameservice(authority string) bool {
	if authority == "" {
		return false
	}
	_, ha := c.Lookup("dfs.ha.namenodes." + authority)
	_, single := c.Lookup("dfs.namenode.rpc-address." + authority)
	return ha || single
}

// NamenodeAddresses gives the NameNodes behind the authority of an hdfs URI ("nameservice1", "host:8020",
// "host"), and whether it is a logical name. An empty authority means that of fs.defaultFS.
func (c *Conf) NamenodeAddresses(authority string) (addrs []string, logical bool, err error) {
	if authority == "" {
		if authority, err = c.defaultAuthority(); err != nil {
			return nil, false, err
		}
	}
	if !c.IsNameservice(authority) {
		addr, err := withPort(authority, portNamenode)
		if err != nil {
			return nil, false, err
		}
		return []string{addr}, false, nil
	}
	if addr, ok := c.Lookup("dfs.namenode.rpc-address." + authority); ok {
		addr, err := withPort(addr, portNamenode)
		return []string{addr}, true, err
	}
	for _, id := range c.Strings("dfs.ha.namenodes." + authority) {
		key := "dfs.namenode.rpc-address." + authority + "." + id
		v := c.Get(key)
		if v == "" {
			return nil, true, fmt.Errorf("%s is not set, but dfs.ha.namenodes.%s lists %s", key, authority, id)
		}
		addr, err := withPort(v, portNamenode)
		if err != nil {
			return nil, true, fmt.Errorf("%s: %w", key, err)
		}
		addrs = append(addrs, addr)
	}
	if len(addrs) == 0 {
		return nil, true, fmt.Errorf("dfs.ha.namenodes.%s lists no NameNode", authority)
	}
	return addrs, true, nil
}

// defaultAuthority is the authority of fs.defaultFS.
func (c *Conf) defaultAuthority() (string, error) {
	fs := c.DefaultFS()
	rest, ok := strings.CutPrefix(fs, "hdfs://")
	if !ok {
		return "", fmt.Errorf("fs.defaultFS is %q, which is no hdfs:// address: name the NameNode in the path", fs)
	}
	authority, _, _ := strings.Cut(rest, "/")
	return authority, nil
}

// ResourceManagers gives the addresses for clients (yarn.resourcemanager.address), all of them with HA.
func (c *Conf) ResourceManagers() ([]string, error) {
	return c.rmAddresses("yarn.resourcemanager.address", portRM)
}

// Schedulers gives the addresses for ApplicationMasters (yarn.resourcemanager.scheduler.address).
func (c *Conf) Schedulers() ([]string, error) {
	return c.rmAddresses("yarn.resourcemanager.scheduler.address", portScheduler)
}

// ResourceManagerWeb gives the scheme and addresses of the web interface.
func (c *Conf) ResourceManagerWeb() (scheme string, addrs []string, err error) {
	if c.Get("yarn.http.policy") == "HTTPS_ONLY" {
		addrs, err = c.rmAddresses("yarn.resourcemanager.webapp.https.address", portWebTLS)
		return "https", addrs, err
	}
	addrs, err = c.rmAddresses("yarn.resourcemanager.webapp.address", portWeb)
	return "http", addrs, err
}

func (c *Conf) rmAddresses(key, port string) ([]string, error) {
	if !c.Bool("yarn.resourcemanager.ha.enabled", false) {
		addr, err := withPort(c.Get(key), port)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		return []string{addr}, nil
	}
	var out []string
	for _, id := range c.Strings("yarn.resourcemanager.ha.rm-ids") {
		v := c.Get(key + "." + id)
		if v == "" {
			v = c.Get("yarn.resourcemanager.hostname." + id)
		}
		if v == "" {
			return nil, fmt.Errorf("neither %s.%s nor yarn.resourcemanager.hostname.%s is set", key, id, id)
		}
		addr, err := withPort(v, port)
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", key, id, err)
		}
		out = append(out, addr)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("yarn.resourcemanager.ha.enabled is true, but yarn.resourcemanager.ha.rm-ids is empty")
	}
	return out, nil
}

// withPort adds the default port to an address without one.
func withPort(addr, port string) (string, error) {
	if addr == "" {
		return "", fmt.Errorf("the address is empty")
	}
	if strings.HasPrefix(addr, "[") && strings.HasSuffix(addr, "]") {
		addr = addr[1 : len(addr)-1]
	} else if _, _, err := net.SplitHostPort(addr); err == nil {
		return addr, nil
	} else if strings.Contains(addr, ":") && net.ParseIP(addr) == nil {
		return "", fmt.Errorf("%q is no address of the form host:port", addr)
	}
	return net.JoinHostPort(addr, port), nil
}

// Principal gives the Kerberos principal under key with _HOST replaced by the host of addr.
func (c *Conf) Principal(key, addr string) (string, error) {
	p := c.Get(key)
	if p == "" {
		return "", fmt.Errorf("%s is not set, but the cluster authenticates with Kerberos", key)
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return "", fmt.Errorf("address %q: %w", addr, err)
	}
	return strings.Replace(p, "/_HOST", "/"+strings.ToLower(host), 1), nil
}
