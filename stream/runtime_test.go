package stream_test

import (
	"fmt"
	"strings"
	"testing"

	"goflink/stream"
	"goflink/stream/streamtest"
)

// teller emits what its Setup knows.
type teller struct{ text string }

func newTeller(s *stream.Setup[stream.NoKey]) *teller {
	return &teller{fmt.Sprintf("%s | %s | %d %d/%d #%d | %s %s | %s", s.TaskName(), s.OperatorName(), s.MaxParallelism(), s.Subtask(), s.Parallelism(), s.Attempt(),
		s.JobName(), s.JobID(), s.Params().Get("color", "none"))}
}

func (x *teller) OnRecord(_ *stream.Ctx[stream.NoKey], _ int64, out *stream.Out[string]) error {
	out.Emit(x.text)
	return nil
}

func TestRuntimeContext(t *testing.T) {
	env := stream.NewEnv(stream.Settings{Name: "demo", Args: []string{"--color", "red"}})
	stream.Process(stream.Sequence(env, 1, 1, stream.Parallelism(1)), newTeller, stream.Name("tell"), stream.Parallelism(1), stream.MaxParallelism(64)).Print(stream.Parallelism(1))
	p, err := env.Program()
	if err != nil {
		t.Fatal(err)
	}
	got := run(t, p, streamtest.Options{})
	want := "Source: Sequence Source -> tell -> Sink: Print to Std. Out (1/1) | tell | 64 0/1 #0 | demo 00000000000000000000000000000001 | red"
	if len(got) != 1 || !strings.HasSuffix(got[0], want[strings.Index(want, " | tell"):]) || !strings.Contains(got[0], " (1/1) | tell | ") {
		t.Errorf("got %q", got)
	}
}

func TestUIDHash(t *testing.T) {
	const id = "0123456789abcdef0123456789abcdef"
	prog := program(t, func(env *stream.Env) {
		stream.Map(stream.Sequence(env, 1, 1), func(n int64) int64 { return n }, stream.UIDHash(id), stream.UID("map"), stream.DisableChaining()).Discard()
	})
	found := false
	for _, v := range prog.JobGraph().Vertices {
		for _, op := range v.Operators {
			found = found || op.Id == id
		}
	}
	if !found {
		t.Error("no operator has the id")
	}
	env := stream.NewEnv(stream.Settings{})
	stream.Sequence(env, 1, 1, stream.UIDHash("Map")).Discard()
	if err := env.Err(); err == nil || !strings.Contains(err.Error(), `uid hash "Map": want 32`) {
		t.Errorf("got %v", err)
	}
}

func TestRestoreFrom(t *testing.T) {
	prog := program(t, func(env *stream.Env) {
		env.RestoreFrom("hdfs:///savepoints/sp-1", stream.RestoreOptions{AllowNonRestoredState: true, Claim: true})
		stream.Sequence(env, 1, 1).Discard()
	})
	c := prog.JobGraph().Config
	if c["execution.state-recovery.path"] != "hdfs:///savepoints/sp-1" || c["execution.state-recovery.ignore-unclaimed-state"] != "true" ||
		!strings.EqualFold(c["execution.state-recovery.claim-mode"], "claim") {
		t.Errorf("%v", c)
	}
}
