package stream

import (
	"fmt"
	"math"
	"time"

	"goflink/conf"
)

// Rate limits a generator, over all of its subtasks together. The zero Rate sets
// no limit.
type Rate struct {
	perSecond     float64
	perCheckpoint int64
}

// PerSecond is so many records a second; 0 sets no limit. After a pause
// (backpressure) at most two seconds of records are made up for. Flink's
// RateLimiterStrategy.perSecond.
func PerSecond(records float64) Rate { return Rate{perSecond: records} }

// PerCheckpoint is so many records until the first checkpoint is complete, and so
// many again after each one: what a checkpoint holds is known then, as tests of
// sinks like it. Each subtask emits its share, so that there must be a record for
// each; without checkpoints the source stands still after the first ones.
// Flink's RateLimiterStrategy.perCheckpoint.
func PerCheckpoint(records int64) Rate {
	if records < 1 {
		records = -1 // for check
	}
	return Rate{perCheckpoint: records}
}

// String is part of the graph's fingerprint.
func (r Rate) String() string {
	if r.perCheckpoint != 0 {
		return fmt.Sprintf("%d a checkpoint", r.perCheckpoint)
	}
	return fmt.Sprintf("%g/s", r.perSecond)
}

func (r Rate) check() error {
	if r.perSecond < 0 || math.IsNaN(r.perSecond) || math.IsInf(r.perSecond, 0) {
		return fmt.Errorf("a generator's rate of %g per second must be 0 or more", r.perSecond)
	}
	if r.perCheckpoint < 0 {
		return fmt.Errorf("a generator's rate per checkpoint must be 1 or more")
	}
	return nil
}

// allowance is the share of one subtask, or nil without a limit per checkpoint.
func (r Rate) allowance(ctx *ReaderContext) (*allowance, error) {
	if r.perCheckpoint == 0 {
		return nil, nil
	}
	n, sub := int64(ctx.Parallelism()), int64(ctx.Subtask())
	each := r.perCheckpoint / n
	if sub < r.perCheckpoint%n {
		each++
	}
	if each == 0 {
		return nil, fmt.Errorf("a rate of %d records per checkpoint leaves subtask %d of %d without any: raise it to the parallelism", r.perCheckpoint, sub, n)
	}
	if sub == 0 && conf.CheckpointingInterval.Get(ctx.Conf()) == 0 {
		ctx.Log().Warn("a generator is limited per checkpoint, but the job takes none by itself: it stands still until one is triggered", "records", r.perCheckpoint)
	}
	return &allowance{each: each, left: each}, nil
}

// allowance lets a number of records pass and is opened by checkpoints.
type allowance struct{ each, left int64 }

func (g *allowance) pass() bool {
	if g.left == 0 {
		return false
	}
	g.left--
	return true
}

// pace limits the rate of a split. It counts from its start, so that small
// delays are made up for; after a pause (backpressure) it begins anew.
type pace struct {
	perSecond float64
	now       func() time.Time
	start     time.Time
	taken     float64
	allowed   float64
	wakeAt    func(ms int64)
}

func (p *pace) take() bool {
	if p.taken+1 <= p.allowed {
		p.taken++
		return true
	}
	const slip = 2 // seconds of records that are made up for
	now := p.now()
	if p.start.IsZero() {
		p.start = now
	}
	p.allowed = now.Sub(p.start).Seconds()*p.perSecond + 1
	if p.allowed-p.taken > slip*p.perSecond+1 {
		p.start, p.taken, p.allowed = now, 0, 1
	}
	if p.taken+1 <= p.allowed {
		p.taken++
		return true
	}
	due := p.start.Add(time.Duration(p.taken / p.perSecond * float64(time.Second)))
	p.wakeAt(max(due.UnixMilli(), now.UnixMilli()) + 1)
	return false
}
