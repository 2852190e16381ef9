package jobmanager

import (
	"strings"
	"testing"

	"goflink/conf"
	"goflink/control"
)

func TestWarnings(t *testing.T) {
	for slots, want := range map[int32]bool{1: false, 2: false, 3: true} {
		if got := slotsWarning(&control.RegisterTaskManager{Id: "tm", Slots: slots, CpuCores: 2}); strings.Contains(got, "more slots than cores") != want {
			t.Errorf("%d slots: %q", slots, got)
		}
	}
	if got := slotsWarning(&control.RegisterTaskManager{Slots: 3}); got != "" {
		t.Errorf("unknown cores: %q", got)
	}
	g := testJob(1, nil)
	if got := stateWarning(g, conf.FromMap(everySecond)); got != "" {
		t.Errorf("with checkpoints: %q", got)
	}
	if got := stateWarning(g, conf.FromMap(nil)); !strings.Contains(got, "operator in has state") {
		t.Errorf("without: %q", got)
	}
	for _, v := range g.Vertices {
		v.Operators[0].States = nil
	}
	if got := stateWarning(g, conf.FromMap(nil)); got != "" {
		t.Errorf("without state: %q", got)
	}
}
