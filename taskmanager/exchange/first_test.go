package exchange

import "testing"

// TestFirst: nothing of the other inputs is given out, nor are floating credits
// spent on it, before the channels of a first input have ended.
func TestFirst(t *testing.T) {
	g := newGate(newNetwork(t, "a"), GateOptions{Inputs: []GateInput{{Sources: []GateSource{{}, {Subtask: 1}}}, {First: true, Sources: []GateSource{{}, {Subtask: 1}}}}, ExactlyOnce: true})
	end := queued{event: &Event{EndOfData: &EndOfData{Drain: true}}}
	g.pushLocked(g.channels[0], queued{batch: &intBatch{v: []int64{7}}})
	g.pushLocked(g.channels[1], end)
	g.pushLocked(g.channels[2], queued{batch: &intBatch{v: []int64{8}}})
	g.pushLocked(g.channels[2], end)
	spent := g.channels[0].credit
	g.channels[0].credit.received += int64(spent.exclusive)
	if g.hasRoom(g.channels[0]) {
		t.Error("a channel that waits is promised floating credits")
	}
	item, ok, err := g.Next()
	if err != nil || !ok || item.Kind != ItemData || item.Input != 1 {
		t.Fatalf("%+v, %t, %v", item, ok, err)
	}
	if item, ok, _ = g.Next(); !ok || item.Kind != ItemChannelEnded || item.Input != 1 || item.Channel != 0 {
		t.Fatalf("%+v, %t", item, ok)
	}
	if item, ok, _ = g.Next(); ok {
		t.Fatalf("before the end of the first input came %+v", item)
	}
	g.pushLocked(g.channels[3], end)
	for _, want := range []struct {
		kind           ItemKind
		input, channel int
	}{{ItemChannelEnded, 1, 1}, {ItemData, 0, 0}, {ItemChannelEnded, 0, 1}} {
		if item, ok, _ = g.Next(); !ok || item.Kind != want.kind || item.Input != want.input || item.Channel != want.channel {
			t.Fatalf("%+v, %t, want %+v", item, ok, want)
		}
	}
	if !g.hasRoom(g.channels[0]) {
		t.Error("floating credits are kept from it for ever")
	}
}
