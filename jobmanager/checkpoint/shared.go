package checkpoint

import (
	"slices"

	"goflink/control"
)

// Files that several checkpoints share. Tasks with native snapshots may refer to
// tables of one checkpoint only: the base that the trigger names, which is
// complete and retained at that moment (base). What becomes superfluous while a
// checkpoint is under way waits for it (trash.after), so a base outlives whoever
// builds on it. There are no counts: what is in use is what the retained
// checkpoints and those under way refer to (inUse), which a restarted JobManager
// finds in their metadata.

// base is the checkpoint that p may build on; 0 for none. Nothing of a user's
// savepoint or of a snapshot that was restored without being claimed is ever
// referred to.
func (c *Coordinator) base(p *pending) int64 {
	latest := c.Latest()
	if p.format != Native || p.full || p.kind.IsSavepoint() || latest == nil || latest.Foreign || latest.savepoint() {
		return 0
	}
	return latest.ID
}

// format is how state is written for a request.
func (c *Coordinator) format(r Request) string {
	switch {
	case r.Format != "":
		return r.Format
	case !r.Kind.IsSavepoint() && c.cfg.Incremental && c.cfg.Dir != "":
		return Native
	}
	return Canonical
}

// takeOver notes the files outside the job's folder that it owns: those of a
// claimed checkpoint which nobody else refers to.
func (c *Coordinator) takeOver(r *Completed) {
	if r.Foreign {
		return
	}
	own := func(f string) {
		if c.owned == nil {
			c.owned = map[string]bool{}
		}
		c.owned[f] = true
	}
	if r.Claimed {
		for _, f := range r.Files {
			if !r.Keep[f] {
				own(f)
			}
		}
	}
	for _, f := range r.Metadata.GetOwned() {
		own(Resolve(r.Dir, f))
	}
}

// ownedOf are those of a checkpoint's files that were taken over: its metadata
// has to say so, because a restarted JobManager reads nothing else.
func (c *Coordinator) ownedOf(files []string) []string {
	var out []string
	for _, f := range files {
		if c.owned[f] {
			out = append(out, f)
		}
	}
	return out
}

// FilesOf lists the files that states refer to, as full URIs, each once and in
// order, with the length that each must have at least.
func FilesOf(dir string, states []*control.OperatorState) ([]string, map[string]int64) {
	length := map[string]int64{}
	for _, st := range states {
		for _, h := range handlesOf(st) {
			if h.GetPath() != "" {
				f := Resolve(dir, h.Path)
				length[f] = max(length[f], h.Offset+h.Length)
			}
			for _, t := range h.GetTables() {
				f := Resolve(dir, t.GetPath())
				length[f] = max(length[f], t.Offset+t.Length)
			}
		}
	}
	out := make([]string, 0, len(length))
	for f := range length {
		out = append(out, f)
	}
	slices.Sort(out)
	return out, length
}
