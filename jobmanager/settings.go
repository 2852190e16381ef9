package jobmanager

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"goflink/conf"
	"goflink/graph"
	"goflink/jobmanager/checkpoint"
	"goflink/jobmanager/execution"
	"goflink/jobmanager/slots"
)

// effective is the configuration that a job runs with: the cluster's, with the
// job's own over it. In BATCH no checkpoints are taken, as in Flink: what a stage
// wrote is what a failure begins from.
func effective(cluster *conf.Config, g *graph.JobGraph) *conf.Config {
	c := conf.Merge(cluster, conf.FromMap(g.GetConfig()))
	if batch(c) {
		conf.CheckpointingInterval.Set(c, 0)
	}
	return c
}

// batch tells that a job runs in BATCH; the program has decided what AUTOMATIC
// means.
func batch(c *conf.Config) bool { return conf.ExecutionRuntimeMode.Get(c) == conf.RuntimeBatch }

// strategyOf makes the restart strategy of a job. Without one being named, jobs
// with checkpoints restart for ever with growing pauses, others do not.
func strategyOf(c *conf.Config, random func() float64) execution.Strategy {
	if random == nil {
		random = rand.Float64
	}
	kind := conf.RestartStrategyType.Get(c)
	if !conf.RestartStrategyType.IsSet(c) {
		kind = conf.RestartNone
		if conf.CheckpointingInterval.Get(c) > 0 {
			kind = conf.RestartExponentialDelay
		}
	}
	switch kind {
	case conf.RestartFixedDelay:
		return &execution.FixedDelay{Attempts: unlimited(conf.RestartFixedDelayAttempts.Get(c)), Delay: conf.RestartFixedDelayDelay.Get(c)}
	case conf.RestartFailureRate:
		return &execution.FailureRate{Max: conf.RestartFailureRateMax.Get(c), Interval: conf.RestartFailureRateInterval.Get(c),
			Delay: conf.RestartFailureRateDelay.Get(c)}
	case conf.RestartExponentialDelay:
		return &execution.ExponentialDelay{Initial: conf.RestartExponentialInitialBackoff.Get(c), Max: conf.RestartExponentialMaxBackoff.Get(c),
			Multiplier: conf.RestartExponentialMultiplier.Get(c), Reset: conf.RestartExponentialResetThreshold.Get(c),
			Jitter: conf.RestartExponentialJitter.Get(c), Attempts: unlimited(conf.RestartExponentialAttempts.Get(c)), Random: random}
	}
	return execution.NoRestart{}
}

func unlimited(n int) int {
	if n == conf.Infinite {
		return math.MaxInt
	}
	return n
}

// poolConfig makes the slot pool's configuration.
func poolConfig(o *Options) slots.Config {
	c := o.Conf
	per := conf.TaskManagerNumberOfTaskSlots.Get(c)
	cfg := slots.Config{
		Spread:              conf.EvenlySpreadOutSlots.Get(c) || strings.EqualFold(lookup(c, "taskmanager.load-balance.mode"), "SLOTS"),
		Whole:               o.Mode == Dedicated,
		Elastic:             o.Provider != nil,
		SlotsPerTaskManager: per,
		Min:                 o.MinTaskManagers,
		Redundant:           conf.SlotManagerRedundantTaskManagers.Get(c),
		IdleTimeout:         conf.ResourceManagerTaskManagerTimeout.Get(c),
		RequestTimeout:      conf.SlotRequestTimeout.Get(c),
		WorkerPrefix:        fmt.Sprintf("worker-%d-", o.Epoch),
	}
	if n := conf.SlotManagerMinSlots.Get(c); n > 0 && n != conf.Infinite {
		cfg.Min = max(cfg.Min, (n+per-1)/per)
	}
	if n := conf.SlotManagerMaxSlots.Get(c); n > 0 && n != conf.Infinite {
		cfg.MaxSlots = n
	}
	return cfg
}

func lookup(c *conf.Config, key string) string {
	v, _ := c.Lookup(key)
	return v
}

// checkpointConfig makes a checkpoint coordinator's configuration, without what
// has to be found in file systems.
func checkpointConfig(c *conf.Config, g *graph.JobGraph, epoch int64) checkpoint.Config {
	cfg := checkpoint.Config{
		JobID: g.JobId, Graph: g, Epoch: epoch, Version: conf.Version,
		Interval:      conf.CheckpointingInterval.Get(c),
		MinPause:      conf.CheckpointingMinPause.Get(c),
		Timeout:       conf.CheckpointingTimeout.Get(c),
		MaxConcurrent: conf.CheckpointingMaxConcurrent.Get(c),
		Tolerable:     conf.CheckpointingTolerableFailed.Get(c),
		Retained:      conf.CheckpointingNumRetained.Get(c),
		History:       conf.WebCheckpointsHistory.Get(c),
		Enumerators:   hasEnumerators(g),
		Incremental:   conf.CheckpointingIncremental.Get(c) && conf.StateBackendType.Get(c) == conf.BackendRocksDB,
	}
	if cfg.MinPause > 0 { // as in Flink: a pause means one at a time
		cfg.MaxConcurrent = 1
	}
	if conf.CheckpointingUnaligned.Get(c) && conf.CheckpointingMode.Get(c) == conf.ExactlyOnce {
		cfg.Unaligned, cfg.AlignedTimeout = true, conf.CheckpointingAlignedTimeout.Get(c)
	}
	switch conf.CheckpointingRetention.Get(c) {
	case conf.RetainOnCancellation:
		cfg.Retention = checkpoint.RetainOnCancellation
	case conf.DeleteOnCancellation:
		cfg.Retention = checkpoint.RetainOnFailure
	}
	return cfg
}

func hasEnumerators(g *graph.JobGraph) bool {
	return slices.ContainsFunc(g.GetVertices(), hasEnumerator)
}

func hasEnumerator(v *graph.Vertex) bool {
	return slices.ContainsFunc(v.GetOperators(), func(op *graph.Operator) bool { return op.Enumerator })
}

// describeGraph tells the state machine of a job what its graph looks like.
func describeGraph(spec *execution.Config, g *graph.JobGraph) {
	for _, v := range g.GetVertices() {
		spec.Vertices = append(spec.Vertices, execution.Vertex{ID: v.Id, Name: v.Name, Parallelism: int(v.Parallelism),
			MaxParallelism: int(v.MaxParallelism), Group: v.SlotSharingGroup, Coupled: hasEnumerator(v)})
	}
	for _, e := range g.GetEdges() {
		spec.Edges = append(spec.Edges, execution.Edge{Source: e.Source, Target: e.Target, Partitioning: e.Partitioning, Blocking: e.Blocking})
	}
}

// wholeJob tells that every failure restarts all tasks of a job. Programs built
// with release 0.1.0 know one attempt of the whole job only.
func wholeJob(g *graph.JobGraph, c *conf.Config) bool {
	return conf.JobManagerFailoverStrategy.Get(c) == conf.FailoverFull || !g.GetRegions()
}

// heartbeats are the interval and time-out of heartbeats in both directions.
func heartbeats(c *conf.Config) (interval, timeout time.Duration) {
	return conf.HeartbeatInterval.Get(c), conf.HeartbeatTimeout.Get(c)
}
