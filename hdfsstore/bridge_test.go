package hdfsstore

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"goflink/hadooprpc"
	"goflink/hadooprpc/proto/hadoopproto"
	"goflink/hadooprpc/proto/hdfsproto"
)

// part is a NameNode that plays a part: an answer for each call.
type part struct {
	mu     sync.Mutex
	calls  []string
	answer func(method string, n int, req proto.Message) (proto.Message, error)
}

func (p *part) Call(_ context.Context, method string, req, resp proto.Message) error {
	p.mu.Lock()
	n := 0
	for _, c := range p.calls {
		if c == method {
			n++
		}
	}
	p.calls = append(p.calls, method)
	p.mu.Unlock()
	answer, err := p.answer(method, n, req)
	if err != nil {
		return err
	}
	if answer == nil {
		return nil
	}
	data, err := proto.Marshal(answer)
	if err != nil {
		return err
	}
	return proto.Unmarshal(data, resp)
}

func (p *part) Close() error { return nil }

func (p *part) count(method string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, c := range p.calls {
		if c == method {
			n++
		}
	}
	return n
}

func play(answer func(method string, n int, req proto.Message) (proto.Message, error)) (*HDFS, *part) {
	p := &part{answer: answer}
	return NewResolver(Options{User: "eve"}).overNameNode("nn:1", p, HDFSOptions{}.withDefaults()), p
}

func remote(class, message string) error {
	return &hadooprpc.RemoteError{Class: class, Message: message}
}

func fileStatus(length uint64) *hdfsproto.HdfsFileStatusProto {
	return &hdfsproto.HdfsFileStatusProto{
		FileType: hdfsproto.HdfsFileStatusProto_IS_FILE.Enum(), Path: []byte{}, Length: proto.Uint64(length),
		Permission: &hdfsproto.FsPermissionProto{Perm: proto.Uint32(0o644)}, Owner: proto.String("eve"), Group: proto.String("g"),
		ModificationTime: proto.Uint64(1), AccessTime: proto.Uint64(1), FileId: proto.Uint64(7),
	}
}

// usual answers the calls of an empty file's life.
func usual(method string) (proto.Message, error) {
	switch method {
	case "getServerDefaults":
		return &hdfsproto.GetServerDefaultsResponseProto{ServerDefaults: &hdfsproto.FsServerDefaultsProto{
			BlockSize: proto.Uint64(1 << 27), BytesPerChecksum: proto.Uint32(512), WritePacketSize: proto.Uint32(65536),
			Replication: proto.Uint32(3), FileBufferSize: proto.Uint32(4096),
		}}, nil
	case "create":
		return &hdfsproto.CreateResponseProto{Fs: fileStatus(0)}, nil
	case "getFileInfo":
		return &hdfsproto.GetFileInfoResponseProto{Fs: fileStatus(0)}, nil
	case "complete":
		return &hdfsproto.CompleteResponseProto{Result: proto.Bool(true)}, nil
	case "delete":
		return &hdfsproto.DeleteResponseProto{Result: proto.Bool(true)}, nil
	}
	return nil, nil
}

// direct makes a call as the library would, without the library: its lock would
// keep the clock of a test from running.
func direct(t *testing.T, h *HDFS, method string, req proto.Message) error {
	t.Helper()
	data, err := proto.Marshal(req)
	if err != nil {
		t.Fatal(err)
	}
	b := newBridge(t.Context(), h)
	_, err = b.file.call(b, method, data)
	return err
}

// TestComplete has the NameNode say "not yet" for a while: the bridge goes on
// asking, and gives up with an error that may be retried.
func TestComplete(t *testing.T) {
	for _, c := range []struct {
		denials int
		ok      bool
	}{{0, true}, {completeTries - 1, true}, {completeTries, false}} {
		synctest.Test(t, func(t *testing.T) {
			h, _ := play(func(method string, n int, _ proto.Message) (proto.Message, error) {
				return &hdfsproto.CompleteResponseProto{Result: proto.Bool(n >= c.denials)}, nil
			})
			err := direct(t, h, "complete", &hdfsproto.CompleteRequestProto{Src: proto.String("/f"), ClientName: proto.String("c")})
			if (err == nil) != c.ok || err != nil && (!IsTransient(err) || !strings.Contains(err.Error(), "hdfs://nn:1/f")) {
				t.Errorf("after %d denials: %v", c.denials, err)
			}
		})
	}
}

