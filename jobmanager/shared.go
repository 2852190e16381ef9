package jobmanager

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"strconv"
	"strings"

	"goflink/hdfsstore"
	"goflink/jobmanager/checkpoint"
)

// referredElsewhere are the files of a checkpoint that other checkpoints beside
// it refer to as well: whoever claims it must not delete them. If one of those
// cannot be read, all of its shared files count as referred to.
func referredElsewhere(ctx context.Context, files *hdfsstore.Resolver, c *checkpoint.Completed) (map[string]bool, error) {
	shared := false
	for _, f := range c.Files {
		shared = shared || !strings.HasPrefix(f, c.Dir+"/")
	}
	if !shared {
		return nil, nil
	}
	used, sure, err := referred(ctx, files, c.Dir[:strings.LastIndexByte(c.Dir, '/')], c.Dir)
	if err != nil || sure {
		return used, err
	}
	for _, f := range c.Files {
		if !strings.HasPrefix(f, c.Dir+"/") {
			used[f] = true
		}
	}
	return used, nil
}

// referred are the files that the checkpoints in a folder refer to, except one.
// It is sure when all of them could be read.
func referred(ctx context.Context, files *hdfsstore.Resolver, dir, except string) (used map[string]bool, sure bool, err error) {
	fsys, p, err := files.For(dir)
	if err != nil {
		return nil, false, err
	}
	list, err := fsys.List(ctx, p)
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]bool{}, true, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("looking for other checkpoints: %w", err)
	}
	used, sure = map[string]bool{}, true
	for _, i := range list {
		uri := dir + "/" + i.Name
		if !i.IsDir || !strings.HasPrefix(i.Name, "chk-") || uri == except {
			continue
		}
		c, err := loadCheckpoint(ctx, files, uri)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it was not completed: nobody begins from it
		}
		if err != nil {
			sure = false
			continue
		}
		for _, f := range c.Files {
			used[f] = true
		}
	}
	return used, sure, nil
}

// sweepShared deletes what earlier JobManagers of a job left in its folder of
// shared files: what their tasks uploaded for checkpoints that never completed.
// A file's name carries the epoch of the JobManager that it was written under.
// One of an earlier epoch can still be written, but it never becomes part of a
// checkpoint: this JobManager knows nothing of it.
func sweepShared(ctx context.Context, files *hdfsstore.Resolver, log *slog.Logger, dir string, epoch int32, kept []*checkpoint.Completed) {
	used, sure, err := referred(ctx, files, dir, "")
	if err != nil || !sure {
		log.Warn("Files that earlier attempts left are not looked for", "dir", dir, "error", err)
		return
	}
	for _, c := range kept {
		for _, f := range c.Files {
			used[f] = true
		}
	}
	fsys, p, err := files.For(dir + "/shared")
	if err != nil {
		return
	}
	list, err := fsys.List(ctx, p)
	if err != nil {
		return // there are none
	}
	for _, i := range list {
		if of, ok := fileEpoch(i.Name); !ok || of >= epoch || used[dir+"/shared/"+i.Name] {
			continue
		}
		if err := fsys.Delete(ctx, path.Join(p, i.Name), false); err != nil {
			log.Warn("A file that an earlier attempt left could not be deleted", "path", dir+"/shared/"+i.Name, "error", err)
		}
	}
}

// fileEpoch reads the epoch in the name of a shared file: kind-eEPOCH-UUID.
func fileEpoch(name string) (int32, bool) {
	kind, rest, ok := strings.Cut(name, "-e")
	if !ok || kind != "table" && kind != "pack" {
		return 0, false
	}
	digits, _, ok := strings.Cut(rest, "-")
	n, err := strconv.ParseInt(digits, 10, 32)
	return int32(n), ok && err == nil
}
