package conf

import "time"

// Deployment and execution.
var (
	// ParallelismDefault (parallelism.default) is the parallelism of operators that set none.
	ParallelismDefault = PositiveOption("parallelism.default", 1, "Parallelism of operators that set none.")
	// ExecutionTarget (execution.target) is where a job runs.
	ExecutionTarget = StringOption("execution.target", "", "Where a job runs: local, remote, yarn-session, yarn-per-job or yarn-application.").Optional()
	// ExecutionAttached (execution.attached) makes the client wait for the job's end.
	ExecutionAttached = BoolOption("execution.attached", false, "Whether the client waits for the end of the job (flink run sets it unless -d is given).")
	// ExecutionShutdownOnAttachedExit (execution.shutdown-on-attached-exit) ends the job with its client.
	ExecutionShutdownOnAttachedExit = BoolOption("execution.shutdown-on-attached-exit", false, "Whether the job, and a cluster started for it, ends when an attached client is interrupted.")
	// ExecutionShutdownOnApplicationFinish (execution.shutdown-on-application-finish) ends an application cluster with its program.
	ExecutionShutdownOnApplicationFinish = BoolOption("execution.shutdown-on-application-finish", true, "Whether an application cluster ends with its application.")
	// ExecutionSubmitFailedJobOnApplicationError (execution.submit-failed-job-on-application-error) shows planning errors as a failed job.
	ExecutionSubmitFailedJobOnApplicationError = BoolOption("execution.submit-failed-job-on-application-error", false, "Whether an application whose program fails before it submits a job shows a failed job.")
	// ExecutionRuntimeMode (execution.runtime-mode) is streaming, batch or chosen by the sources.
	ExecutionRuntimeMode = EnumOption("execution.runtime-mode", RuntimeStreaming, []RuntimeMode{RuntimeStreaming, RuntimeBatch, RuntimeAutomatic}, nil, "How a program runs: STREAMING, BATCH, or AUTOMATIC (batch when all sources are bounded).")
	// ExecutionBatchShuffleMode (execution.batch-shuffle-mode) says how tasks exchange data in BATCH.
	ExecutionBatchShuffleMode = EnumOption("execution.batch-shuffle-mode", ShuffleBlocking, []ShuffleMode{ShuffleBlocking, ShufflePipelined},
		map[string]ShuffleMode{"all_exchanges_hybrid_full": ShuffleBlocking, "all_exchanges_hybrid_selective": ShuffleBlocking},
		"How tasks exchange data in BATCH: ALL_EXCHANGES_BLOCKING writes it to local disk and starts the receivers when the senders have finished, ALL_EXCHANGES_PIPELINED runs all of them at once. Flink's hybrid modes mean ALL_EXCHANGES_BLOCKING.")
	// SinkCommitterRetries (sink.committer.retries) is how often a commit of a sink is tried again.
	SinkCommitterRetries = IntOption("sink.committer.retries", 10, "How often a commit that a sink asks to try later is tried again before the job fails.").Where("0 or more", func(n int) bool { return n >= 0 })
	// ExecutionBufferTimeout (execution.buffer-timeout.interval) bounds how long a record waits in an output buffer.
	ExecutionBufferTimeout = DurationOption("execution.buffer-timeout.interval", 100*time.Millisecond, "Longest time a record waits in an output buffer; 0 flushes after each record.", "execution.buffer-timeout")
	// ExecutionBufferTimeoutEnabled (execution.buffer-timeout.enabled) switches timed flushes.
	ExecutionBufferTimeoutEnabled = BoolOption("execution.buffer-timeout.enabled", true, "Whether output buffers are flushed by time at all.")
)

// RuntimeMode is how a program runs.
type RuntimeMode string

// Values of execution.runtime-mode.
const (
	RuntimeStreaming RuntimeMode = "STREAMING"
	RuntimeBatch     RuntimeMode = "BATCH"
	RuntimeAutomatic RuntimeMode = "AUTOMATIC"
)

// ShuffleMode is how tasks exchange data in BATCH.
type ShuffleMode string

// Values of execution.batch-shuffle-mode.
const (
	ShuffleBlocking  ShuffleMode = "ALL_EXCHANGES_BLOCKING"
	ShufflePipelined ShuffleMode = "ALL_EXCHANGES_PIPELINED"
)

