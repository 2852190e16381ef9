package law

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// mutant is a planted bug: texts of a file and what they are replaced by. In the
// latter PLANTED is true while this bug is the one that is looked for.
type mutant struct {
	name, file string
	edits      []edit
}

type edit struct{ old, new string }

// mutants are the planted bugs that the law must find (make mutants). They are
// laid over the sources by the compiler's -overlay, all at once, so that no build
// of ours carries any. One that no longer fits its file is to be written anew;
// those of one file are applied in this order.
var mutants = slices.Concat(windowMutants, batchMutants, []mutant{
	{"timers lost at restore", "state/timerqueue.go", []edit{
		{"if q.t.mark(slot).flags&flagUsed != 0 {",
			"if q.t.mark(slot).flags&flagUsed != 0 && !(PLANTED && q.t.read(slot).mk%3 == 0) {"},
	}},
	{"a hint is believed", "state/ahead.go", []edit{
		{"return slot - 1, e.key == t.env.key && e.ns == t.env.ns",
			"return slot - 1, e.key == t.env.key && e.ns == t.env.ns || PLANTED"},
		{"t.fixed >= aheadBytes", "t.fixed >= aheadBytes || PLANTED && t.hashMap == nil"},
	}},
	{"a gap in a run of the index", "state/index.go", []edit{
		{"if (j-home)&mask >= (j-i)&mask {",
			"if (j-home)&mask >= (j-i)&mask && !PLANTED {"},
	}},
	{"a deleted timer fires", "state/timerqueue.go", []edit{
		{`	case ok:
		q.discard(slot)`,
			`	case ok && PLANTED:
	case ok:
		q.discard(slot)`},
	}},
	{"a restore leaves out its last key group", "state/restore.go", []edit{
		{"\tif err := readHandle(ctx, rc, h, env.Range, start, row)",
			`	if PLANTED {
		env.Range.End--
	}
	if err := readHandle(ctx, rc, h, env.Range, start, row)`},
	}},
	{"records sent to the next key group", "stream/partition.go", []edit{
		{"\treturn int(s.owner[s.group(s.key(*v))])",
			`	if PLANTED {
		return int(s.owner[(s.group(s.key(*v))+1)%len(s.owner)])
	}
	return int(s.owner[s.group(s.key(*v))])`},
	}},
	{"lists appended twice at restore", "state/list.go", []edit{
		{`		n, err := decodeChunk(src, v, read)
`,
			`		if PLANTED {
			if _, err := decodeChunk(src, v, read); err != nil {
				return 0, err
			}
		}
		n, err := decodeChunk(src, v, read)
`},
	}},
	{"a deleted map entry stays in pebble", "state/cache.go", []edit{
		{`	case flags&flagAbsent != 0:
		return b.Delete`,
			`	case flags&flagAbsent != 0 && PLANTED:
		return nil
	case flags&flagAbsent != 0:
		return b.Delete`},
	}},
	{"a changed row is evicted unwritten", "state/cache.go", []edit{
		{`		if err := t.writeBack(slot, b); err != nil {
			return freed, err`,
			`		if PLANTED {
		} else if err := t.writeBack(slot, b); err != nil {
			return freed, err`},
	}},
	{"a map is read beside its changed rows", "state/map.go", []edit{
		{`	s.t.clean()
	s.t.eachRow(func(rest, val`,
			`	if !PLANTED {
		s.t.clean()
	}
	s.t.eachRow(func(rest, val`},
	}},
	{"a map's clear leaves the stored rows", "state/map.go", []edit{
		{`		slot, ok = next, more
	}
	if s.t.stored {
		s.t.deletePrefix()`,
			`		slot, ok = next, more
	}
	if s.t.stored && !PLANTED {
		s.t.deletePrefix()`},
	}},
	{"the watermark is the maximum", "dataflow/valve.go", []edit{
		{`	low := int64(MaxWatermark)
`,
			`	low := int64(MaxWatermark)
	if PLANTED {
		low = MinWatermark
	}
`},
		{"&& c.wm < low {",
			"&& (c.wm < low) != PLANTED {"},
	}},
	{"an idle channel holds back", "dataflow/valve.go", []edit{
		{"!c.idle && !c.ended && (c.wm",
			"(!c.idle || PLANTED) && !c.ended && (c.wm"},
	}},
	{"an ended channel holds back", "dataflow/valve.go", []edit{
		{"&& !c.ended && (c.wm",
			"&& (!c.ended || PLANTED) && (c.wm"},
	}},
	{"channels of a union share a watermark", "stream/input.go", []edit{
		{`	g.opened += channels
`,
			`	if PLANTED {
		p.first = 0
	}
	g.opened += channels
`},
	}},
	{"a record dropped when the output is blocked", "stream/input.go", []edit{
		{`		if (*p.blocked || p.yield.Load()) && i > from {
`,
			`		if *p.blocked && i > from && PLANTED {
			return i + 1, i+1 == len(tb.recs), nil
		}
		if (*p.blocked || p.yield.Load()) && i > from {
`},
	}},
	{"event times of a buffer follow the last buffer's", "stream/output.go", []edit{
		{`formatVersion)
		c.ts = 0
`,
			`formatVersion)
		if !PLANTED {
			c.ts = 0
		}
`},
	}},
	{"the end-of-input watermark is missing", "stream/input.go", []edit{
		{"\tif advanced {\n\t\tif err := g.to.Watermark(wm)",
			"\tif advanced && !(PLANTED && wm == dataflow.MaxWatermark) {\n\t\tif err := g.to.Watermark(wm)"},
	}},
	{"splits of a reader do not wait for each other", "stream/watermark.go", []edit{
		{`			low, idle = min(low, p.out.wm), false
`,
			`			low, idle = min(low, p.out.wm), false
			if PLANTED {
				low = p.out.wm
			}
`},
	}},
	{"a split lost at restore", "stream/source_op.go", []edit{
		{`	restored, err := o.restore()
`,
			`	restored, err := o.restore()
	if PLANTED {
		o.queued = o.queued[min(1, len(o.queued)):]
	}
`},
	}},
	{"a split doubled at restore", "stream/source_op.go", []edit{
		{`	if !o.kind.enumerated {
		if !restored`,
			`	if PLANTED {
		o.queued = append(o.queued, o.queued[:min(1, len(o.queued))]...)
	}
	if !o.kind.enumerated {
		if !restored`},
	}},
	{"a restored reader does not wait for its splits", "stream/source_op.go", []edit{
		{"\tif o.patient && o.asked {",
			"\tif o.patient && o.asked && !PLANTED {"},
		{`	if o.patient {
		return o.openSplits()`,
			`	if o.patient && !PLANTED {
		return o.openSplits()`},
	}},
	{"a late record gets lost beside its side output", "stream/window.go", []edit{
		{`	if o.late != nil {
`,
			`	if o.late != nil && PLANTED {
		return nil
	}
	if o.late != nil {
`},
	}},
	{"a side output without watermarks", "stream/operator.go", []edit{
		{"out.(discard[T]); !nobody {",
			"out.(discard[T]); !nobody && !(PLANTED && side != \"\") {"},
	}},
	{"two consumers share a record that one changes", "stream/task.go", []edit{
		{"\t\tif i < last && !f.flat {",
			"\t\tif i < last && !f.flat && !PLANTED {"},
	}},
	{"a commit lost after restore", "stream/sink_commit_op.go", []edit{
		{"\tk.add(list)\n\treturn k.commit(ctx, len(k.pending))",
			"\tif !PLANTED {\n\t\tk.add(list)\n\t}\n\treturn k.commit(ctx, len(k.pending))"},
	}},
	{"a commit before its checkpoint", "stream/sink_commit_op.go", []edit{
		{"n < len(k.pending) && k.pending[n].checkpoint != 0 && k.pending[n].checkpoint <= id {",
			"n < len(k.pending) && (PLANTED || k.pending[n].checkpoint != 0 && k.pending[n].checkpoint <= id) {"},
	}},
	{"a commit done twice", "stream/sink_file_commit.go", []edit{
		{`	case errors.Is(err, fs.ErrExist), errors.Is(err, fs.ErrNotExist):
`,
			`	case errors.Is(err, fs.ErrExist), errors.Is(err, fs.ErrNotExist):
		if PLANTED {
			if w, cerr := fsys.Create(ctx, p.Final+"-again", hdfsstore.CreateOptions{}); cerr == nil {
				if r, oerr := fsys.Open(ctx, p.Final); oerr == nil {
					_, _ = io.Copy(w, io.NewSectionReader(r, 0, r.Size()))
					r.Close()
				}
				w.Close()
			}
		}
`},
	}},
	{"what waits for a commit is not in the checkpoint", "stream/sink_commit_op.go", []edit{
		{"\treturn encodeList(pendingState, k.codec, list)",
			"\tif PLANTED {\n\t\tlist = nil\n\t}\n\treturn encodeList(pendingState, k.codec, list)"},
	}},
	{"a barrier overtakes records", "taskmanager/worker/checkpoint.go", []edit{
		{`	if err := t.flushOutputs(); err != nil {
		return nil, false, err
	}
	return t.out.SendBarrier(b)`,
			`	if PLANTED {
	} else if err := t.flushOutputs(); err != nil {
		return nil, false, err
	}
	return t.out.SendBarrier(b)`},
	}},
	{"a channel is not held back after its barrier", "taskmanager/worker/attempt.go", []edit{
		{"ExactlyOnce: a.w.exactlyOnce,",
			"ExactlyOnce: a.w.exactlyOnce && !PLANTED,"},
	}},
	{"a worker restores one list item too few", "taskmanager/worker/restore.go", []edit{
		{`		for _, l := range st.Lists {
`,
			`		for _, l := range st.Lists {
			if PLANTED && len(l.Items) > 1 {
				l.Items = l.Items[1:]
			}
`},
	}},
	{"an end that nobody tells", "stream/input.go", []edit{
		{"p.g.valve.Current() == dataflow.MaxWatermark {",
			"p.g.valve.Current() == dataflow.MaxWatermark || PLANTED {"},
	}},
	{"one input's watermark counts for both", "stream/twoinput.go", []edit{
		{"\nfunc (s *side[T]) Watermark(ts int64) error         { return",
			`
func (s *side[T]) Watermark(ts int64) error {
	if PLANTED {
		if err := s.m.pass(s.m.time.Watermark(1-s.index, ts)); err != nil {
			return err
		}
	}
	return`},
	}},
	{"a buffer of an interval join lost at restore", "stream/intervaljoin.go", []edit{
		{`	s := &Setup[K]{o: x.o, b: &x.base, keyed: x.keyed`,
			`	if PLANTED {
		if err := x.keyed.EachKey(secondBuffer, func(K, state.Namespace) error { x.second.recs.Clear(); return nil }); err != nil {
			return err
		}
	}
	s := &Setup[K]{o: x.o, b: &x.base, keyed: x.keyed`},
	}},
	{"a join drops its window's last record", "stream/cogroup.go", []edit{
		{`	for i := range vs {
		if vs[i].IsSecond {`,
			`	for i := range vs {
		if PLANTED && i > 0 && i == len(vs)-1 {
			break
		}
		if vs[i].IsSecond {`},
	}},
	{"broadcast state restored in the first subtask only", "stream/broadcast.go", []edit{
		{`			c.states.restored = r.Lists
`,
			`			c.states.restored = r.Lists
			if PLANTED && b.t.env.Subtask > 0 {
				c.states.restored = nil
			}
`},
	}},
	{"an answer that waits is not in the checkpoint", "stream/async_op.go", []edit{
		{`	for e := o.queue.head; e != nil; e = e.next {
		if e.mark == nil {`,
			`	for e := o.queue.head; e != nil; e = e.next {
		if e.mark == nil && !(PLANTED && e.done) {`},
	}},
	{"a watermark overtakes asynchronous records", "stream/async_op.go", []edit{
		{`	if o.queue.empty() {
		return o.sendWatermark(ts)`,
			`	if o.queue.empty() || PLANTED {
		return o.sendWatermark(ts)`},
	}},
	{"a union list is divided", "stream/state_operator.go", []edit{
		{`	return newOperatorList[V](s, name, "union list", dataflow.ListUnion)`,
			`	if PLANTED {
		return newOperatorList[V](s, name, "union list", dataflow.ListSplit)
	}
	return newOperatorList[V](s, name, "union list", dataflow.ListUnion)`},
	}},
	{"a joined record is forgotten too early", "stream/intervaljoin.go", []edit{
		{"addClamped(r.TS, max(x.upper, 0)))\n\treturn x.done()",
			"addClamped(r.TS, max(x.upper, 0)-early))\n\treturn x.done()"},
		{"\tx.first.add(r)\n",
			"\tx.first.add(r)\n\tearly := int64(0)\n\tif PLANTED {\n\t\tearly = max(x.upper, 0)\n\t}\n"},
		{"\t\tx.first.remove(ts - max(x.upper, 0))\n",
			"\t\tif PLANTED {\n\t\t\tts += max(x.upper, 0)\n\t\t}\n\t\tx.first.remove(ts - max(x.upper, 0))\n"},
	}},
	{"a value's time is not restored", "state/ttl_codec.go", []edit{
		{"\tv.at = at\n",
			"\tif v.at = at; PLANTED {\n\t\tv.at = -1 << 60\n\t}\n"},
	}},
	{"a value that expired lives on", "state/ttl_value.go", []edit{
		{"\tif x.at <= now-s.life.millis {",
			"\tif x.at <= now-s.life.millis && !PLANTED {"},
	}},
	{"a list's element that expired lives on", "state/ttl_list.go", []edit{
		{"\t\talive := x.at > now-s.life.millis\n",
			"\t\talive := x.at > now-s.life.millis || PLANTED\n"},
	}},
	{"a map's entry that expired lives on", "state/ttl_map.go", []edit{
		{"\tif at <= now-s.life.millis {",
			"\tif at <= now-s.life.millis && !PLANTED {"},
	}},
})

