package taskmanager

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"
)

// DetectHost returns the address of this host that reaches target (host:port),
// for others to reach us by: on a host with several networks the one that the
// JobManager is on. It tries a connection, and takes the routing table's word
// where nobody listens yet.
func DetectHost(ctx context.Context, target string, log *slog.Logger) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", target)
	if err != nil {
		c, err = net.Dial("udp", target) // sends nothing
	}
	if err != nil {
		return "", fmt.Errorf("finding the address that reaches the JobManager at %s: %w (set taskmanager.host)", target, err)
	}
	defer c.Close()
	host, _, err := net.SplitHostPort(c.LocalAddr().String())
	if err != nil {
		return "", fmt.Errorf("finding the address that reaches the JobManager at %s: %w", target, err)
	}
	name := host
	if names, err := net.DefaultResolver.LookupAddr(ctx, host); err == nil && len(names) > 0 {
		name = names[0]
	}
	log.Info(fmt.Sprintf("TaskManager will use hostname/address '%s' (%s) for communication.", name, host))
	return host, nil
}