// Pipeline: what a program may also set for itself.
var (
	// PipelineName (pipeline.name) is the job's name.
	PipelineName = StringOption("pipeline.name", "", "Name of the job.").Optional()
	// PipelineMaxParallelism (pipeline.max-parallelism) bounds rescaling; -1 derives it from the parallelism.
	PipelineMaxParallelism = IntOption("pipeline.max-parallelism", -1, "Number of key groups of operators that set none, the bound of later rescaling; -1 derives it from the parallelism.").Where("-1 or a whole number between 1 and 32768", isMaxParallelism)
	// PipelineAutoWatermarkInterval (pipeline.auto-watermark-interval) is the period of watermark generators.
	PipelineAutoWatermarkInterval = DurationOption("pipeline.auto-watermark-interval", 200*time.Millisecond, "How often periodic watermark generators emit; 0 switches them off.")
	// PipelineOperatorChaining (pipeline.operator-chaining.enabled) joins operators into one task.
	PipelineOperatorChaining = BoolOption("pipeline.operator-chaining.enabled", true, "Whether operators without a shuffle between them run in one task.", "pipeline.operator-chaining")
	// PipelineChainDifferentMaxParallelism (pipeline.operator-chaining.chain-operators-with-different-max-parallelism).
	PipelineChainDifferentMaxParallelism = BoolOption("pipeline.operator-chaining.chain-operators-with-different-max-parallelism", true, "Whether operators of different max parallelism may be chained.")
	// PipelineObjectReuse (pipeline.object-reuse) lets operators of a chain share values.
	PipelineObjectReuse = BoolOption("pipeline.object-reuse", false, "Whether records are handed on without a copy. Emitted records are immutable here, so it changes nothing.")
	// PipelineAutoGenerateUIDs (pipeline.auto-generate-uids) allows operators without a uid.
	PipelineAutoGenerateUIDs = BoolOption("pipeline.auto-generate-uids", true, "Whether operators with state may go without a uid of their own.")
	// PipelineJars (pipeline.jars) are the program and what belongs to it.
	PipelineJars = ListOption("pipeline.jars", nil, "The job's program: a local path or a URI. The key keeps Flink's name; here it is a binary.").Optional()
	// PipelineClasspaths (pipeline.classpaths) is recognised and refused with a reason by the client.
	PipelineClasspaths = ListOption("pipeline.classpaths", nil, "Class path of a JVM program; a Go program is one binary and needs none.").Optional()
	// PipelineCachedFiles (pipeline.cached-files) are files given to every worker.
	PipelineCachedFiles = ListOption("pipeline.cached-files", nil, "Files given to every worker, each as name:NAME,path:PATH[,executable:true].").Optional()
	// PipelineGlobalJobParameters (pipeline.global-job-parameters) are shown by REST and readable by operators.
	PipelineGlobalJobParameters = MapOption("pipeline.global-job-parameters", nil, "Parameters of the job that operators can read and the web page shows.").Optional()
	// PipelineParallelismOverrides (pipeline.jobvertex-parallelism-overrides) sets the parallelism of single vertices.
	PipelineParallelismOverrides = MapOption("pipeline.jobvertex-parallelism-overrides", map[string]string{}, "Parallelism by job vertex id, over what the program says.")
	// PipelineVertexDescriptionMode (pipeline.vertex-description-mode) is how a vertex is described.
	PipelineVertexDescriptionMode = EnumOption("pipeline.vertex-description-mode", VertexTree, []VertexDescriptionMode{VertexTree, VertexCascading}, nil, "How the operators of a vertex are written in its description.")
	// PipelineVertexNameIndexPrefix (pipeline.vertex-name-include-index-prefix) numbers vertices in their names.
	PipelineVertexNameIndexPrefix = BoolOption("pipeline.vertex-name-include-index-prefix", false, "Whether the name of a vertex begins with its number, [vertex-0].")
	// PipelineWatermarkAlignmentUnalignedSplits (pipeline.watermark-alignment.allow-unaligned-source-splits).
	PipelineWatermarkAlignmentUnalignedSplits = BoolOption("pipeline.watermark-alignment.allow-unaligned-source-splits", false, "Whether a source whose splits cannot be paused one by one may take part in watermark alignment.")
)

// VertexDescriptionMode is how the operators of a vertex are written.
type VertexDescriptionMode string

// Values of pipeline.vertex-description-mode.
const (
	VertexTree      VertexDescriptionMode = "TREE"
	VertexCascading VertexDescriptionMode = "CASCADING"
)