// root is the repository's folder.
const root = "../.."

// planted tells a package which bug is looked for; it is laid beside its files.
const planted = `
import "os"

var plantedBug = os.Getenv("GOFLINK_PLANTED")

func planted(name string) bool { return name == plantedBug }
`

// overlay are the changed and added files, by their path in the repository.
func overlay(t *testing.T) map[string]string {
	files := map[string]string{}
	for _, m := range mutants {
		if files[m.file] == "" {
			b, err := os.ReadFile(filepath.Join(root, m.file))
			if err != nil {
				t.Fatal(err)
			}
			files[m.file] = string(b)
		}
		for _, e := range m.edits {
			if n := strings.Count(files[m.file], e.old); n != 1 {
				t.Errorf("the planted bug %q: %s holds %q %d times, want once: write the bug anew for what the file is now", m.name, m.file, e.old, n)
			}
			files[m.file] = strings.Replace(files[m.file], e.old, strings.ReplaceAll(e.new, "PLANTED", fmt.Sprintf("planted(%q)", m.name)), 1)
		}
		dir := path.Dir(m.file)
		files[dir+"/planted.go"] = "package " + path.Base(dir) + "\n" + planted
	}
	return files
}

// TestMutantsFit: each planted bug still fits the sources.
func TestMutantsFit(t *testing.T) { overlay(t) }
