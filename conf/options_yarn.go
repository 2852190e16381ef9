package conf

import "time"

// YARN.
var (
	// YarnApplicationID (yarn.application.id) is the session a command speaks to.
	YarnApplicationID = StringOption("yarn.application.id", "", "Id of the running YARN application a command speaks to.").Optional()
	// YarnApplicationName (yarn.application.name) is the application's name in YARN.
	YarnApplicationName = StringOption("yarn.application.name", "", "Name of the YARN application; Flink session cluster, Flink per-job cluster or Flink Application Cluster when it is not set.").Optional()
	// YarnApplicationType (yarn.application.type) is the application's type in YARN.
	YarnApplicationType = StringOption("yarn.application.type", "", "Type of the YARN application; Apache Flink when it is not set, so that existing filters find it.").Optional()
	// YarnApplicationQueue (yarn.application.queue) is the queue.
	YarnApplicationQueue = StringOption("yarn.application.queue", "", "Queue of the YARN application; YARN's default queue when it is not set.").Optional()
	// YarnApplicationPriority (yarn.application.priority) is the priority in the queue.
	YarnApplicationPriority = IntOption("yarn.application.priority", -1, "Priority of the application; -1 leaves it to the cluster.")
	// YarnApplicationNodeLabel (yarn.application.node-label) restricts the nodes of the application.
	YarnApplicationNodeLabel = StringOption("yarn.application.node-label", "", "Node label of the application.").Optional()
	// YarnTaskManagerNodeLabel (yarn.taskmanager.node-label) restricts the nodes of TaskManagers.
	YarnTaskManagerNodeLabel = StringOption("yarn.taskmanager.node-label", "", "Node label of TaskManagers, over yarn.application.node-label.").Optional()
	// YarnApplicationAttempts (yarn.application-attempts) bounds attempts of the ApplicationMaster.
	YarnApplicationAttempts = PositiveOption("yarn.application-attempts", 1, "Attempts of the ApplicationMaster; the ResourceManager's maximum when it is not set.").Optional()
	// YarnAttemptFailuresValidityInterval (yarn.application-attempt-failures-validity-interval) forgets failed attempts, in milliseconds.
	YarnAttemptFailuresValidityInterval = IntOption("yarn.application-attempt-failures-validity-interval", 10000, "Milliseconds after which a failed attempt no longer counts; -1 counts all.")
	// YarnApplicationMasterPort (yarn.application-master.port) is the control port of the ApplicationMaster.
	YarnApplicationMasterPort = PortsOption("yarn.application-master.port", Port(0), "Port, range or list of ports of the control plane in the ApplicationMaster; 0 takes a free one.")
	// YarnAppMasterVcores (yarn.appmaster.vcores) are the ApplicationMaster's cores.
	YarnAppMasterVcores = PositiveOption("yarn.appmaster.vcores", 1, "Virtual cores of the ApplicationMaster.")
	// YarnContainersVcores (yarn.containers.vcores) are a TaskManager's cores; -1 takes its number of slots.
	YarnContainersVcores = IntOption("yarn.containers.vcores", -1, "Virtual cores of a TaskManager; -1 takes its number of slots.").Where("-1 or a whole number of at least 1", func(v int) bool { return v == -1 || v >= 1 })
	// YarnContainerRequestInterval (yarn.heartbeat.container-request-interval) is the heartbeat while containers are awaited.
	YarnContainerRequestInterval = DurationOption("yarn.heartbeat.container-request-interval", 500*time.Millisecond, "Time between heartbeats to the ResourceManager while containers are awaited.")
	// YarnHeartbeatInterval (yarn.heartbeat.interval) is the heartbeat otherwise, in seconds.
	YarnHeartbeatInterval = PositiveOption("yarn.heartbeat.interval", 5, "Seconds between heartbeats to the ResourceManager otherwise.", "yarn.heartbeat-delay")
	// YarnFileReplication (yarn.file-replication) is the replication of staged files.
	YarnFileReplication = IntOption("yarn.file-replication", -1, "Replication of staged files; -1 takes the file system's default.")
	// YarnStagingDirectory (yarn.staging-directory) is where files are staged.
	YarnStagingDirectory = StringOption("yarn.staging-directory", "", "Folder to which programs and files are staged; the user's home folder in the default file system when it is not set.").Optional()
	// YarnFlinkDistJar (yarn.flink-dist-jar) is the flink binary to stage.
	YarnFlinkDistJar = StringOption("yarn.flink-dist-jar", "", "The flink binary to stage, or a URI where it already is; the running one when it is not set. The key keeps Flink's name.").Optional()
	// YarnProvidedLibDirs (yarn.provided.lib.dirs) hold the flink binary already.
	YarnProvidedLibDirs = ListOption("yarn.provided.lib.dirs", nil, "Folders in the file system that hold the flink binary already, so that it is not staged.").Optional()
	// YarnProvidedUsrlibDir (yarn.provided.usrlib.dir) holds the job binary already.
	YarnProvidedUsrlibDir = StringOption("yarn.provided.usrlib.dir", "", "Folder in the file system that holds the job's files already.").Optional()
	// YarnShipFiles (yarn.ship-files) are shipped to all containers.
	YarnShipFiles = ListOption("yarn.ship-files", nil, "Files and folders, local or in the file system, shipped to all containers.", "yarn.ship-directories").Optional()
	// YarnShipArchives (yarn.ship-archives) are shipped and unpacked.
	YarnShipArchives = ListOption("yarn.ship-archives", nil, "Archives shipped to all containers and unpacked there.").Optional()
	// YarnTags (yarn.tags) mark the application.
	YarnTags = StringOption("yarn.tags", "", "Tags of the YARN application, separated by commas.")
	// YarnViewACLs (yarn.view.acls) may see the application.
	YarnViewACLs = StringOption("yarn.view.acls", "", "Who may view the application: users, a blank, groups, each separated by commas; * is everyone.").Optional()
	// YarnModifyACLs (yarn.modify.acls) may change the application.
	YarnModifyACLs = StringOption("yarn.modify.acls", "", "Who may change the application, in the same form.").Optional()
	// YarnPropertiesFileLocation (yarn.properties-file.location) is where the client remembers its session.
	YarnPropertiesFileLocation = StringOption("yarn.properties-file.location", "", "Folder of the file in which the client remembers its session; the system's temporary folder when it is not set.").Optional()
	// YarnTokenServices (yarn.security.appmaster.delegation.token.services) are the providers whose tokens the ApplicationMaster gets.
	YarnTokenServices = ListOption("yarn.security.appmaster.delegation.token.services", []string{"hadoopfs"}, "Token providers whose tokens are passed to the ApplicationMaster.")
	// YarnLocalizedKeytabPath (yarn.security.kerberos.localized-keytab-path) is the keytab in the container.
	YarnLocalizedKeytabPath = StringOption("yarn.security.kerberos.localized-keytab-path", "krb5.keytab", "Path of the keytab in a container.")
	// YarnShipLocalKeytab (yarn.security.kerberos.ship-local-keytab) ships the keytab.
	YarnShipLocalKeytab = BoolOption("yarn.security.kerberos.ship-local-keytab", true, "Whether the keytab is shipped to the containers.")
	// YarnInitialTaskManagers (yarn.initial-taskmanagers) are started at once; the old option -n / -yn sets it.
	YarnInitialTaskManagers = IntOption("yarn.initial-taskmanagers", 0, "TaskManagers a cluster starts at once and keeps; what the old option -n sets.").Where("a whole number of at least 0", isNatural)
	// YarnRolledLogsInclude (yarn.rolled-logs.include-pattern) selects logs aggregated while the application runs.
	YarnRolledLogsInclude = StringOption("yarn.rolled-logs.include-pattern", "", "Pattern of log files that YARN aggregates while the application runs.").Optional()
	// YarnRolledLogsExclude (yarn.rolled-logs.exclude-pattern) excludes logs from it.
	YarnRolledLogsExclude = StringOption("yarn.rolled-logs.exclude-pattern", "", "Pattern of log files excluded from it.").Optional()
)

