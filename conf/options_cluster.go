package conf

import "time"

// REST server and its clients.
var (
	// RestAddress (rest.address) is where clients find the REST server.
	RestAddress = StringOption("rest.address", "", "Address clients use to connect to the REST server; on YARN it is set from the application report.", "jobmanager.rpc.address").Optional()
	// RestPort (rest.port) is the port clients connect to, and the server's port unless rest.bind-port is set.
	RestPort = IntOption("rest.port", 8081, "Port clients connect to. The server listens on it unless rest.bind-port is set; on YARN a free port is taken then.", "web.port").Where("a port between 0 and 65535", isPort)
	// RestBindAddress (rest.bind-address) is the address the server listens on.
	RestBindAddress = StringOption("rest.bind-address", "", "Address the REST server listens on; all addresses of the host when it is not set.", "web.address", "jobmanager.web.address").Optional()
	// RestBindPort (rest.bind-port) is the port, range or list of ports the server tries.
	RestBindPort = PortsOption("rest.bind-port", Port(8081), "Port, range or list of ports the REST server tries in turn. Without it rest.port is taken, on YARN any free port.", "rest.port", "web.port", "jobmanager.web.port")
	// RestPath (rest.path) is a prefix clients put before all paths.
	RestPath = StringOption("rest.path", "", "Path clients put before all request paths, for servers behind a proxy.")
	// RestURLPrefix (rest.url-prefix) is the prefix clients put before request paths.
	RestURLPrefix = StringOption("rest.url-prefix", "/", "Prefix of the URL, with leading and trailing slash, that clients put before request paths.")
	// RestAwaitLeaderTimeout (rest.await-leader-timeout) bounds a client's wait for a leading JobManager.
	RestAwaitLeaderTimeout = DurationOption("rest.await-leader-timeout", 30*time.Second, "How long a client waits for the leader's address.")
	// RestConnectionTimeout (rest.connection-timeout) bounds the client's connection attempt.
	RestConnectionTimeout = DurationOption("rest.connection-timeout", 15*time.Second, "How long a client waits for a connection to the REST server.")
	// RestIdlenessTimeout (rest.idleness-timeout) closes idle connections.
	RestIdlenessTimeout = DurationOption("rest.idleness-timeout", 5*time.Minute, "How long a connection may be idle before it is closed.")
	// RestRetryMaxAttempts (rest.retry.max-attempts) bounds a client's retries.
	RestRetryMaxAttempts = IntOption("rest.retry.max-attempts", 20, "How often a client repeats a request that failed for a reason that may pass.")
	// RestRetryDelay (rest.retry.delay) is the pause between retries.
	RestRetryDelay = DurationOption("rest.retry.delay", 3*time.Second, "Pause between such repetitions.")
	// RestServerMaxContentLength (rest.server.max-content-length) bounds a request body in bytes.
	RestServerMaxContentLength = IntOption("rest.server.max-content-length", 104857600, "Largest request body in bytes that the server accepts; programs are bounded separately.").Where("a positive number of bytes", isPositive)
	// RestClientMaxContentLength (rest.client.max-content-length) bounds an answer in bytes.
	RestClientMaxContentLength = IntOption("rest.client.max-content-length", 104857600, "Largest answer in bytes that a client accepts.").Where("a positive number of bytes", isPositive)
	// RestServerNumThreads (rest.server.numThreads) is kept for configuration files; goroutines need no pool.
	RestServerNumThreads = IntOption("rest.server.numThreads", 4, "Read and ignored: requests are served by goroutines.")
	// RestAsyncStoreDuration (rest.async.store-duration) is how long the result of an asynchronous operation is kept.
	RestAsyncStoreDuration = DurationOption("rest.async.store-duration", 5*time.Minute, "How long the result of a finished asynchronous operation (savepoint, checkpoint) can be asked for.")
	// RestProgramMaxSize (rest.program.max-size) bounds an uploaded job binary.
	RestProgramMaxSize = SizeOption("rest.program.max-size", 1*GB, "Largest job binary that can be uploaded to a cluster without a shared file system.")
)

