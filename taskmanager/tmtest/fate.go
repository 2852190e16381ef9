package tmtest

import (
	"time"

	"google.golang.org/grpc"

	"goflink/control"
)

// fated sends commands to a worker as JM.Fate has it.
type fated struct {
	j    *JM
	id   string
	to   grpc.BidiStreamingServer[control.WorkerEvent, control.WorkerCommand]
	late []late
}

// late is a command that comes once more.
type late struct {
	c     *control.WorkerCommand
	after int
}

func (f *fated) send(c *control.WorkerCommand) error {
	if f.j.Fate == nil {
		return f.to.Send(c)
	}
	hold, again := f.j.Fate(f.id, c)
	if hold > 0 {
		t := time.NewTimer(hold)
		defer t.Stop()
		select {
		case <-t.C:
		case <-f.to.Context().Done():
			return f.to.Context().Err()
		}
	}
	if err := f.to.Send(c); err != nil {
		return err
	}
	var rest []late
	for _, l := range f.late {
		if l.after--; l.after > 0 {
			rest = append(rest, l)
		} else if err := f.to.Send(l.c); err != nil {
			return err
		}
	}
	f.late = rest
	if again > 0 {
		f.late = append(f.late, late{c, again})
	}
	return nil
}
