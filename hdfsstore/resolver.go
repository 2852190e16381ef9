package hdfsstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"os/user"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"goflink/hadooprpc"
)

// Options configure a Resolver. The zero value resolves local paths and
// hdfs://host:port/ URIs.
type Options struct {
	// Hadoop is the configuration of *-site.xml files; nil means none.
	Hadoop *hadooprpc.Conf
	// DefaultScheme is fs.default-scheme: the URI whose scheme and authority
	// paths without a scheme get, such as "hdfs://nameservice/". Empty means
	// local.
	DefaultScheme string
	// User is the name the NameNode sees when it takes the client's word; empty
	// means HADOOP_USER_NAME, $USER or the system's name of this process, in
	// this order.
	User string
	// TokenFile is a file of delegation tokens; empty means
	// HADOOP_TOKEN_FILE_LOCATION. It is read again when a connection is made, so
	// a renewed file is picked up.
	TokenFile string
	// Kerberos is the login on clusters that demand one; nil means none.
	Kerberos *hadooprpc.Kerberos
	// Auth replaces the choice of credentials, by authority: token file, then
	// Kerberos, then User. An ApplicationMaster that gets tokens anew sets it.
	Auth func(authority string) hadooprpc.AuthSource
	// HDFS tunes HDFS file systems.
	HDFS HDFSOptions
	// Logger hears of connections that failed over; nil means slog.Default.
	Logger *slog.Logger
}

// Resolver hands out file systems by URI and keeps one of each scheme and
// authority, with its connections, until Close.
type Resolver struct {
	o  Options
	mu struct {
		sync.Mutex
		closed bool
		open   map[string]FS // by authority, HDFS only
	}
}

// NewResolver returns a resolver. It connects to nothing before a file system
// is used.
func NewResolver(o Options) *Resolver {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Hadoop == nil {
		o.Hadoop = hadooprpc.NewConf(nil)
	}
	if o.User == "" && o.Kerberos != nil {
		o.User = o.Kerberos.ShortName()
	}
	if o.User == "" {
		o.User = SystemUser()
	}
	if o.TokenFile == "" {
		o.TokenFile = os.Getenv("HADOOP_TOKEN_FILE_LOCATION")
	}
	r := &Resolver{o: o}
	r.mu.open = map[string]FS{}
	return r
}