// Web interface.
var (
	// WebRefreshInterval (web.refresh-interval) is how often the web page asks anew.
	WebRefreshInterval = DurationOption("web.refresh-interval", 3*time.Second, "How often the web page refreshes.", "jobmanager.web.refresh-interval")
	// WebCancelEnable (web.cancel.enable) allows cancelling from the web page.
	WebCancelEnable = BoolOption("web.cancel.enable", true, "Whether the web page offers to cancel jobs.")
	// WebSubmitEnable (web.submit.enable) allows submitting from the web page.
	WebSubmitEnable = BoolOption("web.submit.enable", true, "Whether jobs can be submitted through the web page.", "jobmanager.web.submit.enable")
	// WebRescaleEnable (web.rescale.enable) allows rescaling from the web page.
	WebRescaleEnable = BoolOption("web.rescale.enable", true, "Whether the web page offers to rescale jobs.")
	// WebTimeout (web.timeout) bounds asynchronous operations of the web monitor.
	WebTimeout = DurationOption("web.timeout", 10*time.Minute, "Time limit for operations the REST server starts.")
	// WebAllowOrigin (web.access-control-allow-origin) is the CORS header of all answers.
	WebAllowOrigin = StringOption("web.access-control-allow-origin", "*", "Access-Control-Allow-Origin header of all answers.", "jobmanager.web.access-control-allow-origin")
	// WebHistory (web.history) is how many finished jobs the web page shows.
	WebHistory = IntOption("web.history", 5, "Number of finished jobs the web page shows.", "jobmanager.web.history")
	// WebCheckpointsHistory (web.checkpoints.history) is how many checkpoints are remembered per job.
	WebCheckpointsHistory = IntOption("web.checkpoints.history", 10, "Number of checkpoints whose statistics are kept per job.", "jobmanager.web.checkpoints.history")
	// WebExceptionHistorySize (web.exception-history-size) is how many failures are remembered per job.
	WebExceptionHistorySize = IntOption("web.exception-history-size", 16, "Number of failures that are kept per job.")
	// WebLogPath (web.log.path) is the JobManager's log file where it is not the usual one.
	WebLogPath = StringOption("web.log.path", "", "Path of the JobManager's log file; the process's own log file when it is not set.", "jobmanager.web.log.path").Optional()
)

