package exchange

import (
	"bytes"
	"encoding/binary"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"goflink/dataflow"
)

// text is n bytes of which a share is random.
func text(r *rand.Rand, n int, random float64) []byte {
	b := make([]byte, n)
	for i := range b {
		if r.Float64() < random {
			b[i] = byte(r.Uint32())
		} else {
			b[i] = "the quick brown fox "[i%20]
		}
	}
	return b
}

// packed sends a buffer through a packer and an unpacker.
func packed(t *testing.T, p *packer, u *unpacker, data []byte) (sent int, kind Compression) {
	t.Helper()
	b := newBuffer(len(data))
	b.Data, b.Rows = append(b.Data, data...), 7
	f := outFrame{header: header{kind: frameBuffer, channel: sampleChannel, length: len(data), rows: 7}, buffer: b}
	p.pack(&f)
	raw := frameBytes(f.header, f.buffer.Data)
	h, err := decodeHeader((*[headerSize]byte)(raw[:headerSize]))
	if err != nil {
		t.Fatal(err)
	}
	var got *dataflow.Buffer
	if h.packed != Plain {
		got, err = u.read(bytes.NewReader(raw[headerSize:]), h)
	} else {
		got, err = readBuffer(bytes.NewReader(raw[headerSize:]), h)
	}
	if err != nil || !bytes.Equal(got.Data, data) || got.Rows != 7 {
		t.Fatalf("%s: %d bytes: %v", h.packed, len(data), err)
	}
	sent = h.length
	freeBuffer(got)
	f.release()
	return sent, h.packed
}

func TestCompression(t *testing.T) {
	for _, kind := range []Compression{LZ4, ZSTD} {
		p, err := newPacker(kind)
		if err != nil {
			t.Fatal(err)
		}
		u := &unpacker{}
		defer u.close()
		r := rand.New(rand.NewPCG(uint64(kind), 1))
		for range 300 {
			n := 1 + r.IntN(dataflow.BufferSize)
			if sent, how := packed(t, p, u, text(r, n, 0.05)); n >= 1000 && p.skip == 0 && (how != kind || sent > n*7/8) {
				t.Fatalf("%s: %d bytes of text became %d (%s)", kind, n, sent, how)
			}
			packed(t, p, u, text(r, n, r.Float64()))
			p.skip = 0
		}
		p.skip, p.plain = 0, 0
		tried := 0
		for range 500 {
			if p.skip == 0 {
				tried++
			}
			if _, how := packed(t, p, u, text(r, dataflow.BufferSize, 1)); how != Plain {
				t.Fatalf("%s: noise was compressed", kind)
			}
		}
		if tried > 30 {
			t.Errorf("%s: noise was tried %d times of 500", kind, tried)
		}
		p.skip = 0
		big := text(r, 3*dataflow.BufferSize, 0)
		if _, how := packed(t, p, u, big); how != Plain {
			t.Errorf("%s: a large record was compressed", kind)
		}
	}
}

// TestHostileSizes: what claims to hold more than a network buffer, or less than it
// has, is refused before it is decompressed; what holds more or less than it claims
// is refused, too.
func TestHostileSizes(t *testing.T) {
	for _, kind := range []Compression{LZ4, ZSTD} {
		p, _ := newPacker(kind)
		zeros := make([]byte, dataflow.BufferSize)
		room := make([]byte, 4096)
		n := p.compress(room, zeros)
		body := room[:n]
		if n == 0 {
			t.Fatalf("%s: zeros were not compressed", kind)
		}
		u := &unpacker{}
		for size, want := range map[uint32]string{dataflow.BufferSize + 1: "claims to hold 32769", 1<<32 - 1: "claims to hold", 0: "claims to hold 0", uint32(n + sizePrefix): "claims to hold",
			dataflow.BufferSize - 1: "damaged", dataflow.BufferSize: ""} {
			raw := append(binary.BigEndian.AppendUint32(nil, size), body...)
			b, err := u.read(bytes.NewReader(raw), header{kind: frameBuffer, packed: kind, length: len(raw)})
			if want == "" {
				if err != nil || !bytes.Equal(b.Data, zeros) {
					t.Errorf("%s: %v", kind, err)
				}
			} else if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: size %d: %v", kind, size, err)
			}
		}
		u.close()
	}
	for _, h := range []header{{kind: frameBuffer, packed: 3, length: 10}, {kind: frameBuffer, packed: LZ4, length: 4}, {kind: frameBuffer, packed: ZSTD, length: dataflow.BufferSize + 1},
		{kind: frameCredit, packed: LZ4, rows: 1}} {
		var raw [headerSize]byte
		h.encode(&raw)
		if _, err := decodeHeader(&raw); err == nil {
			t.Errorf("%+v was taken", h)
		}
	}
}

