package conf

import "time"

// High availability.
var (
	// HighAvailabilityType (high-availability.type): the epoch store in the file system needs no ZooKeeper.
	HighAvailabilityType = EnumOption("high-availability.type", HANone, []HAType{HANone, HAFileSystem, HAZooKeeper}, map[string]HAType{"standalone": HANone},
		"High availability beyond what a YARN attempt gives by itself: NONE, FILESYSTEM (epochs in high-availability.storageDir) or ZOOKEEPER.", "high-availability", "recovery.mode")
	// HighAvailabilityClusterID (high-availability.cluster-id) separates clusters.
	HighAvailabilityClusterID = StringOption("high-availability.cluster-id", "/default", "Name that separates the clusters that share a storage; the application id on YARN.", "high-availability.zookeeper.path.namespace", "recovery.zookeeper.path.namespace")
	// HighAvailabilityStorageDir (high-availability.storageDir) holds what a new JobManager needs.
	HighAvailabilityStorageDir = StringOption("high-availability.storageDir", "", "Folder for what a new JobManager needs to go on; below the application folder on YARN when it is not set.", "high-availability.zookeeper.storageDir", "recovery.zookeeper.storageDir").Optional()
	// HighAvailabilityJobManagerPort (high-availability.jobmanager.port) is the control port under high availability.
	HighAvailabilityJobManagerPort = PortsOption("high-availability.jobmanager.port", Port(0), "Port, range or list of ports of the control plane under high availability.", "recovery.jobmanager.port")
	// ZooKeeperQuorum (high-availability.zookeeper.quorum) is ZooKeeper's address.
	ZooKeeperQuorum = StringOption("high-availability.zookeeper.quorum", "", "Addresses of the ZooKeeper servers, host:port separated by commas.", "recovery.zookeeper.quorum").Optional()
	// ZooKeeperPathRoot (high-availability.zookeeper.path.root) is the root node.
	ZooKeeperPathRoot = StringOption("high-availability.zookeeper.path.root", "/flink", "Root node in ZooKeeper.", "recovery.zookeeper.path.root")
)

// HAType is how a cluster survives its JobManager.
type HAType string

// Values of high-availability.type.
const (
	HANone       HAType = "NONE"
	HAFileSystem HAType = "FILESYSTEM"
	HAZooKeeper  HAType = "ZOOKEEPER"
)

