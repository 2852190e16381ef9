package dataflow

import (
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
)

// TestAligner drives the core by scripts:
//
//	join source=a group=g drift=1s
//	report source=a sub=0 wm=5        (idle and ended readers: wm=max)
//	leave source=a
//	allowed source=a
func TestAligner(t *testing.T) {
	a := NewAligner()
	datadriven.RunTest(t, "testdata/aligner", func(t *testing.T, d *datadriven.TestData) string {
		var source, group, wm string
		d.ScanArgs(t, "source", &source)
		switch d.Cmd {
		case "join":
			var drift string
			d.ScanArgs(t, "group", &group)
			d.ScanArgs(t, "drift", &drift)
			dur, err := time.ParseDuration(drift)
			if err != nil {
				t.Fatal(err)
			}
			a.Join(source, Alignment{Group: group, MaxDrift: dur})
		case "report":
			var sub int
			d.ScanArgs(t, "sub", &sub)
			d.ScanArgs(t, "wm", &wm)
			ms := int64(MaxWatermark)
			if wm != "max" {
				if _, err := fmt.Sscan(wm, &ms); err != nil {
					t.Fatal(err)
				}
			}
			a.Report(source, sub, ms)
		case "leave":
			a.Leave(source)
		case "allowed":
			ms, ok := a.Allowed(source)
			switch {
			case !ok:
				return "anything\n"
			case ms == MaxWatermark:
				return "max\n"
			}
			return fmt.Sprintln(ms)
		}
		return ""
	})
}

func TestEvents(t *testing.T) {
	for _, ms := range []int64{MinWatermark, -1, 0, 1, MaxWatermark} {
		if e, err := ParseEvent(WatermarkEvent(ms)); err != nil || e.Kind != EventWatermark || e.Watermark != ms {
			t.Errorf("%d: %+v, %v", ms, e, err)
		}
	}
	if e, err := ParseEvent(UserEvent([]byte("x"))); err != nil || e.Kind != EventUser || string(e.Data) != "x" {
		t.Errorf("%+v, %v", e, err)
	}
	if e, err := ParseEvent([]byte{99, 1}); err != nil || e.Kind != 99 {
		t.Errorf("unknown kinds are for the receiver to skip: %+v, %v", e, err)
	}
	for _, bad := range [][]byte{nil, {1}, {1, 0x80}, {1, 0, 0}} {
		if _, err := ParseEvent(bad); err == nil {
			t.Errorf("%v passed", bad)
		}
	}
}
