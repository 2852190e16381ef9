package checkpoint

import (
	"slices"
	"strings"

	"goflink/control"
)

// trash is what waits to be deleted: until no checkpoint is under way that was
// triggered before it became superfluous, because its tasks may still build on
// these files.
type trash struct {
	id    int64
	dir   string // wholly ours, with _metadata; empty: only files
	files []string
	after []*pending
}

// throw puts t into the trash.
func (s *step) throw(t *trash) {
	t.after = slices.Clone(s.pending)
	s.trash = append(s.trash, t)
}

// throwPending discards what a checkpoint that was given up left behind.
func (s *step) throwPending(p *pending) {
	if !p.made || p.dir == "" {
		return
	}
	var files []string
	for _, id := range p.order {
		if a := p.acks[id]; a != nil {
			files = append(files, filesOf(p.dir, a.GetStates())...)
		}
	}
	s.throw(&trash{id: p.id, dir: p.dir, files: files})
}

// drop discards a completed checkpoint that is no longer retained.
func (s *step) drop(c *Completed) {
	s.stats.discarded(c.ID)
	if c.Foreign || c.savepoint() || c.Dir == "" {
		return
	}
	s.throw(&trash{id: c.ID, dir: c.Dir, files: c.Files})
}

// sweep deletes what nothing under way can refer to any more.
func (s *step) sweep() {
	if len(s.trash) == 0 || s.fenced {
		return
	}
	var kept []*trash
	var ready []*trash
	for _, t := range s.trash {
		t.after = slices.DeleteFunc(t.after, func(p *pending) bool { return !slices.Contains(s.pending, p) })
		if len(t.after) == 0 {
			ready = append(ready, t)
		} else {
			kept = append(kept, t)
		}
	}
	s.trash = kept
	if len(ready) == 0 {
		return
	}
	used := s.inUse()
	for _, t := range kept { // what one still has to wait for, another must not delete
		for _, f := range t.files {
			used[f] = true
		}
	}
	for _, t := range ready {
		s.discard(t, used)
	}
}

// discard deletes t, without what is in use.
func (s *step) discard(t *trash, used map[string]bool) {
	d := Discard{ID: t.id}
	shared := false // something in t.dir is in use
	for f := range used {
		shared = shared || t.dir != "" && within(f, t.dir)
	}
	for _, f := range t.files {
		if used[f] || !s.ours(f) && !(t.dir != "" && within(f, t.dir)) {
			continue
		}
		if t.dir == "" || shared || !within(f, t.dir) {
			d.Files = append(d.Files, f)
		}
	}
	switch {
	case t.dir == "":
	case shared:
		d.Files = append(d.Files, t.dir+"/"+MetadataName)
	default:
		d.Dirs = append(d.Dirs, t.dir)
	}
	// A folder that was kept for the sake of one file goes with that file.
	for _, f := range d.Files {
		if i := strings.LastIndexByte(f, '/'); i > 0 && f[:i] != t.dir && (within(f, s.cfg.Dir+"/chk-") || s.owned[f]) && !slices.Contains(d.EmptyFolders, f[:i]) {
			d.EmptyFolders = append(d.EmptyFolders, f[:i])
		}
	}
	if len(d.Files)+len(d.Dirs) > 0 {
		slices.Sort(d.Files)
		d.Files = slices.Compact(d.Files)
		s.do(d)
	}
}

// inUse are the files that must stay, and folders none of whose files may go.
func (c *Coordinator) inUse() map[string]bool {
	used := map[string]bool{}
	for _, r := range c.completed {
		for _, f := range r.Files {
			used[f] = true
		}
		if r.Dir != "" {
			used[r.Dir+"/"+MetadataName] = true
		}
	}
	for _, p := range c.pending {
		for _, a := range p.acks {
			for _, f := range filesOf(p.dir, a.GetStates()) {
				used[f] = true
			}
		}
	}
	return used
}

// ours tells whether a file lies where this job may delete.
func (c *Coordinator) ours(file string) bool {
	return c.cfg.Dir != "" && within(file, c.cfg.Dir) || c.owned[file]
}

// within tells whether file lies below dir; dir may also be a prefix that ends
// in "chk-".
func within(file, dir string) bool {
	if strings.HasSuffix(dir, "/chk-") {
		return strings.HasPrefix(file, dir)
	}
	return strings.HasPrefix(file, dir+"/")
}

// terminate discards what the job's end leaves superfluous.
func (s *step) terminate(ev Terminate) {
	s.suspend("the job is over")
	keep := !ev.Finished && (s.cfg.Retention == RetainOnCancellation || s.cfg.Retention == RetainOnFailure && !ev.Cancelled)
	if keep {
		return
	}
	s.over = true
	s.dropAll()
}

func (s *step) dropAll() {
	for _, c := range s.completed {
		s.drop(c)
	}
	s.completed = nil
}

// filesOf lists the files that states refer to, as full URIs, each once.
func filesOf(dir string, states []*control.OperatorState) []string {
	files, _ := FilesOf(dir, states)
	return files
}

// handlesOf are all handles of one operator's state.
func handlesOf(st *control.OperatorState) []*control.StateHandle {
	if len(st.GetInflight()) == 0 {
		return st.GetKeyed()
	}
	out := slices.Clone(st.GetKeyed())
	for _, c := range st.Inflight {
		out = append(out, c.GetData())
	}
	return out
}
