package yarnrpc_test

import (
	"testing"

	"goflink/yarnrpc"
)

func TestIDs(t *testing.T) {
	for _, s := range []string{
		"container_1700000000000_0001_01_000002", "container_e01_1795000000000_0012_03_000004",
		"container_e123_1_12345_100_1000000", "container_e01_1_0001_01_1099511627775",
	} {
		id, err := yarnrpc.ParseContainerID(s)
		if err != nil || id.String() != s {
			t.Errorf("%s became %s, %v", s, id, err)
		}
	}
	id, err := yarnrpc.ParseContainerID("container_e02_1700000000000_0003_04_000005")
	want := yarnrpc.ContainerID{Attempt: yarnrpc.AttemptID{App: yarnrpc.ApplicationID{ClusterTimestamp: 1700000000000, ID: 3}, Attempt: 4}, ID: 2<<40 | 5}
	if err != nil || id != want || id.Epoch() != 2 {
		t.Errorf("got %+v, %v", id, err)
	}
	if id.Attempt.String() != "appattempt_1700000000000_0003_000004" || id.Attempt.App.String() != "application_1700000000000_0003" {
		t.Errorf("got %s, %s", id.Attempt, id.Attempt.App)
	}
	attempt, err := yarnrpc.ParseAttemptID(id.Attempt.String())
	if err != nil || attempt != id.Attempt {
		t.Errorf("got %s, %v", attempt, err)
	}
	app, err := yarnrpc.ParseApplicationID(" application_1700000000000_123456 ")
	if err != nil || app.ID != 123456 || app.String() != "application_1700000000000_123456" {
		t.Errorf("got %s, %v", app, err)
	}
}

func TestMalformedIDs(t *testing.T) {
	for _, s := range []string{"", "application", "application_1", "application_1_2_3", "app_1_2", "application_-1_2", "application_1_99999999999", "application_x_1", "container_1_1"} {
		if id, err := yarnrpc.ParseApplicationID(s); err == nil {
			t.Errorf("%q parsed as %s", s, id)
		}
	}
	for _, s := range []string{"", "container_", "container_e_1_1_1_1", "container_ex_1_1_1_1", "container_1_1_1", "container_1_1_1_1_1_1", "container_1_1_1_1099511627776"} {
		if id, err := yarnrpc.ParseContainerID(s); err == nil {
			t.Errorf("%q parsed as %s", s, id)
		}
	}
}

func FuzzParseContainerID(f *testing.F) {
	f.Add("container_e01_1795000000000_0012_03_000004")
	f.Add("container_1_1_1_1")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := yarnrpc.ParseContainerID(s)
		if err != nil {
			return
		}
		again, err := yarnrpc.ParseContainerID(id.String())
		if err != nil || again != id {
			t.Errorf("%q: %s parsed as %s, %v", s, id, again, err)
		}
	})
}
