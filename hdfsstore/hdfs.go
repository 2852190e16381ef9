package hdfsstore

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"path"
	"sort"
	"time"

	"google.golang.org/protobuf/proto"

	"goflink/hadooprpc"
	"goflink/hadooprpc/proto/hdfsproto"
)

// HDFSOptions tune HDFS file systems. Zero values mean the defaults.
type HDFSOptions struct {
	// CallTimeout bounds one call to the NameNode with all its repetitions and
	// fail-overs; default 60 s, above the 10-30 s that a NameNode fail-over
	// takes, below the usual checkpoint time-out of minutes.
	CallTimeout time.Duration
	// IOTimeout bounds each single wait for a DataNode; default 60 s, as
	// dfs.client.socket-timeout.
	IOTimeout time.Duration
	// DialTimeout bounds connecting to a DataNode; default 10 s. A dead host
	// must not hold up the choice of another one.
	DialTimeout time.Duration
	// ExcludeFor is how long a DataNode that failed is kept out of new files;
	// default 10 min: what a NameNode takes by default to notice by itself
	// (10.5 min).
	ExcludeFor time.Duration
	// Dial makes network connections to NameNodes and DataNodes; nil means TCP.
	// Tests inject faults here.
	Dial hadooprpc.DialFunc
}

func (o HDFSOptions) withDefaults() HDFSOptions {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&o.CallTimeout, time.Minute)
	set(&o.IOTimeout, time.Minute)
	set(&o.DialTimeout, 10*time.Second)
	set(&o.ExcludeFor, 10*time.Minute)
	if o.Dial == nil {
		o.Dial = (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext
	}
	return o
}

// nameNode makes calls of Hadoop's ClientProtocol to the active NameNode. It
// finds it among several, repeats calls after a lost connection under the same
// call id, for CallTimeout at most, and may be used concurrently. It is a
// hadooprpc.Client, or a part played in a test.
type nameNode interface {
	Call(ctx context.Context, method string, request, response proto.Message) error
	Close() error
}

// HDFS is one HDFS cluster: one authority of hdfs:// URIs.
//
// Calls about names (Stat, List, Rename, …) go straight to the NameNode. Bytes
// go through the HDFS client library, one client instance for each open file;
// these clients do not connect to the NameNode but to a bridge (see bridge.go)
// that makes their calls through the same nameNode, with what the library lacks.
type HDFS struct {
	authority string
	logical   bool // the authority is a name service
	addresses []string
	user      string
	o         HDFSOptions
	nn        nameNode
	log       *slog.Logger
	nodes     *nodeWatch
	defaults  serverDefaults
	// protection of data transfers, as in dfs.data.transfer.protection; empty on
	// clusters without Kerberos.
	protection string
}

var _ FS = (*HDFS)(nil)

// Scheme is "hdfs".
func (h *HDFS) Scheme() string { return "hdfs" }

// URI is "hdfs://", the authority and the path.
func (h *HDFS) URI(p string) string { return "hdfs://" + h.authority + p }

// Authority is host:port of the NameNode, or the name service.
func (h *HDFS) Authority() string { return h.authority }

// Close ends the connection to the NameNode.
func (h *HDFS) Close() error { return h.nn.Close() }

// call makes one call of op on the path p and explains its error.
func (h *HDFS) call(ctx context.Context, op, p, method string, request, response proto.Message) error {
	err := h.nn.Call(ctx, method, request, response)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return &Error{Op: op, Path: h.URI(p), Err: errors.Join(context.Cause(ctx), err), Reason: context.Cause(ctx).Error()}
	}
	return h.explain(op, p, err)
}

// Stat describes a path; see FS.
func (h *HDFS) Stat(ctx context.Context, p string) (Info, error) {
	st, err := h.status(ctx, "stat", p)
	if err != nil {
		return Info{}, err
	}
	return hdfsInfo(p, st), nil
}

func (h *HDFS) status(ctx context.Context, op, p string) (*hdfsproto.HdfsFileStatusProto, error) {
	resp := &hdfsproto.GetFileInfoResponseProto{}
	if err := h.call(ctx, op, p, "getFileInfo", &hdfsproto.GetFileInfoRequestProto{Src: proto.String(p)}, resp); err != nil {
		return nil, err
	}
	if resp.GetFs() == nil {
		return nil, &Error{Op: op, Path: h.URI(p), Err: fs.ErrNotExist, Reason: noSuchFile}
	}
	return resp.GetFs(), nil
}

const noSuchFile = "no such file or folder"

func hdfsInfo(p string, st *hdfsproto.HdfsFileStatusProto) Info {
	info := Info{
		Path: path.Clean(p), Name: path.Base(p),
		ModTime:   time.UnixMilli(int64(st.GetModificationTime())),
		IsDir:     st.GetFileType() == hdfsproto.HdfsFileStatusProto_IS_DIR,
		Perm:      fs.FileMode(st.GetPermission().GetPerm()).Perm(),
		Owner:     st.GetOwner(),
		Group:     st.GetGroup(),
		BlockSize: int64(st.GetBlocksize()), Replication: int(st.GetBlockReplication()),
	}
	if !info.IsDir {
		info.Size = int64(st.GetLength())
	}
	return info
}

