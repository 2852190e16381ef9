//go:build e2e

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"goflink/hdfsstore"
	"goflink/internal/testbed"
)

// text is a generated text in HDFS.
type text struct {
	dir    string // URI
	counts map[string]int
	bytes  int64
}

const (
	textBytes = 210 << 20
	textFiles = 6
	textSeed  = 20260101
)

var corpus struct {
	sync.Mutex
	text *text
}

// bigText is 200 MB of text in HDFS, written once. The words are counted while
// they are made, before they are text.
func bigText(b *testbed.Bed) *text {
	b.T.Helper()
	corpus.Lock()
	defer corpus.Unlock()
	if corpus.text != nil {
		return corpus.text
	}
	begin := time.Now()
	dir := fmt.Sprintf("/user/%s/text-%d-%d", testbed.User, textSeed, textBytes)
	x := &text{dir: b.Cluster.URI(dir), counts: map[string]int{}}
	words := vocabulary(rand.New(rand.NewPCG(textSeed, 1)))
	_, err := b.FS().Stat(b.T.Context(), path.Join(dir, "_SUCCESS")) // of an earlier test binary on a cluster that was kept
	present := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		b.Must(err)
	}
	for i := range textFiles {
		w := io.Writer(io.Discard)
		var file hdfsstore.Writer
		if !present {
			file, err = b.FS().Create(b.T.Context(), path.Join(dir, fmt.Sprintf("file-%d.txt", i)), hdfsstore.CreateOptions{Overwrite: true})
			b.Must(err)
			w = file
		}
		b.Must(x.write(w, words, rand.New(rand.NewPCG(textSeed, uint64(2+i))), textBytes/textFiles))
		if file != nil {
			b.Must(file.Close())
		}
	}
	if !present {
		b.Must(hdfsstore.WriteFile(b.T.Context(), b.FS(), path.Join(dir, "_SUCCESS"), nil, hdfsstore.PublishOptions{}))
	}
	b.T.Logf("%d MB of text with %d different words in %s, seed %d, %.1f s", x.bytes>>20, len(x.counts), x.dir, textSeed, time.Since(begin).Seconds())
	corpus.text = x
	return x
}

// vocabulary is 20,000 words of 6 to 17 letters.
func vocabulary(r *rand.Rand) []string {
	words := make([]string, 20_000)
	for i := range words {
		w := make([]byte, 6+r.IntN(12))
		for j := range w {
			w[j] = byte('a' + r.IntN(26))
		}
		words[i] = string(w)
	}
	return words
}

// write writes lines of up to 12 words; early words are the frequent ones.
func (x *text) write(w io.Writer, words []string, r *rand.Rand, size int) error {
	zipf := rand.NewZipf(r, 1.2, 20, uint64(len(words)-1))
	counts := make([]int, len(words))
	var buf bytes.Buffer
	for left := size; left > 0; {
		buf.Reset()
		for buf.Len() < 1<<20 {
			for n := 1 + r.IntN(12); n > 0; n-- {
				k := int(zipf.Uint64())
				counts[k]++
				buf.WriteString(words[k])
				buf.WriteByte(" ,.;"[r.IntN(4)])
			}
			buf.WriteByte('\n')
		}
		left -= buf.Len()
		x.bytes += int64(buf.Len())
		if _, err := w.Write(buf.Bytes()); err != nil {
			return err
		}
	}
	for k, n := range counts {
		if n > 0 {
			x.counts[words[k]] += n
		}
	}
	return nil
}

// checkRunning demands, for a word that occurs n times, the lines (word,1) to
// (word,n), each once.
func (x *text) checkRunning(b *testbed.Bed, dir string) {
	b.T.Helper()
	seen := map[string][]uint64{}
	bad := 0
	b.Lines(b.FS(), dir, func(line []byte) {
		word, n, ok := parseCount(line)
		total := x.counts[word]
		if !ok || n < 1 || n > total {
			if bad++; bad <= 5 {
				b.T.Errorf("%s: line %q (the word occurs %d times)", dir, line, total)
			}
			return
		}
		bits := seen[word]
		if bits == nil {
			bits = make([]uint64, total/64+1)
			seen[strings.Clone(word)] = bits
		}
		if bits[n/64]&(1<<(n%64)) != 0 {
			if bad++; bad <= 5 {
				b.T.Errorf("%s: line %q is there twice", dir, line)
			}
		}
		bits[n/64] |= 1 << (n % 64)
	})
	missing := 0
	for word, total := range x.counts {
		bits := seen[word]
		for n := 1; n <= total; n++ {
			if bits == nil || bits[n/64]&(1<<(n%64)) == 0 {
				if missing++; missing <= 5 {
					b.T.Errorf("%s: the line (%s,%d) is missing", dir, word, n)
				}
			}
		}
	}
	if bad+missing > 0 {
		b.T.Errorf("%s: %d wrong lines, %d missing ones", dir, bad, missing)
	}
}