// Resource management, heartbeats and clients.
var (
	// ResourceManagerTaskManagerTimeout (resourcemanager.taskmanager-timeout) releases idle TaskManagers.
	ResourceManagerTaskManagerTimeout = DurationOption("resourcemanager.taskmanager-timeout", 30*time.Second, "How long a TaskManager may be idle before it is released.", "slotmanager.taskmanager-timeout")
	// ResourceManagerRegistrationTimeout (resourcemanager.taskmanager-registration.timeout) bounds the start of a TaskManager.
	ResourceManagerRegistrationTimeout = DurationOption("resourcemanager.taskmanager-registration.timeout", 5*time.Minute, "How long a requested TaskManager may take to register before another one is requested.", "taskmanager.registration.timeout", "taskmanager.maxRegistrationDuration")
	// ResourceManagerStartWorkerMaxFailureRate (resourcemanager.start-worker.max-failure-rate) bounds failed starts per minute.
	ResourceManagerStartWorkerMaxFailureRate = FloatOption("resourcemanager.start-worker.max-failure-rate", 10, "Failed starts of TaskManagers per minute after which requests pause.").Where("a number above 0", func(v float64) bool { return v > 0 })
	// ResourceManagerStartWorkerRetryInterval (resourcemanager.start-worker.retry-interval) is this pause.
	ResourceManagerStartWorkerRetryInterval = DurationOption("resourcemanager.start-worker.retry-interval", 3*time.Second, "How long requests pause then.")
	// SlotManagerMaxSlots (slotmanager.number-of-slots.max) bounds the slots of a cluster.
	SlotManagerMaxSlots = CountOption("slotmanager.number-of-slots.max", Infinite, "Most slots a cluster may have.")
	// SlotManagerMinSlots (slotmanager.number-of-slots.min) keeps slots ready.
	SlotManagerMinSlots = CountOption("slotmanager.number-of-slots.min", 0, "Slots a cluster starts with and keeps.")
	// SlotManagerRedundantTaskManagers (slotmanager.redundant-taskmanager-num) keeps spare TaskManagers.
	SlotManagerRedundantTaskManagers = CountOption("slotmanager.redundant-taskmanager-num", 0, "Spare TaskManagers kept for a faster recovery.")
	// SlotManagerMaxMemory (slotmanager.max-total-resource.memory) bounds a cluster's memory.
	SlotManagerMaxMemory = SizeOption("slotmanager.max-total-resource.memory", MaxSize, "Most memory all TaskManagers together may have.").Optional()
	// SlotManagerMaxCPU (slotmanager.max-total-resource.cpu) bounds a cluster's cores.
	SlotManagerMaxCPU = FloatOption("slotmanager.max-total-resource.cpu", 0, "Most CPU cores all TaskManagers together may have.").Optional()
	// SlotRequestTimeout (slot.request.timeout) fails a job that gets no slots.
	SlotRequestTimeout = DurationOption("slot.request.timeout", 5*time.Minute, "How long a job waits for slots before it fails.")
	// SlotIdleTimeout (slot.idle.timeout) returns slots a job no longer uses.
	SlotIdleTimeout = DurationOption("slot.idle.timeout", 50*time.Second, "How long a job keeps a slot it does not use.")
	// EvenlySpreadOutSlots (cluster.evenly-spread-out-slots) spreads tasks over TaskManagers.
	EvenlySpreadOutSlots = BoolOption("cluster.evenly-spread-out-slots", false, "Whether slots are taken evenly from all TaskManagers.")
	// HeartbeatInterval (heartbeat.interval) is the period of heartbeats.
	HeartbeatInterval = DurationOption("heartbeat.interval", 10*time.Second, "Period of heartbeats between JobManager and TaskManagers.").Where("a duration above 0", isPositiveDuration)
	// HeartbeatTimeout (heartbeat.timeout) declares the other side dead.
	HeartbeatTimeout = DurationOption("heartbeat.timeout", 50*time.Second, "Silence after which the other side is taken for dead. More than heartbeat.interval.").Where("a duration above 0", isPositiveDuration)
	// HeartbeatRPCFailureThreshold (heartbeat.rpc-failure-threshold) declares an unreachable side dead earlier.
	HeartbeatRPCFailureThreshold = IntOption("heartbeat.rpc-failure-threshold", 2, "Heartbeats that may fail to be delivered in a row before the other side is taken for dead; -1 waits for the time-out.")
	// ClientHeartbeatInterval (client.heartbeat.interval) is the period of an attached client's heartbeat.
	ClientHeartbeatInterval = DurationOption("client.heartbeat.interval", 30*time.Second, "Period of the heartbeat of an attached client with execution.shutdown-on-attached-exit.")
	// ClientHeartbeatTimeout (client.heartbeat.timeout) cancels the job of a silent client.
	ClientHeartbeatTimeout = DurationOption("client.heartbeat.timeout", 3*time.Minute, "Silence of such a client after which its job is cancelled.")
	// ClientTimeout (client.timeout) bounds operations of the command line.
	ClientTimeout = DurationOption("client.timeout", time.Minute, "Time limit of a client's operations.", "akka.client.timeout")
	// ClientRetryPeriod (client.retry-period) is the pause between a client's attempts.
	ClientRetryPeriod = DurationOption("client.retry-period", 2*time.Second, "Pause between repeated attempts of a client's operation.")
	// RPCAskTimeout (pekko.ask.timeout) bounds calls of the control plane.
	RPCAskTimeout = DurationOption("pekko.ask.timeout", 10*time.Second, "Time limit of calls between JobManager and TaskManagers.", "akka.ask.timeout")
)

func isPositiveDuration(d time.Duration) bool { return d > 0 }