// Metrics.
var (
	// MetricsReporters (metrics.reporters) restricts the configured reporters.
	MetricsReporters = StringOption("metrics.reporters", "", "Names of the reporters to start, separated by commas; all configured ones when it is not set.").Optional()
	// MetricsReporter (metrics.reporter.<name>.…) configures reporters.
	MetricsReporter = KeyFamily("metrics.reporter.", "Settings of a metric reporter, by its name.")
	// MetricsScopeDelimiter (metrics.scope.delimiter) joins the parts of a metric's name.
	MetricsScopeDelimiter = StringOption("metrics.scope.delimiter", ".", "Delimiter between the parts of a metric's name.")
	// MetricsScopeJM (metrics.scope.jm) is the scope of the JobManager.
	MetricsScopeJM = StringOption("metrics.scope.jm", "<host>.jobmanager", "Scope of metrics of the JobManager.")
	// MetricsScopeJMJob (metrics.scope.jm-job) is the scope of a job on the JobManager.
	MetricsScopeJMJob = StringOption("metrics.scope.jm-job", "<host>.jobmanager.<job_name>", "Scope of metrics of a job on the JobManager.", "metrics.scope.jm.job")
	// MetricsScopeJMOperator (metrics.scope.jm-operator) is the scope of an operator's coordinator.
	MetricsScopeJMOperator = StringOption("metrics.scope.jm-operator", "<host>.jobmanager.<job_name>.<operator_name>", "Scope of metrics of an operator's coordinator.")
	// MetricsScopeTM (metrics.scope.tm) is the scope of a TaskManager.
	MetricsScopeTM = StringOption("metrics.scope.tm", "<host>.taskmanager.<tm_id>", "Scope of metrics of a TaskManager.")
	// MetricsScopeTMJob (metrics.scope.tm-job) is the scope of a job on a TaskManager.
	MetricsScopeTMJob = StringOption("metrics.scope.tm-job", "<host>.taskmanager.<tm_id>.<job_name>", "Scope of metrics of a job on a TaskManager.", "metrics.scope.tm.job")
	// MetricsScopeTask (metrics.scope.task) is the scope of a task.
	MetricsScopeTask = StringOption("metrics.scope.task", "<host>.taskmanager.<tm_id>.<job_name>.<task_name>.<subtask_index>", "Scope of metrics of a task.")
	// MetricsScopeOperator (metrics.scope.operator) is the scope of an operator.
	MetricsScopeOperator = StringOption("metrics.scope.operator", "<host>.taskmanager.<tm_id>.<job_name>.<operator_name>.<subtask_index>", "Scope of metrics of an operator.")
	// MetricsFetcherUpdateInterval (metrics.fetcher.update-interval) is how often TaskManagers' metrics are fetched.
	MetricsFetcherUpdateInterval = DurationOption("metrics.fetcher.update-interval", 10*time.Second, "How often the JobManager fetches metrics for the web page; 0 never.")
	// MetricsLatencyInterval (metrics.latency.interval) emits latency markers.
	MetricsLatencyInterval = DurationOption("metrics.latency.interval", 0, "How often sources emit latency markers; 0 never.")
	// MetricsLatencyGranularity (metrics.latency.granularity) is what latencies are kept apart by.
	MetricsLatencyGranularity = EnumOption("metrics.latency.granularity", LatencyOperator, []LatencyGranularity{LatencySingle, LatencyOperator, LatencySubtask}, nil, "What latencies are kept apart by: single (the operator that is reached), operator (and the source), subtask (and the source's subtask).")
	// MetricsLatencyHistorySize (metrics.latency.history-size) is the window of latency histograms.
	MetricsLatencyHistorySize = PositiveOption("metrics.latency.history-size", 128, "Number of measured latencies that are kept per operator, at most 1024.")
)

// LatencyGranularity is what latencies are kept apart by.
type LatencyGranularity string

// Values of metrics.latency.granularity.
const (
	LatencySingle   LatencyGranularity = "single"
	LatencyOperator LatencyGranularity = "operator"
	LatencySubtask  LatencyGranularity = "subtask"
)