// checkFinal demands one line (word,n) for each word.
func (x *text) checkFinal(b *testbed.Bed, dir string) {
	b.T.Helper()
	got, want := map[string]int{}, map[string]int{}
	b.Lines(b.FS(), dir, func(line []byte) { got[string(line)]++ })
	for word, n := range x.counts {
		want[fmt.Sprintf("(%s,%d)", word, n)] = 1
	}
	compare(b.T, dir, got, want)
}

func parseCount(line []byte) (word string, n int, ok bool) {
	s := string(line)
	i := strings.LastIndexByte(s, ',')
	if i < 1 || s[0] != '(' || s[len(s)-1] != ')' {
		return "", 0, false
	}
	n, err := strconv.Atoi(s[i+1 : len(s)-1])
	return s[1:i], n, err == nil
}

// inOrder checks that text holds all parts, one after the other.
func inOrder(t *testing.T, text string, parts ...string) {
	t.Helper()
	rest := text
	for _, p := range parts {
		_, after, ok := strings.Cut(rest, p)
		if !ok {
			t.Errorf("%q is not there, or not behind what comes before it, in\n%s", p, text)
			return
		}
		rest = after
	}
}

const wordCountLimit = 4 * time.Minute

func TestWordCountPerJob(t *testing.T) {
	b := onYarn(t)
	x := bigText(b)
	p := b.Start(testbed.Command{}, b.Bin("flink"), "run", "-t", "yarn-per-job", "-p", "3", jobs["wordcount"], "--input", x.dir, "--output", b.URI("out"))
	job := p.Await(testbed.JobID, time.Minute)
	id := b.Applications()[0].ID
	jm := b.Of(id)
	jm.AwaitRunning(job, time.Minute)
	if n := len(b.InRole(id, "taskmanager")); n != 3 {
		t.Errorf("%d TaskManagers, want 3", n)
	}
	if job, err := b.BehindProxy(id).Job(job); err != nil || job.Name != "WordCount" {
		t.Errorf("behind the ResourceManager's proxy: %+v, %v", job, err)
	}
	r := p.Wait(wordCountLimit).OK(t)
	inOrder(t, r.Stdout, "Submitting application master "+id, "Submitted application "+id, "Waiting for the cluster to be allocated",
		"YARN application has been deployed successfully.", "Found Web Interface ", "of application '"+id+"'.",
		"Job has been submitted with JobID "+job, "Program execution finished\nJob with JobID "+job+" has finished.\nJob Runtime: ")
	b.AwaitEnd(id, "SUCCEEDED", 30*time.Second)
	x.checkRunning(b, b.Dir+"/out")
}

func TestWordCountApplication(t *testing.T) {
	b := onYarn(t)
	x := bigText(b)
	r := b.Flink("run-application", "-t", "yarn-application", "-Dparallelism.default=3", jobs["wordcount"], "--input", x.dir, "--output", b.URI("out")).OK(t)
	id := r.Match(t, testbed.ApplicationID)
	if strings.Contains(r.Stdout, "JobID") {
		t.Errorf("application mode prints a job id:\n%s", r.Stdout)
	}
	b.AwaitEnd(id, "SUCCEEDED", wordCountLimit)
	x.checkRunning(b, b.Dir+"/out")
}

// TestWordCountSession runs two jobs at once in a session whose three
// TaskManagers are there from the start.
func TestWordCountSession(t *testing.T) {
	b := onYarn(t)
	x := bigText(b)
	s := startSession(b, "-n", "3", "-s", "2")
	b.Eventually("three TaskManagers before any job", 30*time.Second, func() bool { return len(b.InRole(s.id, "taskmanager")) == 3 })
	running := b.Start(testbed.Command{}, b.Bin("flink"), "run", "-p", "3", jobs["wordcount"], "--input", x.dir, "--output", b.URI("running"))
	final := b.Start(testbed.Command{}, b.Bin("flink"), "run", "-p", "3", jobs["wordcount"], "--input", x.dir, "--output", b.URI("final"), "--execution-mode", "BATCH")
	running.Await(testbed.JobID, time.Minute)
	final.Await(testbed.JobID, time.Minute)
	final.Wait(wordCountLimit).OK(t)
	running.Wait(wordCountLimit).OK(t)
	s.stop()
	x.checkFinal(b, b.Dir+"/final")
	x.checkRunning(b, b.Dir+"/running")
}