// JobManager.
var (
	// JobManagerRPCAddress (jobmanager.rpc.address) is the JobManager's address.
	JobManagerRPCAddress = StringOption("jobmanager.rpc.address", "", "Address of the JobManager, for TaskManagers and clients of a standalone cluster; on YARN it is found.").Optional()
	// JobManagerRPCPort (jobmanager.rpc.port) is the JobManager's control port.
	JobManagerRPCPort = IntOption("jobmanager.rpc.port", 6123, "Port of the JobManager's control plane; on YARN see yarn.application-master.port.").Where("a port between 0 and 65535", isPort)
	// JobManagerBindHost (jobmanager.bind-host) is the address the JobManager listens on.
	JobManagerBindHost = StringOption("jobmanager.bind-host", "", "Address the JobManager listens on; all addresses when it is not set.").Optional()
	// JobManagerRPCBindPort (jobmanager.rpc.bind-port) is the port the JobManager listens on.
	JobManagerRPCBindPort = IntOption("jobmanager.rpc.bind-port", 0, "Port the JobManager listens on where it differs from jobmanager.rpc.port.").Where("a port between 0 and 65535", isPort).Optional()
	// JobManagerResourceID (jobmanager.resource-id) names the JobManager.
	JobManagerResourceID = StringOption("jobmanager.resource-id", "", "Name of the JobManager in logs; random when it is not set.").Optional()
	// JobManagerFailoverStrategy (jobmanager.execution.failover-strategy) is what restarts after a task failed.
	JobManagerFailoverStrategy = EnumOption("jobmanager.execution.failover-strategy", FailoverRegion, []FailoverStrategy{FailoverFull, FailoverRegion}, nil, "What is restarted after a task failed: all tasks (full) or its pipelined region (region).")
	// JobManagerScheduler (jobmanager.scheduler) is what decides with which parallelism jobs run.
	JobManagerScheduler = EnumOption("jobmanager.scheduler", SchedulerDefault, []Scheduler{SchedulerDefault, SchedulerAdaptive, SchedulerAdaptiveBatch}, map[string]Scheduler{"ng": SchedulerDefault},
		"How jobs get their slots. With Default a job waits for all slots of its configured parallelism. With Adaptive a job that never ends starts with what there is within its bounds, and is rescaled when slots come or go, or its bounds change (PUT /jobs/:jobid/resource-requirements). Jobs in BATCH always have the Default one; AdaptiveBatch is read as Default.")
	// AdaptiveResourceWaitTimeout (jobmanager.adaptive-scheduler.resource-wait-timeout) bounds the wait for sufficient slots.
	AdaptiveResourceWaitTimeout = DurationOption("jobmanager.adaptive-scheduler.resource-wait-timeout", 5*time.Minute, "How long a job of the adaptive scheduler waits, at its start and after a failure, for the slots of its lower bounds before it fails; a negative duration waits for ever.")
	// AdaptiveResourceStabilizationTimeout (jobmanager.adaptive-scheduler.resource-stabilization-timeout) is how long a job waits for more than sufficient slots.
	AdaptiveResourceStabilizationTimeout = DurationOption("jobmanager.adaptive-scheduler.resource-stabilization-timeout", 10*time.Second, "How long a job of the adaptive scheduler waits for all slots that it desires once there are enough for its lower bounds.")
	// AdaptiveMinParallelismIncrease (jobmanager.adaptive-scheduler.min-parallelism-increase) is the least increase worth a rescale.
	AdaptiveMinParallelismIncrease = PositiveOption("jobmanager.adaptive-scheduler.min-parallelism-increase", 1, "Least increase in the parallelism of a vertex for which a running job is rescaled, unless the increase reaches what the job desires.")
	// AdaptiveScalingIntervalMin (jobmanager.adaptive-scheduler.scaling-interval.min) is the least time between rescales.
	AdaptiveScalingIntervalMin = DurationOption("jobmanager.adaptive-scheduler.scaling-interval.min", 30*time.Second, "Least time that a job runs before it is rescaled.", "jobmanager.adaptive-scheduler.executing.cooldown-after-rescaling")
	// AdaptiveScalingIntervalMax (jobmanager.adaptive-scheduler.scaling-interval.max) is after which a small increase counts, too.
	AdaptiveScalingIntervalMax = DurationOption("jobmanager.adaptive-scheduler.scaling-interval.max", 0, "Time after which a job is rescaled even by less than jobmanager.adaptive-scheduler.min-parallelism-increase; never when it is not set.").Optional()
	// JobManagerAttemptsHistorySize (jobmanager.execution.attempts-history-size) bounds remembered attempts.
	JobManagerAttemptsHistorySize = IntOption("jobmanager.execution.attempts-history-size", 16, "Number of earlier attempts kept per subtask.", "job-manager.max-attempts-history-size")
	// JobManagerArchiveDir (jobmanager.archive.fs.dir) is where finished jobs are archived for the history server.
	JobManagerArchiveDir = StringOption("jobmanager.archive.fs.dir", "", "Folder to which finished jobs are archived.").Optional()
	// JobStoreExpirationTime (jobstore.expiration-time) is how many seconds a finished job is remembered.
	JobStoreExpirationTime = IntOption("jobstore.expiration-time", 3600, "Seconds after which a finished job is forgotten.")
	// JobStoreMaxCapacity (jobstore.max-capacity) is how many finished jobs are remembered.
	JobStoreMaxCapacity = CountOption("jobstore.max-capacity", Infinite, "Number of finished jobs that are remembered.")
)

// FailoverStrategy is what restarts when a task failed.
type FailoverStrategy string

// Values of jobmanager.execution.failover-strategy.
const (
	FailoverFull   FailoverStrategy = "full"
	FailoverRegion FailoverStrategy = "region"
)

// Scheduler is what decides with which parallelism jobs run.
type Scheduler string

// Values of jobmanager.scheduler.
const (
	SchedulerDefault       Scheduler = "Default"
	SchedulerAdaptive      Scheduler = "Adaptive"
	SchedulerAdaptiveBatch Scheduler = "AdaptiveBatch"
)

