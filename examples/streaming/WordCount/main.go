// WordCount counts the words of text files, or of a built-in text.
//
//	WordCount --input PATH [--input PATH]… --output PATH [--discovery-interval 10s] [--execution-mode BATCH]
//
// Without --input it counts the text of data.go; without --output it prints a
// line "(word,count)" for each word as it is counted. In STREAMING mode, the
// default, a word yields a line each time it occurs; in BATCH mode one at the end.
package main

import (
	"fmt"
	"strings"
	"time"

	"goflink/stream"
)

// Count is a word and how often it occurred.
type Count struct {
	Word string
	N    int
}

// String is the line that is written.
func (c Count) String() string { return fmt.Sprintf("(%s,%d)", c.Word, c.N) }

// tokenize splits a line at what is neither letter, digit nor underscore.
func tokenize(line string, out *stream.Out[Count]) error {
	line = strings.ToLower(line)
	for start, i := -1, 0; i <= len(line); i++ {
		switch word := i < len(line) && isWord(line[i]); {
		case word && start < 0:
			start = i
		case !word && start >= 0:
			out.Emit(Count{line[start:i], 1})
			start = -1
		}
	}
	return nil
}

func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '_'
}

func read(env *stream.Env, p *stream.Params) (stream.Stream[string], error) {
	if !p.Has("input") {
		env.Printf("Executing example with default input data.\nUse --input to specify file input.\n")
		return stream.FromSlice(env, words, stream.Name("in-memory-input")), nil
	}
	every, err := p.Duration("discovery-interval", 0)
	src := stream.TextSource(stream.FileOptions{Paths: p.All("input"), Discover: every})
	return stream.From(env, src, stream.NoWatermarks[string](), stream.Name("file-input")), err
}

func build(env *stream.Env) error {
	env.SetName("WordCount")
	p := env.Params()
	if mode := p.Get("execution-mode", ""); mode != "" {
		env.Configure("execution.runtime-mode", strings.ToUpper(mode))
	}
	text, err := read(env, p)
	if err != nil {
		return err
	}
	tokens := stream.FlatMap(text, tokenize, stream.Name("tokenizer"))
	byWord := stream.KeyBy(tokens, func(c Count) string { return c.Word })
	counts := stream.Sum(byWord, func(c *Count) *int { return &c.N }, stream.Name("counter"), stream.UID("counter"))
	if !p.Has("output") {
		env.Printf("Printing result to stdout. Use --output to specify output path.\n")
		counts.Print(stream.Name("print-sink"))
		return nil
	}
	stream.ToFiles(counts, stream.FileSink[Count]{Path: p.Get("output", ""), RollSize: 1 << 20, RollInterval: 10 * time.Second},
		stream.Name("file-sink"), stream.UID("file-sink"))
	return nil
}

func main() { stream.Main("WordCount", build) }
