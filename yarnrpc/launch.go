package yarnrpc

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"goflink/hadooprpc"
	pb "goflink/hadooprpc/proto/yarnproto"
)

// Visibility says who shares a localised file on a node.
type Visibility string

// Visibilities. Public needs a file and folders that everybody may read, and is shared by all users; private is
// shared by the user's applications; application by the containers of one application.
const (
	VisibilityPublic      Visibility = "PUBLIC"
	VisibilityPrivate     Visibility = "PRIVATE"
	VisibilityApplication Visibility = "APPLICATION"
)

// LocalResource is a file that the NodeManager fetches into the container's folder before it starts. Plain
// files arrive executable (mode 0500, public ones 0555).
type LocalResource struct {
	URI        string     // hdfs://host:port/path, hdfs://nameservice/path
	Size       int64      // bytes; must equal the file's
	ModTime    time.Time  // must equal the file's to the millisecond
	Archive    bool       // unpack it into a folder of the resource's name
	Visibility Visibility // default APPLICATION
}

// LaunchContext says how to start a container.
type LaunchContext struct {
	// Resources are the files, by their name in the container's folder.
	Resources map[string]LocalResource

	// Env are literal values; whatever they hold reaches the process unchanged.
	Env map[string]string

	// EnvExpanded are values that the NodeManager expands: {{NAME}} is another variable, <LOG_DIR> the log
	// folder. They must hold nothing that a shell would take apart between double quotes.
	EnvExpanded map[string]string

	// Command is a bash command line; ShellCommand makes one.
	Command string

	// Credentials are written to the file HADOOP_TOKEN_FILE_LOCATION names in the container.
	Credentials *hadooprpc.Credentials

	// ViewACL and ModifyACL say who else may see and change the application ("user1,user2 group1", "*").
	ViewACL, ModifyACL string
}

// proto encodes the context with its maps in order, so that equal contexts are equal bytes.
func (l LaunchContext) proto() (*pb.ContainerLaunchContextProto, error) {
	p := &pb.ContainerLaunchContextProto{Command: []string{l.Command}}
	for _, name := range slices.Sorted(maps.Keys(l.Resources)) {
		r, err := l.Resources[name].proto()
		if err != nil {
			return nil, fmt.Errorf("local resource %s: %w", name, err)
		}
		p.LocalResources = append(p.LocalResources, &pb.StringLocalResourceMapProto{Key: proto.String(name), Value: r})
	}
	for _, k := range slices.Sorted(maps.Keys(l.Env)) {
		p.Environment = append(p.Environment, &pb.StringStringMapProto{Key: proto.String(k), Value: proto.String(escapeEnv(l.Env[k]))})
	}
	for _, k := range slices.Sorted(maps.Keys(l.EnvExpanded)) {
		if _, twice := l.Env[k]; twice {
			return nil, fmt.Errorf("environment variable %s is given twice", k)
		}
		p.Environment = append(p.Environment, &pb.StringStringMapProto{Key: proto.String(k), Value: proto.String(l.EnvExpanded[k])})
	}
	if l.Credentials != nil {
		p.Tokens = l.Credentials.Bytes()
	}
	if l.ViewACL != "" {
		p.Application_ACLs = append(p.Application_ACLs, acl(pb.ApplicationAccessTypeProto_APPACCESS_VIEW_APP, l.ViewACL))
	}
	if l.ModifyACL != "" {
		p.Application_ACLs = append(p.Application_ACLs, acl(pb.ApplicationAccessTypeProto_APPACCESS_MODIFY_APP, l.ModifyACL))
	}
	return p, nil
}

func acl(kind pb.ApplicationAccessTypeProto, who string) *pb.ApplicationACLMapProto {
	return &pb.ApplicationACLMapProto{AccessType: kind.Enum(), Acl: proto.String(who)}
}

func (r LocalResource) proto() (*pb.LocalResourceProto, error) {
	u, err := resourceURL(r.URI)
	if err != nil {
		return nil, err
	}
	kind := pb.LocalResourceTypeProto_FILE
	if r.Archive {
		kind = pb.LocalResourceTypeProto_ARCHIVE
	}
	visibility := pb.LocalResourceVisibilityProto_APPLICATION
	if r.Visibility != "" {
		v, ok := pb.LocalResourceVisibilityProto_value[string(r.Visibility)]
		if !ok {
			return nil, fmt.Errorf("visibility %q is unknown", r.Visibility)
		}
		visibility = pb.LocalResourceVisibilityProto(v)
	}
	return &pb.LocalResourceProto{
		Resource: u, Size: proto.Int64(r.Size), Timestamp: proto.Int64(r.ModTime.UnixMilli()),
		Type: kind.Enum(), Visibility: visibility.Enum(),
	}, nil
}

// resourceURL splits a URI. A logical name service has the port -1: unset would be read as 0.
func resourceURL(uri string) (*pb.URLProto, error) {
	u, err := url.Parse(uri)
	if err != nil {
		return nil, fmt.Errorf("malformed URI: %w", err)
	}
	if u.Scheme == "" || u.Path == "" {
		return nil, fmt.Errorf("%q is no absolute URI", uri)
	}
	port := -1
	if u.Port() != "" {
		if port, err = strconv.Atoi(u.Port()); err != nil {
			return nil, fmt.Errorf("port of %q: %w", uri, err)
		}
	}
	p := &pb.URLProto{Scheme: proto.String(u.Scheme), Port: proto.Int32(int32(port)), File: proto.String(u.Path)}
	if u.Hostname() != "" {
		p.Host = proto.String(u.Hostname())
	}
	return p, nil
}

// The NodeManager writes a bash script. There a variable stands as  export NAME="value"  and the command as
// exec /bin/bash -c "command", both unescaped; before that it turns {{ into $ and drops }} everywhere.
var (
	doubleQuoted = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "`", "\\`")
	envBraces    = strings.NewReplacer("{{", `{""{`, "}}", `}""}`)
	shellBraces  = strings.NewReplacer("{{", "{''{", "}}", "}''}")
)

// escapeEnv makes a value survive the script.
func escapeEnv(v string) string {
	return breakBraces(doubleQuoted.Replace(v), envBraces)
}

// breakBraces splits doubled braces until none is left ("}}}" needs two rounds).
func breakBraces(s string, r *strings.Replacer) string {
	for strings.Contains(s, "{{") || strings.Contains(s, "}}") {
		s = r.Replace(s)
	}
	return s
}

// Quote makes an argument survive the script and the shell in it.
func Quote(arg string) string {
	return breakBraces(doubleQuoted.Replace("'"+strings.ReplaceAll(arg, "'", `'\''`)+"'"), shellBraces)
}

// ShellCommand makes the command line of a program with its arguments that replaces the shell and writes to
// files of the container's log folder.
func ShellCommand(argv []string, stdout, stderr string) string {
	parts := []string{"exec"}
	for _, a := range argv {
		parts = append(parts, Quote(a))
	}
	return strings.Join(append(parts, "1>><LOG_DIR>/"+stdout, "2>><LOG_DIR>/"+stderr), " ")
}
