// SocketWindowWordCount counts the words that a text server sends, in windows of
// five seconds.
//
//	nc -l 9000                                   # in another terminal
//	SocketWindowWordCount --hostname localhost --port 9000
package main

import (
	"fmt"
	"strings"
	"time"

	"goflink/stream"
)

// WordWithCount is a word and how often it came in a window.
type WordWithCount struct {
	Word  string
	Count int64
}

// String is the line that is printed.
func (w WordWithCount) String() string { return fmt.Sprintf("%s : %d", w.Word, w.Count) }

// usage is what Flink's example says.
const usage = "No port specified. Please run 'SocketWindowWordCount --hostname <hostname> --port <port>', " +
	"where hostname (localhost by default) and port is the address of the text server\n" +
	"To start a simple text server, run 'netcat -l <port>' and type the input text into the command line"

func split(line string, out *stream.Out[WordWithCount]) error {
	for word := range strings.FieldsSeq(line) {
		out.Emit(WordWithCount{word, 1})
	}
	return nil
}

func build(env *stream.Env) error {
	env.SetName("Socket Window WordCount")
	p := env.Params()
	port, err := p.Int("port", 0)
	if err != nil || port == 0 {
		return fmt.Errorf("%s", usage)
	}
	text := stream.SocketText(env, p.Get("hostname", "localhost"), port, "\n", 0)
	byWord := stream.KeyBy(stream.FlatMap(text, split), func(w WordWithCount) string { return w.Word })
	counts := stream.Sum(byWord.Window(stream.Tumbling(5*time.Second).ProcessingTime()),
		func(w *WordWithCount) *int64 { return &w.Count }, stream.UID("counts"))
	counts.Print(stream.Parallelism(1))
	return nil
}

func main() { stream.Main("SocketWindowWordCount", build) }