// listLimit bounds the entries of one folder that List takes, so that a folder
// of many millions is an error with a name instead of a process out of memory.
const listLimit = 4 << 20

// List describes the children of a folder; see FS.
func (h *HDFS) List(ctx context.Context, p string) ([]Info, error) {
	var out []Info
	after := []byte{} // required, also when empty
	for {
		req := &hdfsproto.GetListingRequestProto{Src: proto.String(p), StartAfter: after, NeedLocation: proto.Bool(false)}
		resp := &hdfsproto.GetListingResponseProto{}
		if err := h.call(ctx, "list", p, "getListing", req, resp); err != nil {
			return nil, err
		}
		dir := resp.GetDirList()
		if dir == nil {
			return nil, &Error{Op: "list", Path: h.URI(p), Err: fs.ErrNotExist, Reason: noSuchFile}
		}
		entries := dir.GetPartialListing()
		for _, st := range entries {
			if len(st.GetPath()) == 0 {
				return nil, &Error{Op: "list", Path: h.URI(p), Err: ErrNotDir}
			}
			out = append(out, hdfsInfo(path.Join(p, string(st.GetPath())), st))
		}
		if dir.GetRemainingEntries() == 0 || len(entries) == 0 {
			break
		}
		if len(out) > listLimit {
			return nil, &Error{Op: "list", Path: h.URI(p), Err: errTooLong, Reason: "the folder has more entries than can be listed at once"}
		}
		after = entries[len(entries)-1].GetPath()
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out, nil
}

// Rename moves without overwriting; see FS.
func (h *HDFS) Rename(ctx context.Context, from, to string) error {
	return h.rename(ctx, "rename", from, to, false)
}

// Replace moves over an existing file; see FS.
func (h *HDFS) Replace(ctx context.Context, from, to string) error {
	return h.rename(ctx, "replace", from, to, true)
}

// rename is the call rename2, whose answer without overwriting is an exception
// when the target exists. The older call rename would move into an existing
// folder instead.
func (h *HDFS) rename(ctx context.Context, op, from, to string, overwrite bool) error {
	req := &hdfsproto.Rename2RequestProto{Src: proto.String(from), Dst: proto.String(to), OverwriteDest: proto.Bool(overwrite)}
	err := h.call(ctx, op, from, "rename2", req, &hdfsproto.Rename2ResponseProto{})
	var e *Error
	if errors.As(err, &e) {
		e.Path += " to " + h.URI(to)
	}
	return err
}

// Mkdir makes a folder and its parents; see FS.
func (h *HDFS) Mkdir(ctx context.Context, p string, perm fs.FileMode) error {
	return h.mkdirs(ctx, p, perm, true)
}

func (h *HDFS) mkdirs(ctx context.Context, p string, perm fs.FileMode, parents bool) error {
	req := &hdfsproto.MkdirsRequestProto{
		Src: proto.String(p), CreateParent: proto.Bool(parents),
		Masked: &hdfsproto.FsPermissionProto{Perm: proto.Uint32(uint32(perm.Perm()))},
	}
	resp := &hdfsproto.MkdirsResponseProto{}
	if err := h.call(ctx, "mkdir", p, "mkdirs", req, resp); err != nil {
		return err
	}
	if !resp.GetResult() {
		return &Error{Op: "mkdir", Path: h.URI(p), Err: fs.ErrInvalid, Reason: "the NameNode refused to make the folder"}
	}
	return nil
}

// MkdirExclusive makes a folder that must not exist; see FS. The NameNode has
// no such call (mkdirs succeeds on an existing folder), but its rename without
// overwriting is exclusive: a folder of a random name is made and renamed.
func (h *HDFS) MkdirExclusive(ctx context.Context, p string, perm fs.FileMode) error {
	if _, err := h.status(ctx, "mkdir", p); err == nil {
		return &Error{Op: "mkdir", Path: h.URI(p), Err: fs.ErrExist}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	temporary := path.Join(path.Dir(p), temporaryName(path.Base(p)))
	if err := h.mkdirs(ctx, temporary, perm, false); err != nil {
		return err
	}
	err := h.rename(ctx, "mkdir", temporary, p, false)
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		e.Path = h.URI(p)
	}
	// Best effort: an empty folder with the temporary prefix harms nobody.
	_ = h.Delete(context.WithoutCancel(ctx), temporary, true)
	return err
}

// Delete removes a path; see FS.
func (h *HDFS) Delete(ctx context.Context, p string, recursive bool) error {
	if path.Clean(p) == "/" {
		return &Error{Op: "delete", Path: h.URI(p), Err: fs.ErrInvalid, Reason: "refusing to delete the root folder"}
	}
	req := &hdfsproto.DeleteRequestProto{Src: proto.String(p), Recursive: proto.Bool(recursive)}
	err := h.call(ctx, "delete", p, "delete", req, &hdfsproto.DeleteResponseProto{})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Touch sets the time of the last change.
func (h *HDFS) Touch(ctx context.Context, p string, t time.Time) error {
	ms := proto.Uint64(uint64(t.UnixMilli()))
	req := &hdfsproto.SetTimesRequestProto{Src: proto.String(p), Mtime: ms, Atime: ms}
	return h.call(ctx, "touch", p, "setTimes", req, &hdfsproto.SetTimesResponseProto{})
}