// TestFailedClose has the NameNode refuse to close the file: the error is kept,
// and Abort removes the file.
func TestFailedClose(t *testing.T) {
	h, nn := play(func(method string, _ int, _ proto.Message) (proto.Message, error) {
		if method == "complete" {
			return nil, remote("org.apache.hadoop.hdfs.server.namenode.LeaseExpiredException", "No lease on /f\n\tat org.apache")
		}
		return usual(method)
	})
	w, err := h.Create(t.Context(), "/f", CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); !IsTransient(err) || strings.Contains(err.Error(), "org.apache") {
		t.Errorf("Close gives %v", err)
	}
	if err := errors.Join(w.Abort(), w.Abort()); err != nil {
		t.Error(err)
	}
	if n := nn.count("delete"); n != 1 {
		t.Errorf("%d removals", n)
	}
}

// TestCreateFlags has the library's create gain what it lacks.
func TestCreateFlags(t *testing.T) {
	for _, overwrite := range []bool{false, true} {
		var got *hdfsproto.CreateRequestProto
		h, _ := play(func(method string, _ int, req proto.Message) (proto.Message, error) {
			if method == "create" {
				got = proto.Clone(req).(*hdfsproto.CreateRequestProto)
			}
			return usual(method)
		})
		w, err := h.Create(t.Context(), "/a/f", CreateOptions{Overwrite: overwrite, Perm: 0o600, Replication: 5, BlockSize: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		want := uint32(createFlag | shouldReplicateFlag)
		if overwrite {
			want |= overwriteFlag
		}
		if got.GetCreateFlag() != want || !got.GetCreateParent() || got.GetSrc() != "/a/f" || got.GetMasked().GetPerm() != 0o600 ||
			got.GetReplication() != 5 || got.GetBlockSize() != 1<<20 {
			t.Errorf("create request %v", got)
		}
	}
}

// TestLease has the library's request each second reach the NameNode as rarely
// as needed, and not at all for readers.
func TestLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, nn := play(func(method string, _ int, _ proto.Message) (proto.Message, error) { return usual(method) })
		f, err := h.Open(t.Context(), "/g")
		if err != nil {
			t.Fatal(err)
		}
		w, err := h.Create(t.Context(), "/f", CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(130 * time.Second)
		if n := nn.count("renewLease"); n != 6 {
			t.Errorf("%d renewals in 130 s", n)
		}
		if err := errors.Join(w.Close(), f.Close()); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		if n := nn.count("renewLease"); n != 6 {
			t.Errorf("%d renewals after the end", n)
		}
	})
}

// TestAddBlock avoids failed nodes, waits for the block before, and takes failed
// nodes rather than none.
func TestAddBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var excluded []int
		h, _ := play(func(method string, n int, req proto.Message) (proto.Message, error) {
			if method != "addBlock" {
				return usual(method)
			}
			excluded = append(excluded, len(req.(*hdfsproto.AddBlockRequestProto).GetExcludeNodes()))
			switch n {
			case 0:
				return nil, remote("org.apache.hadoop.hdfs.server.namenode.NotReplicatedYetException", "not yet")
			case 1:
				return nil, remote("java.io.IOException", "File /f could only be written to 0 of the 1 minReplication nodes.")
			}
			return nil, remote("org.apache.hadoop.hdfs.protocol.DSQuotaExceededException", "The DiskSpace quota is exceeded")
		})
		node := &hdfsproto.DatanodeInfoProto{Id: &hdfsproto.DatanodeIDProto{
			IpAddr: proto.String("127.0.0.9"), HostName: proto.String("h"), DatanodeUuid: proto.String("u"),
			XferPort: proto.Uint32(1), InfoPort: proto.Uint32(2), IpcPort: proto.Uint32(3),
		}}
		h.nodes.mu.failed["127.0.0.9:1"] = failedNode{info: node, until: time.Now().Add(time.Minute)}
		err := direct(t, h, "addBlock", &hdfsproto.AddBlockRequestProto{Src: proto.String("/f"), ClientName: proto.String("c")})
		err = h.explain("write", "/f", err)
		if !errors.Is(err, ErrNoSpace) || IsTransient(err) || !strings.Contains(err.Error(), "The DiskSpace quota is exceeded") {
			t.Errorf("Write gives %v", err)
		}
		if len(excluded) != 3 || excluded[0] != 1 || excluded[1] != 1 || excluded[2] != 0 {
			t.Errorf("excluded %v", excluded)
		}
	})
}

func TestExcludedNodesExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newNodeWatch(HDFSOptions{}.withDefaults(), false)
		w.mu.failed["a"] = failedNode{until: time.Now().Add(time.Minute)}
		if n := len(w.excluded()); n != 1 {
			t.Errorf("%d excluded", n)
		}
		time.Sleep(2 * time.Minute)
		if n := len(w.excluded()); n != 0 {
			t.Errorf("%d excluded after the time", n)
		}
	})
}