// TaskManager.
var (
	// TaskManagerHost (taskmanager.host) is the address others reach the TaskManager at.
	TaskManagerHost = StringOption("taskmanager.host", "", "Address at which others reach the TaskManager; the one that reaches the JobManager when it is not set.").Optional()
	// TaskManagerBindHost (taskmanager.bind-host) is the address the TaskManager listens on.
	TaskManagerBindHost = StringOption("taskmanager.bind-host", "", "Address the TaskManager listens on; all addresses when it is not set.").Optional()
	// TaskManagerRPCPort (taskmanager.rpc.port) is the TaskManager's control port.
	TaskManagerRPCPort = PortsOption("taskmanager.rpc.port", Port(0), "Port, range or list of ports of the TaskManager's control plane; 0 takes a free one.")
	// TaskManagerDataPort (taskmanager.data.port) is the port of the exchange between tasks.
	TaskManagerDataPort = IntOption("taskmanager.data.port", 0, "Port of the data exchange between TaskManagers; 0 takes a free one.").Where("a port between 0 and 65535", isPort)
	// TaskManagerDataBindPort (taskmanager.data.bind-port) is the port or range the exchange listens on.
	TaskManagerDataBindPort = PortsOption("taskmanager.data.bind-port", Port(0), "Port, range or list of ports the data exchange listens on where it differs from taskmanager.data.port.").Optional()
	// TaskManagerNumberOfTaskSlots (taskmanager.numberOfTaskSlots) is how many slots a TaskManager offers.
	TaskManagerNumberOfTaskSlots = PositiveOption("taskmanager.numberOfTaskSlots", 1, "Number of slots a TaskManager offers; each gets an equal share of its memory.")
	// TaskManagerResourceID (taskmanager.resource-id) names the TaskManager.
	TaskManagerResourceID = StringOption("taskmanager.resource-id", "", "Name of the TaskManager; the container's name on YARN, else host and port and a random part.").Optional()
	// TaskManagerRegistrationTimeout (taskmanager.registration.timeout) ends a TaskManager that finds no JobManager.
	TaskManagerRegistrationTimeout = DurationOption("taskmanager.registration.timeout", 5*time.Minute, "How long a TaskManager tries to register before it gives up and ends.", "taskmanager.maxRegistrationDuration")
	// TaskManagerSlotTimeout (taskmanager.slot.timeout) frees slots that were promised and not used.
	TaskManagerSlotTimeout = DurationOption("taskmanager.slot.timeout", 10*time.Second, "How long a slot waits for the first task of the job it was allocated for.", "pekko.ask.timeout")
	// TaskCancellationInterval (task.cancellation.interval) is the pause between attempts to cancel a task.
	TaskCancellationInterval = DurationOption("task.cancellation.interval", 30*time.Second, "Pause between warnings about a task that does not react to its cancellation.", "task.cancellation-interval")
	// TaskCancellationTimeout (task.cancellation.timeout) is how long a task may take to cancel.
	TaskCancellationTimeout = DurationOption("task.cancellation.timeout", 3*time.Minute, "How long a cancelled task may take to end before its worker process is killed; 0 waits for ever.")
	// TaskManagerLogPath (taskmanager.log.path) is the TaskManager's log file where it is not the usual one.
	TaskManagerLogPath = StringOption("taskmanager.log.path", "", "Path of the TaskManager's log file; the process's own log file when it is not set.").Optional()
)

