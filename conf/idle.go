package conf

import (
	"strings"
	"sync"
)

// idle are the options that this version recognises, and that nothing acts on. Setting one is worth a warning: whoever sets
// it expects something. Keys that end in "." stand for all below them.
var idle = []struct {
	reason string
	keys   []string
}{
	{"checkpoints always go on after some tasks finished", []string{"execution.checkpointing.checkpoints-after-tasks-finish"}},
	{"small files of a checkpoint are always merged", []string{"execution.checkpointing.file-merging.enabled", "execution.checkpointing.file-merging.max-file-size"}},
	{"snapshots are not compressed", []string{"execution.checkpointing.snapshot-compression"}},
	{"state is restored from the checkpoint's folder", []string{"execution.checkpointing.local-backup.enabled", "execution.state-recovery.from-local"}},
	{"sources tell of no backlog", []string{"execution.checkpointing.interval-during-backlog"}},
	{"state files are written with buffers of their own size", []string{"execution.checkpointing.write-buffer-size"}},
	{"the store is tuned by its share of the managed memory only", []string{"state.backend.rocksdb.block.blocksize",
		"state.backend.rocksdb.checkpoint.transfer.thread.num", "state.backend.rocksdb.localdir", "state.backend.rocksdb.memory.fixed-per-slot",
		"state.backend.rocksdb.memory.managed", "state.backend.rocksdb.memory.write-buffer-ratio", "state.backend.rocksdb.use-bloom-filter",
		"state.backend.rocksdb.writebuffer.size", "taskmanager.memory.managed.consumer-weights"}},
	{"on YARN a new ApplicationMaster finds its jobs in the application's folder, whatever is set; a standalone JobManager recovers none",
		[]string{"high-availability.type", "high-availability.storageDir", "high-availability.jobmanager.port", "high-availability.zookeeper.path.root",
			"high-availability.zookeeper.quorum"}},
	{"connections are not encrypted", []string{"security.ssl.internal.enabled", "security.ssl.rest.enabled"}},
	{"tokens are not renewed", []string{"security.delegation.token.provider.", "security.delegation.tokens.enabled",
		"security.delegation.tokens.renewal.retry.backoff", "security.delegation.tokens.renewal.time-ratio", "security.kerberos.access.hadoopFileSystems",
		"security.kerberos.relogin.period", "security.kerberos.token.provider.hadoopfs.renewer", "yarn.security.appmaster.delegation.token.services"}},
	{"the keytab stays with the client", []string{"yarn.security.kerberos.localized-keytab-path", "yarn.security.kerberos.ship-local-keytab"}},
	{"metrics are told by the REST API and the web page only", []string{"metrics.reporter.", "metrics.reporters", "metrics.scope.delimiter",
		"metrics.fetcher.update-interval"}},
	{"there is no history server", []string{"jobmanager.archive.fs.dir"}},
	{"the program is staged once and found by its digest", []string{"yarn.provided.lib.dirs", "yarn.provided.usrlib.dir"}},
	{"all containers have the label of the application", []string{"yarn.taskmanager.node-label"}},
	{"the ApplicationMaster takes a free port", []string{"yarn.application-master.port"}},
	{"heartbeats come each second, and faster while containers are awaited", []string{"yarn.heartbeat.interval", "yarn.heartbeat.container-request-interval"}},
	{"all files that the pattern includes are aggregated", []string{"yarn.rolled-logs.exclude-pattern"}},
	{"files for a job go with yarn.ship-files", []string{"pipeline.cached-files"}},
	{"the parallelism is the program's", []string{"pipeline.jobvertex-parallelism-overrides"}},
	{"plans have one form", []string{"pipeline.operator-chaining.chain-operators-with-different-max-parallelism", "pipeline.vertex-description-mode",
		"pipeline.vertex-name-include-index-prefix"}},
	{"an operator with state and no uid is warned about, and runs", []string{"pipeline.auto-generate-uids"}},
	{"splits of aligned sources are always held back one by one", []string{"pipeline.watermark-alignment.allow-unaligned-source-splits"}},
	{"an application cluster ends with its application, and a failed program fails it", []string{"execution.shutdown-on-application-finish",
		"execution.submit-failed-job-on-application-error"}},
	{"file sinks make a folder and overwrite nothing", []string{"fs.output.always-create-directory", "fs.overwrite-files"}},
	{"file systems have no options of their own", []string{"fs."}},
	{"programs come through the client, not through the web page", []string{"web.submit.enable"}},
	{"the launchers go by FLINK_PID_DIR, and start processes on their own host only", []string{"env.pid.dir", "env.ssh.opts", "env.stdout-err.redirect-to-file"}},
	{"the control plane and the exchange have time-outs of their own", []string{"client.retry-period", "heartbeat.rpc-failure-threshold", "pekko.ask.timeout",
		"rest.await-leader-timeout", "slot.idle.timeout", "taskmanager.slot.timeout", "taskmanager.network.netty.client.connectTimeoutSec",
		"taskmanager.network.partition-request-timeout", "taskmanager.network.retries", "web.timeout"}},
	{"processes choose names, folders and free ports themselves", []string{"jobmanager.resource-id", "jobmanager.rpc.bind-port", "process.working-dir",
		"taskmanager.data.bind-port", "taskmanager.log.path", "taskmanager.network.bind-policy", "taskmanager.resource-id", "taskmanager.rpc.port", "web.log.path"}},
	{"nothing in this version goes by it", []string{"jobmanager.execution.attempts-history-size", "rest.path", "rest.server.numThreads", "rest.url-prefix",
		"slotmanager.max-total-resource.cpu", "slotmanager.max-total-resource.memory", "taskmanager.cpu.cores", "taskmanager.network.memory.max-buffers-per-channel", "web.history", "web.rescale.enable"}},
}

var idleReasons = sync.OnceValue(func() map[string]string {
	out := map[string]string{}
	for _, g := range idle {
		for _, k := range g.keys {
			out[k] = g.reason
		}
	}
	return out
})

// IdleReason says why an option (or a family, by its prefix) has no effect in this version; empty when it has one.
func IdleReason(key string) string { return idleReasons()[key] }

// Idle returns the keys of c that are set to something else than their default and that nothing acts on, in key order.
func Idle(c *Config) []IgnoredKey {
	var out []IgnoredKey
	for _, k := range c.Keys() {
		e := entryOf(k)
		if e == nil || IdleReason(e.key) == "" {
			continue
		}
		if v, _ := c.Lookup(k); !strings.EqualFold(strings.TrimSpace(v), e.defaultText) {
			out = append(out, IgnoredKey{Key: k, Reason: IdleReason(e.key)})
		}
	}
	return out
}

// entryOf finds what reads a key: an option by its name or an older one, else the family with the longest prefix.
func entryOf(key string) *entry {
	if e := registry.byKey[key]; e != nil {
		return e
	}
	if l := registry.byFallback[key]; len(l) > 0 {
		return l[0]
	}
	var found *entry
	for _, f := range registry.families {
		if strings.HasPrefix(key, f.key) && (found == nil || len(f.key) > len(found.key)) {
			found = f
		}
	}
	return found
}