// TestErrorWords checks what users are told of the NameNode's exceptions.
func TestErrorWords(t *testing.T) {
	for _, c := range []struct {
		err       error
		kind      error
		transient bool
		text      string
	}{
		{remote("org.apache.hadoop.security.AccessControlException", "Permission denied: user=bob"), fs.ErrPermission, false, "stat hdfs://nn:1/f: Permission denied: user=bob"},
		{remote("java.io.FileNotFoundException", "File does not exist: /f"), fs.ErrNotExist, false, "stat hdfs://nn:1/f: no such file or folder"},
		{remote("org.apache.hadoop.hdfs.server.namenode.SafeModeException", "Cannot…"), ErrReadOnly, true, "stat hdfs://nn:1/f: the NameNode is in safe mode: HDFS is read-only"},
		{remote("java.lang.NullPointerException", ""), nil, false, "stat hdfs://nn:1/f: the NameNode answers NullPointerException"},
		{&hadooprpc.ConnectError{Addr: "h:1", Err: errors.New("refused")}, errUnreachable, true, "stat hdfs://nn:1/f: the NameNode nn:1 does not answer: hadoop rpc to h:1: refused"},
	} {
		h, _ := play(func(string, int, proto.Message) (proto.Message, error) { return nil, c.err })
		_, err := h.Stat(t.Context(), "/f")
		if err == nil || err.Error() != c.text || c.kind != nil && !errors.Is(err, c.kind) || IsTransient(err) != c.transient {
			t.Errorf("%v gives %v (transient %v)", c.err, err, IsTransient(err))
		}
		// The same through the library.
		_, err = h.Create(t.Context(), "/f", CreateOptions{})
		if err == nil || c.kind != nil && !errors.Is(err, c.kind) || IsTransient(err) != c.transient || strings.Contains(err.Error(), "org.apache") {
			t.Errorf("%v gives %v at Create", c.err, err)
		}
	}
}

func TestUnreadableFiles(t *testing.T) {
	for text, change := range map[string]func(*hdfsproto.HdfsFileStatusProto){
		"encryption zone": func(st *hdfsproto.HdfsFileStatusProto) {
			st.FileEncryptionInfo = &hdfsproto.FileEncryptionInfoProto{
				Suite: hdfsproto.CipherSuiteProto_AES_CTR_NOPADDING.Enum(), CryptoProtocolVersion: hdfsproto.CryptoProtocolVersionProto_ENCRYPTION_ZONES.Enum(),
				Key: []byte{}, Iv: []byte{}, KeyName: proto.String("k"), EzKeyVersionName: proto.String("v"),
			}
		},
		"erasure coded": func(st *hdfsproto.HdfsFileStatusProto) {
			st.EcPolicy = &hdfsproto.ErasureCodingPolicyProto{Name: proto.String("RS-6-3-1024k"), Id: proto.Uint32(1)}
		},
		"symbolic link": func(st *hdfsproto.HdfsFileStatusProto) {
			st.FileType = hdfsproto.HdfsFileStatusProto_IS_SYMLINK.Enum()
		},
	} {
		h, _ := play(func(string, int, proto.Message) (proto.Message, error) {
			st := fileStatus(5)
			change(st)
			return &hdfsproto.GetFileInfoResponseProto{Fs: st}, nil
		})
		if _, err := h.Open(t.Context(), "/f"); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// FuzzBridge feeds the bridge what is no request.
func FuzzBridge(f *testing.F) {
	f.Add([]byte("hrpc\x09\x00\x00\x00\x00\x00\x01x\x00\x00\x00\x02\x01\x02"))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, _ := play(func(string, int, proto.Message) (proto.Message, error) { return nil, nil })
		b := newBridge(t.Context(), h)
		if _, err := b.Write(data); err != nil {
			return
		}
		buf := make([]byte, 16)
		for range 100 {
			if _, err := b.Read(buf); err != nil {
				return
			}
		}
	})
}

func TestAnswerFrame(t *testing.T) {
	head := &hadoopproto.RpcResponseHeaderProto{CallId: proto.Uint32(5), Status: hadoopproto.RpcResponseHeaderProto_SUCCESS.Enum()}
	frame, err := answerFrame(head, []byte("abc"), true)
	if err != nil {
		t.Fatal(err)
	}
	got := &hadoopproto.RpcResponseHeaderProto{}
	rest, err := nextMessage(frame[4:], got)
	if err != nil || !proto.Equal(got, head) || string(rest) != "\x03abc" {
		t.Fatalf("%v, rest %q, %v", got, rest, err)
	}
}