// Exchange between tasks.
var (
	// NetworkBuffersPerChannel (taskmanager.network.memory.buffers-per-channel) are a channel's own buffers.
	NetworkBuffersPerChannel = IntOption("taskmanager.network.memory.buffers-per-channel", 2, "Buffers of its own that each incoming channel has.").Where("a whole number of at least 0", isNatural)
	// NetworkFloatingBuffersPerGate (taskmanager.network.memory.floating-buffers-per-gate) are shared by a gate's channels.
	NetworkFloatingBuffersPerGate = IntOption("taskmanager.network.memory.floating-buffers-per-gate", 8, "Buffers shared by the channels of a gate.").Where("a whole number of at least 0", isNatural)
	// NetworkMaxBuffersPerChannel (taskmanager.network.memory.max-buffers-per-channel) bounds an outgoing channel.
	NetworkMaxBuffersPerChannel = PositiveOption("taskmanager.network.memory.max-buffers-per-channel", 10, "Most buffers one outgoing channel may hold.")
	// NetworkMaxOverdraftBuffersPerGate (taskmanager.network.memory.max-overdraft-buffers-per-gate) let one record finish.
	NetworkMaxOverdraftBuffersPerGate = IntOption("taskmanager.network.memory.max-overdraft-buffers-per-gate", 5, "Additional buffers a task may take to finish the record it is emitting.").Where("a whole number of at least 0", isNatural)
	// NetworkDebloatEnabled (taskmanager.network.memory.buffer-debloat.enabled) bounds what is in flight by time.
	NetworkDebloatEnabled = BoolOption("taskmanager.network.memory.buffer-debloat.enabled", true, "Whether buffers become smaller where the receiver is slow, so that what is in flight is worth the target time. Flink's default is false; here it is on, so that checkpoints of a job under back pressure stay short.")
	// NetworkDebloatPeriod (taskmanager.network.memory.buffer-debloat.period) is how often the size is computed.
	NetworkDebloatPeriod = DurationOption("taskmanager.network.memory.buffer-debloat.period", 200*time.Millisecond, "How often the size of buffers is computed anew.").Where("a duration of at least 1 ms", func(d time.Duration) bool { return d >= time.Millisecond })
	// NetworkDebloatSamples (taskmanager.network.memory.buffer-debloat.samples) smooths the size.
	NetworkDebloatSamples = PositiveOption("taskmanager.network.memory.buffer-debloat.samples", 20, "Over how many periods the size of buffers is averaged.")
	// NetworkDebloatTarget (taskmanager.network.memory.buffer-debloat.target) is what in-flight data is worth.
	NetworkDebloatTarget = DurationOption("taskmanager.network.memory.buffer-debloat.target", time.Second, "How long it should take a task to consume what is in flight to it.").Where("a duration of at least 1 ms", func(d time.Duration) bool { return d >= time.Millisecond })
	// NetworkDebloatThreshold (taskmanager.network.memory.buffer-debloat.threshold-percentages) is the least change.
	NetworkDebloatThreshold = IntOption("taskmanager.network.memory.buffer-debloat.threshold-percentages", 25, "By how many percent the size of buffers has to change to be told to senders.").Where("a whole number of at least 0", isNatural)
	// NetworkPartitionRequestTimeout (taskmanager.network.partition-request-timeout) bounds the wait for a producer.
	NetworkPartitionRequestTimeout = DurationOption("taskmanager.network.partition-request-timeout", 10*time.Second, "How long a consumer waits for its producer to be there.")
	// NetworkConnectTimeoutSec (taskmanager.network.netty.client.connectTimeoutSec) bounds a connection attempt, in seconds.
	NetworkConnectTimeoutSec = PositiveOption("taskmanager.network.netty.client.connectTimeoutSec", 120, "Seconds a TaskManager waits for a data connection to another one.", "taskmanager.net.client.connectTimeoutSec")
	// NetworkRetries (taskmanager.network.retries) is how often a connection attempt is repeated.
	NetworkRetries = IntOption("taskmanager.network.retries", 0, "How often a failed data connection is tried again.")
	// NetworkBindPolicy (taskmanager.network.bind-policy) decides between address and name.
	NetworkBindPolicy = EnumOption("taskmanager.network.bind-policy", BindIP, []BindPolicy{BindIP, BindName}, nil, "Whether a TaskManager without taskmanager.host announces its address (ip) or its name (name).")
	// NetworkCompressionCodec (taskmanager.network.compression.codec) compresses remote exchange.
	NetworkCompressionCodec = EnumOption("taskmanager.network.compression.codec", CodecNone, []CompressionCodec{CodecNone, CodecLZ4, CodecZSTD, CodecLZO}, nil, "Compression of buffers between workers: NONE, LZ4 or ZSTD (at its fastest level); LZO is taken as LZ4. Flink's default is LZ4, which it uses for blocking exchanges only; here it counts for pipelined ones.")
)

// BindPolicy is what a TaskManager announces as its address.
type BindPolicy string

// Values of taskmanager.network.bind-policy.
const (
	BindIP   BindPolicy = "ip"
	BindName BindPolicy = "name"
)

// CompressionCodec compresses exchanged data.
type CompressionCodec string

// Values of taskmanager.network.compression.codec.
const (
	CodecNone CompressionCodec = "NONE"
	CodecLZ4  CompressionCodec = "LZ4"
	CodecZSTD CompressionCodec = "ZSTD"
	CodecLZO  CompressionCodec = "LZO"
)

func isPort(p int) bool     { return p >= 0 && p <= 65535 }
func isPositive(v int) bool { return v > 0 }
func isNatural(v int) bool  { return v >= 0 }
