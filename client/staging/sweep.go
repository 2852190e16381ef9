package staging

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"goflink/appmaster/spec"
	"goflink/hdfsstore"
)

// Fate is what a ResourceManager says of an application.
type Fate int

// Fates of an application.
const (
	// Alive: it runs, or will, or nobody can say: its folder stays.
	Alive Fate = iota
	// Over: it has ended.
	Over
	// Unknown: this ResourceManager has never heard of it, or forgot it.
	Unknown
)

const (
	// submissionTime is how long a client may need from making its folder to
	// submitting: an unknown application with a younger folder is on its way.
	submissionTime = time.Hour
	// maxSpec bounds what is read of an application's description.
	maxSpec = 1 << 20
)

// Swept is what Sweep removed.
type Swept struct {
	Applications []string // ids
	Entries      []string // digests
}

// Sweep removes the folders of applications that are over, and entries of the
// cache that are no longer used. fate answers for the ResourceManager at rm;
// an application that it does not know is taken for over only if it was
// submitted there: several clusters may share a file system.
func (a *Area) Sweep(ctx context.Context, rm string, fate func(ctx context.Context, id string) (Fate, error)) (Swept, error) {
	var swept Swept
	folders, err := a.fsys.List(ctx, a.root)
	if errors.Is(err, fs.ErrNotExist) {
		return swept, nil
	}
	if err != nil {
		return swept, err
	}
	var alive []string
	for _, f := range folders {
		if !f.IsDir || !appPattern.MatchString(f.Name) {
			continue
		}
		gone, err := a.over(ctx, f, rm, fate)
		if err != nil {
			return swept, err
		}
		if !gone {
			alive = append(alive, f.Name)
			continue
		}
		if err := a.RemoveApp(ctx, f.Name); err != nil {
			return swept, err
		}
		a.opts.Log.Info("removed the folder of an application that is over", "application", f.Name)
		swept.Applications = append(swept.Applications, f.Name)
	}
	swept.Entries, err = a.sweepCache(ctx, alive)
	return swept, err
}

// over tells whether the folder of an application can go.
func (a *Area) over(ctx context.Context, f hdfsstore.Info, rm string, fate func(context.Context, string) (Fate, error)) (bool, error) {
	what, err := fate(ctx, f.Name)
	if err != nil || what != Unknown {
		return what == Over, err
	}
	if a.opts.Now().Sub(f.ModTime) < submissionTime {
		return false, nil
	}
	s, err := a.readSpec(ctx, f.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil // a client died before it had written all
	}
	return err == nil && s.ResourceManager == rm, nil
}

func (a *Area) readSpec(ctx context.Context, id string) (*spec.Application, error) {
	data, err := hdfsstore.ReadFile(ctx, a.fsys, path.Join(a.appDir(id), spec.ApplicationFile), maxSpec)
	if err != nil {
		return nil, err
	}
	return spec.Read(bytes.NewReader(data))
}

// addReferences notes the entries that a living application needs. What cannot
// be read refers to everything: the week-old entries wait for the next sweep.
func (a *Area) addReferences(ctx context.Context, id string, into map[string]bool) {
	s, err := a.readSpec(ctx, id)
	if err != nil {
		into[everything] = true
		return
	}
	for _, r := range s.Resources {
		into[path.Base(r.URI)] = true
	}
	if s.Program != nil {
		into[s.Program.SHA256] = true
	}
	programs, err := a.fsys.List(ctx, path.Join(a.appDir(id), programsName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		into[everything] = true
	}
	for _, p := range programs {
		into[p.Name] = true
	}
}

// everything in the map of references means that all entries are needed.
const everything = "*"

// sweepCache removes entries that nobody asked for and none of the living
// applications refers to. What these refer to is read only if there is
// something to sweep.
func (a *Area) sweepCache(ctx context.Context, alive []string) ([]string, error) {
	limit := a.opts.Now().Add(-unusedFor)
	old, err := a.unusedSince(ctx, limit)
	if err != nil || len(old) == 0 {
		return nil, err
	}
	referenced := map[string]bool{}
	for _, id := range alive {
		a.addReferences(ctx, id, referenced)
	}
	var gone []string
	for _, name := range old {
		if referenced[name] || referenced[everything] {
			continue
		}
		removed, err := a.sweepEntry(ctx, name, limit)
		if err != nil {
			return gone, err
		}
		if removed {
			gone = append(gone, name)
		}
	}
	_, err = hdfsstore.SweepTemporary(ctx, a.fsys, a.cache(), limit)
	return gone, err
}

// unusedSince lists the entries of the cache that nobody asked for since then.
func (a *Area) unusedSince(ctx context.Context, then time.Time) ([]string, error) {
	files, err := a.fsys.List(ctx, a.cache())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	used := map[string]time.Time{}
	for _, f := range files {
		name := f.Name
		if e, ok := entryOf(name); ok {
			name = e
		}
		if isEntry(name) && f.ModTime.After(used[name]) {
			used[name] = f.ModTime
		}
	}
	var old []string
	for _, name := range slices.Sorted(maps.Keys(used)) {
		if !used[name].After(then) {
			old = append(old, name)
		}
	}
	return old, nil
}

// sweepEntry moves an entry aside, looks whether somebody asked for it in that
// moment, and removes it only then: a client notes its use before it looks.
func (a *Area) sweepEntry(ctx context.Context, name string, limit time.Time) (bool, error) {
	file := path.Join(a.cache(), name)
	aside := path.Join(a.cache(), hdfsstore.TemporaryPrefix+"swept-"+name)
	if err := a.fsys.Rename(ctx, file, aside); err != nil {
		if errors.Is(err, fs.ErrNotExist) { // only the note was left
			return false, a.fsys.Delete(ctx, file+usedSuffix, false)
		}
		return false, err
	}
	note, err := a.fsys.Stat(ctx, file+usedSuffix)
	if err == nil && note.ModTime.After(limit) {
		err := a.fsys.Rename(ctx, aside, file)
		if errors.Is(err, fs.ErrExist) { // uploaded again meanwhile
			err = a.fsys.Delete(ctx, aside, false)
		}
		return false, err
	}
	if err := errors.Join(a.fsys.Delete(ctx, aside, false), a.fsys.Delete(ctx, file+usedSuffix, false)); err != nil {
		return false, err
	}
	a.opts.Log.Info("removed a program that nobody used for a week", "sha256", name)
	return true, nil
}

// Applications lists the application folders of the area.
func (a *Area) Applications(ctx context.Context) ([]string, error) {
	folders, err := a.fsys.List(ctx, a.root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var out []string
	for _, f := range folders {
		if f.IsDir && strings.HasPrefix(f.Name, "application_") {
			out = append(out, f.Name)
		}
	}
	return out, err
}