// Security.
var (
	// KerberosKeytab (security.kerberos.login.keytab) is the keytab file to log in with.
	KerberosKeytab = StringOption("security.kerberos.login.keytab", "", "Keytab file to log in with.", "security.keytab").Optional()
	// KerberosPrincipal (security.kerberos.login.principal) is the principal of the keytab.
	KerberosPrincipal = StringOption("security.kerberos.login.principal", "", "Principal that belongs to the keytab.", "security.principal").Optional()
	// KerberosUseTicketCache (security.kerberos.login.use-ticket-cache) takes tickets of kinit.
	KerberosUseTicketCache = BoolOption("security.kerberos.login.use-ticket-cache", true, "Whether tickets of kinit are used when there is no keytab.")
	// KerberosConfPath (security.kerberos.krb5-conf.path) is krb5.conf.
	KerberosConfPath = StringOption("security.kerberos.krb5-conf.path", "", "Path of krb5.conf; KRB5_CONFIG or /etc/krb5.conf when it is not set.").Optional()
	// KerberosReloginPeriod (security.kerberos.relogin.period) is how often a keytab login is checked.
	KerberosReloginPeriod = DurationOption("security.kerberos.relogin.period", time.Minute, "How often a keytab login is checked and renewed.")
	// KerberosFileSystems (security.kerberos.access.hadoopFileSystems) are further file systems to get tokens for.
	KerberosFileSystems = ListOption("security.kerberos.access.hadoopFileSystems", nil, "Further Hadoop file systems to obtain tokens for.", "yarn.security.kerberos.additionalFileSystems").Optional()
	// DelegationTokensEnabled (security.delegation.tokens.enabled) obtains tokens.
	DelegationTokensEnabled = BoolOption("security.delegation.tokens.enabled", true, "Whether delegation tokens are obtained; false where the caller (Oozie) provides them.", "security.kerberos.fetch.delegation-token")
	// DelegationTokensRenewalRatio (security.delegation.tokens.renewal.time-ratio) is when tokens are obtained anew.
	DelegationTokensRenewalRatio = FractionOption("security.delegation.tokens.renewal.time-ratio", 0.75, "Share of a token's lifetime after which new tokens are obtained.", "security.kerberos.tokens.renewal.time-ratio")
	// DelegationTokensRenewalBackoff (security.delegation.tokens.renewal.retry.backoff) is the pause after a failure.
	DelegationTokensRenewalBackoff = DurationOption("security.delegation.tokens.renewal.retry.backoff", time.Hour, "Pause after new tokens could not be obtained.", "security.kerberos.tokens.renewal.retry.backoff")
	// HadoopFSTokenRenewer (security.kerberos.token.provider.hadoopfs.renewer) lets YARN renew the tokens.
	HadoopFSTokenRenewer = StringOption("security.kerberos.token.provider.hadoopfs.renewer", "", "Principal that may renew the tokens, so that YARN can aggregate logs.").Optional()
	// SSLRestEnabled (security.ssl.rest.enabled) serves REST over TLS.
	SSLRestEnabled = BoolOption("security.ssl.rest.enabled", false, "Whether the REST server speaks TLS.", "security.ssl.enabled")
	// SSLInternalEnabled (security.ssl.internal.enabled) uses TLS between the cluster's processes.
	SSLInternalEnabled = BoolOption("security.ssl.internal.enabled", false, "Whether control plane and data exchange use TLS.", "security.ssl.enabled")
	// TokenProviders (security.delegation.token.provider.<name>.…) switch single providers.
	TokenProviders = KeyFamily("security.delegation.token.provider.", "Settings of a token provider, such as hadoopfs.enabled.")
)