// SystemUser is the name by which this process goes at Hadoop without Kerberos:
// HADOOP_USER_NAME, $USER, or the system's name for it.
func SystemUser() string {
	for _, key := range []string{"HADOOP_USER_NAME", "USER"} {
		if name := os.Getenv(key); name != "" {
			return name
		}
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "nobody"
}

var schemePattern = regexp.MustCompile(`^([a-zA-Z][a-zA-Z0-9+.-]*):`)

// For splits a URI into a file system and a path on it. It knows
// "hdfs://host:port/p", "hdfs://nameservice/p", "hdfs:///p" (the file system of
// fs.defaultFS), "file:///p", and plain paths, which are local unless
// DefaultScheme says otherwise; a relative local path counts from the working
// directory, a relative HDFS path from the user's home folder.
func (r *Resolver) For(uri string) (FS, string, error) {
	if uri == "" {
		return nil, "", errors.New("empty path")
	}
	if strings.ContainsRune(uri, 0) {
		return nil, "", fmt.Errorf("path %q contains a zero byte", uri)
	}
	m := schemePattern.FindStringSubmatch(uri)
	if m == nil {
		return r.plain(uri)
	}
	rest := uri[len(m[0]):]
	switch strings.ToLower(m[1]) {
	case "file":
		return localURI(uri, rest)
	case "hdfs":
		authority, p := splitAuthority(rest)
		return r.hdfs(uri, authority, p)
	}
	return nil, "", UnknownScheme(m[1], uri)
}

// UnknownScheme is the error for a URI whose scheme nothing here reads.
func UnknownScheme(scheme, uri string) error {
	return fmt.Errorf("unknown file system scheme %q in %s: goflink reads and writes file:// and hdfs:// "+
		"(a path without a scheme is local); copy the data there, or mount it", scheme, uri)
}

func localURI(uri, rest string) (FS, string, error) {
	authority, p := splitAuthority(rest)
	if authority != "" && authority != "localhost" {
		return nil, "", fmt.Errorf("%s names a host; a local path is written file:///path", uri)
	}
	return plainLocal(unescape(p))
}

func plainLocal(p string) (FS, string, error) {
	abs, err := filepath.Abs(p)
	if err != nil {
		return nil, "", fmt.Errorf("path %s: %w", p, err)
	}
	return Local{}, abs, nil
}

func (r *Resolver) plain(p string) (FS, string, error) {
	m := schemePattern.FindStringSubmatch(r.o.DefaultScheme)
	switch {
	case m == nil || strings.EqualFold(m[1], "file"):
		return plainLocal(p)
	case strings.EqualFold(m[1], "hdfs"):
		authority, _ := splitAuthority(r.o.DefaultScheme[len(m[0]):])
		return r.hdfs(p, authority, p)
	}
	return nil, "", UnknownScheme(m[1], r.o.DefaultScheme)
}

// splitAuthority splits "//authority/path".
func splitAuthority(rest string) (authority, p string) {
	after, ok := strings.CutPrefix(rest, "//")
	if !ok {
		return "", rest
	}
	authority, p, _ = strings.Cut(after, "/")
	return authority, "/" + p
}

// unescape undoes %20 and the like, as Hadoop's Path does not but URIs of
// other programs need; what is no valid escape stays as it is.
func unescape(p string) string {
	if u, err := url.PathUnescape(p); err == nil {
		return u
	}
	return p
}

func (r *Resolver) hdfs(uri, authority, p string) (FS, string, error) {
	if authority == "" {
		var err error
		if authority, err = r.defaultAuthority(uri); err != nil {
			return nil, "", err
		}
	}
	if !strings.HasPrefix(p, "/") {
		p = path.Join("/user", r.o.User, p)
	}
	fsys, err := r.forAuthority(authority)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", uri, err)
	}
	return fsys, path.Clean(p), nil
}

// defaultAuthority is that of fs.defaultFS.
func (r *Resolver) defaultAuthority(uri string) (string, error) {
	value := r.o.Hadoop.DefaultFS()
	rest, ok := strings.CutPrefix(value, "hdfs:")
	if authority, _ := splitAuthority(rest); ok && authority != "" {
		return authority, nil
	}
	if value == "" || value == "file:///" {
		return "", fmt.Errorf("%s names no NameNode and there is no fs.defaultFS: set HADOOP_CONF_DIR to the folder of core-site.xml, or write hdfs://host:port/path", uri)
	}
	return "", fmt.Errorf("%s names no NameNode and fs.defaultFS is %s, which is not HDFS: write hdfs://host:port/path", uri, value)
}

func (r *Resolver) forAuthority(authority string) (FS, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.closed {
		return nil, errors.New("file systems are closed")
	}
	if fsys, ok := r.mu.open[authority]; ok {
		return fsys, nil
	}
	fsys, err := r.newHDFS(authority)
	if err != nil {
		return nil, err
	}
	r.mu.open[authority] = fsys
	return fsys, nil
}

// Default is the file system of fs.defaultFS and the user's home folder on it.
func (r *Resolver) Default() (FS, string, error) {
	return r.For("hdfs:///user/" + r.o.User)
}

// User is the name by which the NameNode knows this process.
func (r *Resolver) User() string { return r.o.User }

// Publish writes a file whole or not at all under a URI; see the function
// Publish.
func (r *Resolver) Publish(ctx context.Context, uri string, o PublishOptions, write func(io.Writer) error) error {
	fsys, p, err := r.For(uri)
	if err != nil {
		return err
	}
	return Publish(ctx, fsys, p, o, write)
}

// Close closes all file systems.
func (r *Resolver) Close() error {
	r.mu.Lock()
	open := r.mu.open
	r.mu.open, r.mu.closed = nil, true
	r.mu.Unlock()
	var errs []error
	for _, fsys := range open {
		errs = append(errs, fsys.Close())
	}
	return errors.Join(errs...)
}
