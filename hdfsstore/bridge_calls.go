package hdfsstore

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"goflink/hadooprpc"
	"goflink/hadooprpc/proto/hdfsproto"
)

// renewLeaseEvery is how often the lease on a file that is written is renewed.
// The NameNode lets others take a file over after 60 s without renewal (the soft
// limit); three tries fit in. The library itself asks every second, which a
// thousand workers must not do to a NameNode.
const renewLeaseEvery = 20 * time.Second

// Flags of the call create: make it new, empty an existing one, and keep
// replicating in a folder whose policy is erasure coding, which the library
// cannot write.
const (
	createFlag          = 1
	overwriteFlag       = 2
	shouldReplicateFlag = 0x80
)

// allocateTries and completeTries bound how often the NameNode is asked for the
// next block, or to close a file, while its blocks are not reported yet. The
// pauses double from 100 ms to 3.2 s: 16 s and 20 s altogether, of the order of
// Java's five to ten tries from 400 ms on, quicker at first since mostly the
// report is only milliseconds away.
const (
	allocateTries = 9
	completeTries = 10
	firstPause    = 100 * time.Millisecond
	longestPause  = 3200 * time.Millisecond
)

// fileCalls repairs the library's calls for one file. It is used under the
// library's lock, but for pipeline, which the owner of the file reads when the
// library is at rest.
type fileCalls struct {
	write   bool
	create  CreateOptions
	renewed time.Time
	// pipeline are the nodes of the block that is written.
	pipeline []*hdfsproto.DatanodeInfoProto
	// status and locations answer the library's questions about a file that is
	// read; locations is empty until asked for once.
	status    []byte
	locations *locations
}

// call answers one call of the library.
func (f *fileCalls) call(b *bridge, method string, request []byte) ([]byte, error) {
	switch method {
	case "renewLease":
		return f.renewLease(b, request)
	case "getServerDefaults":
		return b.h.defaults.raw(b)
	case "getFileInfo":
		if f.status != nil {
			return f.status, nil
		}
	case "getBlockLocations":
		if f.locations != nil {
			return f.locations.get(b, request)
		}
	case "create":
		return f.createFile(b, request)
	case "addBlock":
		return f.addBlock(b, request)
	case "complete":
		return f.complete(b, request)
	}
	return b.forward(method, request)
}

func (f *fileCalls) renewLease(b *bridge, request []byte) ([]byte, error) {
	if !f.write || time.Since(f.renewed) < renewLeaseEvery {
		return nil, nil
	}
	f.renewed = time.Now()
	return b.forward("renewLease", request)
}

// createFile sets the flags that the library does not know.
func (f *fileCalls) createFile(b *bridge, request []byte) ([]byte, error) {
	req := &hdfsproto.CreateRequestProto{}
	if err := proto.Unmarshal(request, req); err != nil {
		return nil, fmt.Errorf("request create: %w", err)
	}
	flags := uint32(createFlag | shouldReplicateFlag)
	if f.create.Overwrite {
		flags |= overwriteFlag
	}
	req.CreateFlag, req.CreateParent = proto.Uint32(flags), proto.Bool(!f.create.NoParents)
	f.renewed = time.Now()
	resp := &hdfsproto.CreateResponseProto{}
	if err := b.exchange("create", req, resp); err != nil {
		return nil, err
	}
	if resp.GetFs().GetFileEncryptionInfo() != nil {
		return nil, errEncryptionZone
	}
	return proto.Marshal(resp)
}

var errEncryptionZone = &Error{Op: "create", Err: errors.ErrUnsupported,
	Reason: "the folder is an HDFS encryption zone, which goflink cannot use: choose a folder outside of it"}

// addBlock asks for the next block away from nodes that failed lately, and
// waits while the NameNode has not heard of the previous block.
func (f *fileCalls) addBlock(b *bridge, request []byte) ([]byte, error) {
	req := &hdfsproto.AddBlockRequestProto{}
	if err := proto.Unmarshal(request, req); err != nil {
		return nil, fmt.Errorf("request addBlock: %w", err)
	}
	req.ExcludeNodes = append(req.ExcludeNodes, b.h.nodes.excluded()...)
	pause := firstPause
	for try := 1; ; try++ {
		resp := &hdfsproto.AddBlockResponseProto{}
		err := b.exchange("addBlock", req, resp)
		if err == nil {
			f.pipeline = resp.GetBlock().GetLocs()
			return proto.Marshal(resp)
		}
		switch {
		case len(req.ExcludeNodes) > 0 && isPlacementFailure(err):
			// Too few nodes are left: better a node that failed than none.
			b.h.nodes.forget()
			req.ExcludeNodes = nil
			continue
		case !hadooprpc.IsRemote(err, "NotReplicatedYetException") || try == allocateTries:
			return nil, err
		}
		if serr := sleep(b.ctx, pause); serr != nil {
			return nil, serr
		}
		pause = min(2*pause, longestPause)
	}
}

func isPlacementFailure(err error) bool {
	var remote *hadooprpc.RemoteError
	return errors.As(err, &remote) && errors.Is(kindByMessage(remote.Message), ErrNoSpace)
}

// complete closes the file. The answer false means that no DataNode has reported
// the last block yet: the file is not closed, whatever the library's
// documentation says of ignoring it.
func (f *fileCalls) complete(b *bridge, request []byte) ([]byte, error) {
	req := &hdfsproto.CompleteRequestProto{}
	if err := proto.Unmarshal(request, req); err != nil {
		return nil, fmt.Errorf("request complete: %w", err)
	}
	pause := firstPause
	for try := 1; ; try++ {
		resp := &hdfsproto.CompleteResponseProto{}
		if err := b.exchange("complete", req, resp); err != nil {
			return nil, err
		}
		if resp.GetResult() {
			return proto.Marshal(resp)
		}
		if try == completeTries {
			return nil, &Error{Op: "close", Path: b.h.URI(req.GetSrc()), Err: errLease, Transient: true,
				Reason: "no DataNode has reported the file's last block to the NameNode"}
		}
		if serr := sleep(b.ctx, pause); serr != nil {
			return nil, serr
		}
		pause = min(2*pause, longestPause)
	}
}

// isStriped tells whether a file is erasure coded.
func isStriped(st *hdfsproto.HdfsFileStatusProto) bool {
	name := st.GetEcPolicy().GetName()
	return st.GetEcPolicy() != nil && !strings.EqualFold(name, "REPLICATION")
}
