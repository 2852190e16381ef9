package jobmanager

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"goflink/conf"
	"goflink/hdfsstore"
	"goflink/jobmanager/checkpoint"
)

func checkpointTimeout(c *conf.Config) time.Duration { return conf.CheckpointingTimeout.Get(c) }

// fullURI is the full name of a folder, so that every process understands it.
func fullURI(files *hdfsstore.Resolver, uri string) (string, error) {
	fsys, path, err := files.For(uri)
	if err != nil {
		return "", err
	}
	return strings.TrimSuffix(hdfsstore.URI(fsys, path), "/"), nil
}

// checkpointDir is a job's own folder for checkpoints; empty when state is kept
// in the JobManager's memory.
func checkpointDir(files *hdfsstore.Resolver, c *conf.Config, jobID string) (string, error) {
	dir := conf.CheckpointingDir.Get(c)
	if dir == "" || conf.CheckpointingStorage.Get(c) == conf.StorageJobManager {
		return "", nil
	}
	uri, err := fullURI(files, dir)
	if err != nil {
		return "", fmt.Errorf("%s: %w", conf.CheckpointingDir.Key, err)
	}
	if conf.CheckpointingCreateSubdir.Get(c) {
		uri += "/" + jobID
	}
	return uri, nil
}

// highestID finds the highest id of a checkpoint folder in dir; 0 without any.
func highestID(ctx context.Context, files *hdfsstore.Resolver, dir string) (int64, error) {
	fsys, path, err := files.For(dir)
	if err != nil {
		return 0, err
	}
	list, err := fsys.List(ctx, path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("looking for checkpoints: %w", err)
	}
	high := int64(0)
	for _, i := range list {
		if n, ok := strings.CutPrefix(i.Name, "chk-"); ok {
			if id, err := strconv.ParseInt(n, 10, 64); err == nil && id > 0 && id < 1<<62 {
				high = max(high, id)
			}
		}
	}
	return high, nil
}

// discard deletes what no checkpoint needs. What cannot be deleted is garbage,
// not a failure.
func discard(ctx context.Context, files *hdfsstore.Resolver, log *slog.Logger, d checkpoint.Discard) {
	remove := func(uri string, recursive, ifEmpty bool) {
		fsys, path, err := files.For(uri)
		if err == nil {
			err = fsys.Delete(ctx, path, recursive)
		}
		if err != nil && ctx.Err() == nil && !(ifEmpty && errors.Is(err, hdfsstore.ErrNotEmpty)) {
			log.Warn("What checkpoints no longer need could not be deleted", "checkpoint", d.ID, "path", uri, "error", err)
		}
	}
	for _, f := range d.Files {
		remove(f, false, false)
	}
	for _, f := range d.Dirs {
		remove(f, true, false)
	}
	for _, f := range d.EmptyFolders {
		remove(f, false, true)
	}
}

// removeEmpty removes a job's folder of checkpoints, unless something is in it.
func removeEmpty(ctx context.Context, files *hdfsstore.Resolver, log *slog.Logger, dir string) {
	discard(ctx, files, log, checkpoint.Discard{EmptyFolders: []string{dir + "/shared", dir + "/taskowned", dir}})
}

// retained is how an older retained checkpoint is noted beside the pointer.
type retained struct {
	ID   int64  `json:"id"`
	Path string `json:"path"`
}

func encodeRetained(list []*checkpoint.Completed) []byte {
	var out []retained
	for _, c := range list {
		if !c.Foreign {
			out = append(out, retained{c.ID, c.Dir})
		}
	}
	b, err := json.Marshal(out)
	if err != nil { // numbers and texts always encode
		return nil
	}
	return b
}

func decodeRetained(b []byte) ([]retained, error) {
	if len(b) == 0 {
		return nil, nil
	}
	var out []retained
	if err := json.Unmarshal(b, &out); err != nil {
		return nil, fmt.Errorf("the list of retained checkpoints is damaged: %w", err)
	}
	return out, nil
}