// isMaxParallelism: 32768 key groups are Flink's limit, which a savepoint's key-group ranges rely on.
func isMaxParallelism(v int) bool { return v == -1 || (v >= 1 && v <= 1<<15) }

// RestartStrategy is how a job goes on after a failure.
type RestartStrategy string

// Values of restart-strategy.type.
const (
	RestartNone             RestartStrategy = "none"
	RestartFixedDelay       RestartStrategy = "fixed-delay"
	RestartFailureRate      RestartStrategy = "failure-rate"
	RestartExponentialDelay RestartStrategy = "exponential-delay"
)

// Restart strategies.
var (
	// RestartStrategyType (restart-strategy.type): unset is none without checkpointing, exponential-delay with it.
	RestartStrategyType = EnumOption("restart-strategy.type", RestartStrategy(""), []RestartStrategy{RestartNone, RestartFixedDelay, RestartFailureRate, RestartExponentialDelay},
		map[string]RestartStrategy{"off": RestartNone, "disable": RestartNone, "disabled": RestartNone, "fixeddelay": RestartFixedDelay, "failurerate": RestartFailureRate, "exponentialdelay": RestartExponentialDelay},
		"How a failed job restarts: none, fixed-delay, failure-rate or exponential-delay. When it is not set: exponential-delay with checkpointing, none without.", "restart-strategy")
	// RestartFixedDelayAttempts (restart-strategy.fixed-delay.attempts) bounds restarts.
	RestartFixedDelayAttempts = CountOption("restart-strategy.fixed-delay.attempts", 1, "How often fixed-delay restarts before the job fails.")
	// RestartFixedDelayDelay (restart-strategy.fixed-delay.delay) is the pause before a restart.
	RestartFixedDelayDelay = DurationOption("restart-strategy.fixed-delay.delay", time.Second, "Pause before a restart with fixed-delay.")
	// RestartFailureRateMax (restart-strategy.failure-rate.max-failures-per-interval) bounds failures in the interval.
	RestartFailureRateMax = IntOption("restart-strategy.failure-rate.max-failures-per-interval", 1, "How many failures in the interval failure-rate bears.").Where("a whole number of at least 0", isNatural)
	// RestartFailureRateInterval (restart-strategy.failure-rate.failure-rate-interval) is the interval.
	RestartFailureRateInterval = DurationOption("restart-strategy.failure-rate.failure-rate-interval", time.Minute, "The interval of failure-rate.")
	// RestartFailureRateDelay (restart-strategy.failure-rate.delay) is the pause before a restart.
	RestartFailureRateDelay = DurationOption("restart-strategy.failure-rate.delay", time.Second, "Pause before a restart with failure-rate.")
	// RestartExponentialInitialBackoff (restart-strategy.exponential-delay.initial-backoff) is the first pause.
	RestartExponentialInitialBackoff = DurationOption("restart-strategy.exponential-delay.initial-backoff", time.Second, "First pause of exponential-delay.")
	// RestartExponentialMaxBackoff (restart-strategy.exponential-delay.max-backoff) is the longest pause.
	RestartExponentialMaxBackoff = DurationOption("restart-strategy.exponential-delay.max-backoff", time.Minute, "Longest pause of exponential-delay.")
	// RestartExponentialMultiplier (restart-strategy.exponential-delay.backoff-multiplier) is the pause's growth.
	RestartExponentialMultiplier = FloatOption("restart-strategy.exponential-delay.backoff-multiplier", 1.5, "Factor by which the pause of exponential-delay grows with each failure.").Where("a number of at least 1", func(v float64) bool { return v >= 1 })
	// RestartExponentialResetThreshold (restart-strategy.exponential-delay.reset-backoff-threshold) forgets failures.
	RestartExponentialResetThreshold = DurationOption("restart-strategy.exponential-delay.reset-backoff-threshold", time.Hour, "How long a job runs without failure until the pause is the first one again.")
	// RestartExponentialJitter (restart-strategy.exponential-delay.jitter-factor) spreads restarts.
	RestartExponentialJitter = FractionOption("restart-strategy.exponential-delay.jitter-factor", 0.1, "Random share added to or taken from the pause, so that jobs do not restart in step.")
	// RestartExponentialAttempts (restart-strategy.exponential-delay.attempts-before-reset-backoff) bounds restarts.
	RestartExponentialAttempts = CountOption("restart-strategy.exponential-delay.attempts-before-reset-backoff", Infinite, "How often exponential-delay restarts within the reset threshold before the job fails.")
)
