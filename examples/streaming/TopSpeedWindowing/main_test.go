package main

import (
	"strings"
	"testing"

	"goflink/graph"
	"goflink/stream"
	"goflink/stream/streamtest"
)

func TestTopSpeed(t *testing.T) {
	env := stream.NewEnv(stream.Settings{})
	if err := build(env); err != nil {
		t.Fatal(err)
	}
	p, err := env.Program()
	if err != nil {
		t.Fatal(err)
	}
	v := p.JobGraph().Vertices
	if v[0].Name != "Source: Car data generator source -> Timestamps/Watermarks" || v[1].Name != "GlobalWindows -> Sink: Print to Std. Out" {
		t.Errorf("vertices %q and %q", v[0].Name, v[1].Name)
	}
	plan, err := graph.PlanJSON(p.JobGraph())
	if err != nil || !strings.Contains(string(plan), "Window(GlobalWindows(trigger=NeverTrigger), DeltaTrigger, TimeEvictor, ComparableAggregator, PassThroughWindowFunction)<br/>+- Sink: Print to Std. Out<br/>") {
		t.Errorf("plan %s: %v", plan, err)
	}
	c, err := streamtest.New(p, streamtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i := 0; len(c.Lines()) < 5 && i < 100_000; i++ {
		if err := c.RunSteps(1); err != nil {
			t.Fatal(err)
		}
	}
	for _, l := range c.Lines() {
		if car, err := parse(l); err != nil || car.String() != l {
			t.Errorf("line %s: %v %v", l, car, err)
		}
	}
	if len(c.Lines()) < 5 {
		t.Errorf("only %v", c.Lines())
	}
}