// Environment and logs.
var (
	// EnvHadoopConfDir (env.hadoop.conf.dir) is Hadoop's configuration folder.
	EnvHadoopConfDir = StringOption("env.hadoop.conf.dir", "", "Hadoop's configuration folder; HADOOP_CONF_DIR when it is not set.").Optional()
	// EnvYarnConfDir (env.yarn.conf.dir) is YARN's configuration folder.
	EnvYarnConfDir = StringOption("env.yarn.conf.dir", "", "YARN's configuration folder; YARN_CONF_DIR when it is not set.").Optional()
	// EnvLogDir (env.log.dir) is the folder for log files.
	EnvLogDir = StringOption("env.log.dir", "", "Folder for log files; log in the installation folder when it is not set, the container's log folder on YARN.").Optional()
	// EnvLogLevel (env.log.level) is the least level that is logged.
	EnvLogLevel = EnumOption("env.log.level", LogInfo, []LogLevel{LogDebug, LogInfo, LogWarn, LogError}, map[string]LogLevel{"trace": LogDebug, "all": LogDebug, "warning": LogWarn, "fatal": LogError}, "Least level that is logged.")
	// EnvLogMax (env.log.max) is how many old log files are kept.
	EnvLogMax = IntOption("env.log.max", 10, "Number of old log files that are kept.").Where("a whole number of at least 0", isNatural)
	// EnvLogMaxSize (env.log.max-size) is when a log file is rotated.
	EnvLogMaxSize = SizeOption("env.log.max-size", 100*MB, "Size at which a log file is rotated.")
	// EnvLogLevels (env.log.levels.<package>) sets the level of single packages.
	EnvLogLevels = KeyFamily("env.log.levels.", "Log level of a package, such as env.log.levels.jobmanager: DEBUG.")
	// EnvPIDDir (env.pid.dir) is where the start scripts keep process ids.
	EnvPIDDir = StringOption("env.pid.dir", "/tmp", "Folder for the process ids of a standalone cluster.")
	// EnvSSHOpts (env.ssh.opts) are options of the ssh that start-cluster.sh uses.
	EnvSSHOpts = StringOption("env.ssh.opts", "", "Options of the ssh with which scripts start processes on other hosts.").Optional()
	// EnvStdoutRedirect (env.stdout-err.redirect-to-file) sends a daemon's output to a file.
	EnvStdoutRedirect = BoolOption("env.stdout-err.redirect-to-file", false, "Whether the output of processes started in the foreground goes to a file.")
	// IOTmpDirs (io.tmp.dirs) are the folders for temporary files.
	IOTmpDirs = StringOption("io.tmp.dirs", "", "Folders for temporary files, separated by ',', '|' or ':'; the container's on YARN, else the system's.", "taskmanager.tmp.dirs").Optional()
	// ProcessWorkingDir (process.working-dir) is where processes keep what survives their restart.
	ProcessWorkingDir = StringOption("process.working-dir", "", "Folder for files that survive the restart of a process; below io.tmp.dirs when it is not set.").Optional()
	// FSDefaultScheme (fs.default-scheme) is the file system of paths without a scheme.
	FSDefaultScheme = StringOption("fs.default-scheme", "", "File system of paths without a scheme, for example hdfs://nn:8020/; the local one when it is not set.").Optional()
	// FSOverwriteFiles (fs.overwrite-files) lets sinks overwrite.
	FSOverwriteFiles = BoolOption("fs.overwrite-files", false, "Whether sinks overwrite existing files by default.")
	// FSAlwaysCreateDirectory (fs.output.always-create-directory) writes a folder at parallelism 1 too.
	FSAlwaysCreateDirectory = BoolOption("fs.output.always-create-directory", false, "Whether a file sink of parallelism 1 also makes a folder.")
	// FSHadoopConf (fs.hdfs.hadoopconf) is Hadoop's configuration folder, by its oldest key.
	FSHadoopConf = StringOption("fs.hdfs.hadoopconf", "", "Hadoop's configuration folder, by the oldest key for it.").Optional()
	// FSOptions (fs.<scheme>.…) are options of file systems.
	FSOptions = KeyFamily("fs.", "Options of a file system, by its scheme.")
	// HadoopOverrides (flink.hadoop.<key>) go over Hadoop's own configuration.
	HadoopOverrides = KeyFamily("flink.hadoop.", "Set over the value of the same key in Hadoop's configuration.")
	// YarnOverrides (flink.yarn.<key>) go over YARN's own configuration, as yarn.<key>.
	YarnOverrides = KeyFamily("flink.yarn.", "Set over the value of yarn.<name> in YARN's configuration.")
	// MasterEnv (containerized.master.env.<NAME>) is the environment of the ApplicationMaster.
	MasterEnv = KeyFamily("containerized.master.env.", "Environment variable of the ApplicationMaster's container.")
	// TaskManagerEnv (containerized.taskmanager.env.<NAME>) is the environment of TaskManager containers.
	TaskManagerEnv = KeyFamily("containerized.taskmanager.env.", "Environment variable of TaskManager containers.")
)

// LogLevel is a level of log lines.
type LogLevel string

// Values of env.log.level.
const (
	LogDebug LogLevel = "DEBUG"
	LogInfo  LogLevel = "INFO"
	LogWarn  LogLevel = "WARN"
	LogError LogLevel = "ERROR"
)
