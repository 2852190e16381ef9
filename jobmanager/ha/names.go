package ha

import (
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// State of an epoch folder, by the prefix of its name.
const (
	openPrefix   = "epoch-"
	closedPrefix = "closed-"
	stalePrefix  = "stale-"
)

// leaderFile is the name of the leader's record in an epoch folder.
const leaderFile = "leader"

// temporaryPrefix begins the folder of an attempt's files before their rename.
// Each attempt has its own, since a stale one still cleans up after those before.
const temporaryPrefix = "tmp-"

// Kinds of records, as in file names.
const (
	kindSnapshot   = "snapshot"
	kindJob        = "job"
	kindUpdate     = "upd"
	kindCheckpoint = "chk"
	kindResult     = "end"
	kindRemoval    = "del"
)

// maxEpoch keeps numbers within the ten digits of names.
const maxEpoch = 9_999_999_999

func epochName(prefix string, n int64) string { return fmt.Sprintf("%s%010d", prefix, n) }

// folder is what one name in the store's folder says.
type folder struct {
	number int64
	open   bool
}

// parseFolder reads the name of an epoch folder; others are not ok.
func parseFolder(name string) (folder, bool) {
	digits, open := strings.CutPrefix(name, openPrefix)
	if !open {
		var ok bool
		if digits, ok = strings.CutPrefix(name, closedPrefix); !ok {
			return folder{}, false
		}
	}
	n, ok := parseNumber(digits)
	return folder{number: n, open: open}, ok
}

// parseTemporary reads the name of a folder for temporary files.
func parseTemporary(name string) (int64, bool) {
	digits, ok := strings.CutPrefix(name, temporaryPrefix)
	if !ok {
		return 0, false
	}
	return parseNumber(digits)
}

// parseNumber takes ten digits and nothing else.
func parseNumber(s string) (int64, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && len(s) == 10 && n >= 0 && s[0] != '+'
}

// recordName is the name of a file in an epoch folder.
type recordName struct {
	seq  int64
	kind string
	job  string // empty for snapshots
}

func (r recordName) String() string {
	name := fmt.Sprintf("%010d-%s", r.seq, r.kind)
	if r.job != "" {
		name += "-" + r.job
	}
	return name
}

func (r recordName) in(dir string) string { return path.Join(dir, r.String()) }

var recordPattern = regexp.MustCompile(`^([0-9]{10})-(snapshot|(job|upd|chk|end|del)-([0-9A-Za-z_-]{1,64}))$`)

func parseRecord(name string) (recordName, bool) {
	m := recordPattern.FindStringSubmatch(name)
	if m == nil {
		return recordName{}, false
	}
	seq, ok := parseNumber(m[1])
	if m[3] == "" {
		return recordName{seq: seq, kind: kindSnapshot}, ok
	}
	return recordName{seq: seq, kind: m[3], job: m[4]}, ok
}

var jobPattern = regexp.MustCompile(`^[0-9A-Za-z_-]{1,64}$`)

func checkJobID(id string) error {
	if !jobPattern.MatchString(id) {
		return fmt.Errorf("job id %q is not made of 1 to 64 letters, digits, - and _", id)
	}
	return nil
}
