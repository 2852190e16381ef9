package exchange

import (
	"bytes"
	"strings"
	"testing"

	"goflink/dataflow"
)

func frameBytes(h header, body []byte) []byte {
	h.length = len(body)
	var raw [headerSize]byte
	h.encode(&raw)
	return append(raw[:], body...)
}

func eventBytes(t testing.TB, id ChannelID, e Event) []byte {
	body, err := e.body()
	if err != nil {
		t.Fatal(err)
	}
	return frameBytes(header{kind: e.frameType(), channel: id}, body)
}

var sampleChannel = ChannelID{Edge: 3, Source: 7, Target: 11}

func sampleEvents() []Event {
	return []Event{
		{Barrier: &Barrier{ID: 42, TimestampMS: 1700000000000, Kind: "savepoint", Drain: true, Dir: "hdfs://nn/chk/job/chk-42", Format: "canonical", Epoch: 3}},
		{EndOfData: &EndOfData{Drain: true}},
		{EndOfData: &EndOfData{Stop: true}},
		{EndOfPartition: true},
		{Cancel: 9},
	}
}

func TestEventRoundTrip(t *testing.T) {
	for _, e := range sampleEvents() {
		raw := eventBytes(t, sampleChannel, e)
		h, err := decodeHeader((*[headerSize]byte)(raw[:headerSize]))
		if err != nil || h.channel != sampleChannel {
			t.Fatalf("%+v: %+v, %v", e, h, err)
		}
		got, err := readEvent(bytes.NewReader(raw[headerSize:]), h)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case e.Barrier != nil:
			if *got.Barrier != *e.Barrier {
				t.Fatalf("%+v != %+v", got.Barrier, e.Barrier)
			}
		case e.EndOfData != nil:
			if *got.EndOfData != *e.EndOfData {
				t.Fatalf("%+v != %+v", got.EndOfData, e.EndOfData)
			}
		case got != e:
			t.Fatalf("%+v != %+v", got, e)
		}
	}
}

func TestJumboBuffer(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789abcdef"), 40<<10)
	raw := frameBytes(header{kind: frameBuffer, channel: sampleChannel, rows: 1}, body)
	h, err := decodeHeader((*[headerSize]byte)(raw[:headerSize]))
	if err != nil {
		t.Fatal(err)
	}
	b, err := readBuffer(bytes.NewReader(raw[headerSize:]), h)
	if err != nil || !bytes.Equal(b.Data, body) {
		t.Fatalf("read %d bytes, %v", len(b.Data), err)
	}
	if _, err := readBuffer(bytes.NewReader(raw[headerSize:len(raw)-1]), h); err == nil {
		t.Fatal("a truncated jumbo buffer was taken")
	}
	if n := units(len(body)); n != 20 {
		t.Fatalf("it costs %d credits", n)
	}
}

func TestLongPathIsRefused(t *testing.T) {
	e := Event{Barrier: &Barrier{ID: 1, Dir: strings.Repeat("x", eventLimit)}}
	if _, err := e.body(); err == nil {
		t.Fatal("a barrier larger than the limit was encoded")
	}
}

// FuzzFrame feeds bytes as a peer would: nothing but an error may come of what
// is malformed, and what decodes encodes to the same bytes.
func FuzzFrame(f *testing.F) {
	for _, e := range sampleEvents() {
		f.Add(eventBytes(f, sampleChannel, e))
	}
	f.Add(frameBytes(header{kind: frameBuffer, channel: sampleChannel, rows: 3, backlog: 2}, []byte("records")))
	f.Add(frameBytes(header{kind: frameCredit, channel: sampleChannel, rows: 2}, nil))
	f.Add(frameBytes(header{kind: frameBacklog, channel: sampleChannel, rows: 5}, nil))
	f.Add([]byte{frameBuffer, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 1, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) < headerSize {
			return
		}
		h, err := decodeHeader((*[headerSize]byte)(raw[:headerSize]))
		if err != nil {
			return
		}
		var again [headerSize]byte
		h.encode(&again)
		if !bytes.Equal(again[:], raw[:headerSize]) {
			t.Fatalf("header changed: %x -> %x", raw[:headerSize], again)
		}
		body := bytes.NewReader(raw[headerSize:])
		switch h.kind {
		case frameCredit, frameBacklog, frameGoodbye:
		case frameBuffer:
			if b, err := readBuffer(body, h); err == nil {
				if len(b.Data) != h.length || h.length > MaxRecord {
					t.Fatalf("%d bytes of %d", len(b.Data), h.length)
				}
				if cap(b.Data) > max(dataflow.BufferSize, 4*len(raw)) {
					t.Fatalf("%d bytes were allocated for %d", cap(b.Data), len(raw))
				}
				freeBuffer(b)
			}
		default:
			if e, err := readEvent(body, h); err == nil {
				if _, err := e.body(); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// FuzzHello feeds the first message of a peer.
func FuzzHello(f *testing.F) {
	f.Add(helloBytes(AttemptID{Epoch: 3, Attempt: 4}, "worker-1", compressions))
	f.Fuzz(func(t *testing.T, raw []byte) {
		id, worker, reads, err := readHello(bytes.NewReader(raw))
		if err == nil && !bytes.HasPrefix(raw, helloBytes(id, worker, reads)) {
			t.Fatalf("%x decodes to %s %q", raw, id, worker)
		}
	})
}

// TestHelloOfAnotherVersion: it is refused by its first byte, naming both, however
// long its hello is.
func TestHelloOfAnotherVersion(t *testing.T) {
	_, _, _, err := readHello(bytes.NewReader([]byte{WireVersion + 1}))
	if err == nil || !strings.Contains(err.Error(), "version 3 of the data plane, this is 2") {
		t.Fatal(err)
	}
}