// TestNegotiation: who reads nothing gets buffers as they are; either side sends
// as it is configured.
func TestNegotiation(t *testing.T) {
	var log bytes.Buffer
	n := newNetworkWith(t, "a", func(o *Options) {
		o.Compression, o.Log = ZSTD, slog.New(slog.NewTextHandler(&log, nil))
	})
	s := newSession(n, AttemptID{})
	for reads, want := range map[byte]Compression{0: Plain, 1 << LZ4: Plain, 1 << ZSTD: ZSTD, compressions: ZSTD} {
		c, err := newConn(s, Peer{WorkerID: "b"}, nil, reads)
		if err != nil {
			t.Fatal(err)
		}
		got := Plain
		if c.pack != nil {
			got = c.pack.kind
		}
		if got != want {
			t.Errorf("to a peer that reads %q: %s", set(reads), got)
		}
	}
	if !strings.Contains(log.String(), "reads=LZ4") {
		t.Error(log.String())
	}
}

// TestCompressedChannel: text goes over in fewer bytes, and comes out as it was.
func TestCompressedChannel(t *testing.T) {
	for _, kind := range []Compression{LZ4, ZSTD} {
		with := func(o *Options) { o.Compression = kind }
		p := connectPair(t, newNetworkWith(t, "a", with), newNetworkWith(t, "b", with), AttemptID{})
		w := p.writer()
		r := rand.New(rand.NewPCG(5, 5))
		var want [][]byte
		for range 50 {
			want = append(want, text(r, 1+r.IntN(2*dataflow.BufferSize), r.Float64()))
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			for _, data := range want {
				b := w.NewBuffer(len(data))
				b.Data, b.Rows = append(b.Data, data...), 1
				if err := p.from.awaitSpace(); err != nil {
					t.Error(err)
				}
				if err := w.SendBuffer(b); err != nil {
					t.Error(err)
				}
			}
		})
		for i, data := range want {
			item, err := p.to.next()
			if err != nil || !bytes.Equal(item.Buffer.Data, data) {
				t.Fatalf("%s: buffer %d: %v", kind, i, err)
			}
			p.to.gate.Done(item)
		}
		wg.Wait()
	}
}

// FuzzUnpack feeds compressed bodies as a peer would.
func FuzzUnpack(f *testing.F) {
	for _, kind := range []Compression{LZ4, ZSTD} {
		p, _ := newPacker(kind)
		room := make([]byte, 4096)
		n := p.compress(room, bytes.Repeat([]byte("records "), 1000))
		f.Add(byte(kind), append(binary.BigEndian.AppendUint32(nil, 8000), room[:n]...))
		f.Add(byte(kind), append(binary.BigEndian.AppendUint32(nil, 32768), room[:n]...))
		f.Add(byte(kind), append(binary.BigEndian.AppendUint32(nil, 1<<31), room[:n/2]...))
	}
	u := &unpacker{}
	f.Fuzz(func(t *testing.T, kind byte, body []byte) {
		h := header{kind: frameBuffer, packed: Compression(1 + kind%2), length: len(body)}
		if h.check() != nil {
			return
		}
		b, err := u.read(bytes.NewReader(body), h)
		if err != nil {
			return
		}
		if len(b.Data) > dataflow.BufferSize || cap(b.Data) != dataflow.BufferSize || len(b.Data) <= len(body) {
			t.Fatalf("%d bytes (of %d) came of %d", len(b.Data), cap(b.Data), len(body))
		}
		freeBuffer(b)
	})
}

// BenchmarkPack compresses buffers of text that is half noise.
func BenchmarkPack(b *testing.B) {
	for _, kind := range []Compression{LZ4, ZSTD} {
		b.Run(kind.String(), func(b *testing.B) {
			p, err := newPacker(kind)
			if err != nil {
				b.Fatal(err)
			}
			data := text(rand.New(rand.NewPCG(1, 1)), dataflow.BufferSize, 0.1)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				buf := newBuffer(len(data))
				buf.Data = append(buf.Data, data...)
				f := outFrame{header: header{kind: frameBuffer, length: len(data)}, buffer: buf}
				p.pack(&f)
				f.release()
			}
		})
	}
}

func newNetworkWith(t testing.TB, worker string, change func(*Options)) *Network {
	o := Options{WorkerID: worker, Bind: "127.0.0.1", Secret: testSecret, NetworkBytes: 64 << 20,
		Debloat: Debloat{Enabled: true, Threshold: 25}, ConnectTimeout: 10 * time.Second, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	change(&o)
	n, err := Listen(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}
