'use strict';
// One function a view: it asks the API and returns the element to show.

const jobLink = j => h('a', { href: '#/jobs/' + j.jid }, j.name || j.jid);

async function overviewView() {
  const [o, list] = await Promise.all([get('overview'), get('jobs/overview')]);
  const over = new Set(['FINISHED', 'FAILED', 'CANCELED']);
  const row = j => [jobLink(j), h('span', { class: 'mono dim' }, j.jid), time(j['start-time']), span(j.duration), bar(j.tasks), state(j.state)];
  const columns = ['Name', 'Job ID', 'Started', '#Duration', 'Tasks', 'State'];
  return [
    h('div', { class: 'cards' }, card('task managers', o.taskmanagers), card('free slots', o['slots-available'], o['slots-total']), card('running jobs', o['jobs-running']),
      card('finished', o['jobs-finished']), card('cancelled', o['jobs-cancelled']), card('failed', o['jobs-failed'])),
    h('h2', {}, 'Running jobs'), table(columns, list.jobs.filter(j => !over.has(j.state)).map(row), 'No job is running.'),
    h('h2', {}, 'Completed jobs'), table(columns, list.jobs.filter(j => over.has(j.state)).map(row), 'No job has ended yet.'),
  ];
}

const jobTabs = { '': 'Graph', checkpoints: 'Checkpoints', exceptions: 'Exceptions', config: 'Configuration' };

async function jobView(id, tab, vertex) {
  const job = await get('jobs/' + id);
  const ended = job['end-time'] > 0;
  const cancel = () => confirm(`Cancel the job ${job.name}?`) && get(`jobs/${id}/yarn-cancel`).then(show, notice);
  const head = [
    h('div', { class: 'head' }, h('h1', {}, job.name), state(job.state), h('span', { class: 'mono dim' }, id),
      !ended && features['web-cancel'] && h('button', { onclick: cancel }, 'Cancel')),
    h('div', { class: 'dim' }, `started ${time(job['start-time'])}${ended ? ', ended ' + time(job['end-time']) : ''} · ${span(job.duration)} · ${job['job-type'].toLowerCase()}`),
    h('div', { class: 'tabs' }, Object.entries(jobTabs).map(([k, label]) => h('a', { href: `#/jobs/${id}${k && '/' + k}`, class: (tab === k || (tab === 'vertices' && !k)) && 'on' }, label))),
  ];
  const parts = { checkpoints: checkpointsTab, exceptions: exceptionsTab, config: jobConfigTab };
  return [...head, ...await (parts[tab] || graphTab)(id, job, vertex)];
}

async function graphTab(id, job, vertex) {
  const rows = job.vertices.map(v => [h('a', { href: `#/jobs/${id}/vertices/${v.id}` }, v.name), state(v.status), v.parallelism, bar(v.tasks), count(v.metrics['read-records']),
    bytes(v.metrics['read-bytes']), count(v.metrics['write-records']), bytes(v.metrics['write-bytes']), span(v.duration)]);
  const out = [drawGraph(job.plan, job.vertices, v => { location.hash = `#/jobs/${id}/vertices/${v}`; }),
    h('h2', {}, 'Vertices'), table(['Name', 'State', '#Parallelism', 'Tasks', '#Records in', '#Bytes in', '#Records out', '#Bytes out', '#Duration'], rows)];
  return vertex ? [...out, ...await vertexPart(id, vertex)] : out;
}

async function vertexPart(id, vertex) {
  const path = `jobs/${id}/vertices/${vertex}`;
  const [v, pressure, marks] = await Promise.all([get(path), get(path + '/backpressure'), get(path + '/watermarks')]);
  const ratio = new Map(pressure.subtasks.map(s => [s.subtask, s]));
  const mark = new Map(marks.map(m => [Number(m.id.split('.')[0]), Number(m.value)]));
  const percent = x => (x === undefined ? '–' : Math.round(100 * x) + ' %');
  const rows = v.subtasks.map(s => {
    const p = ratio.get(s.subtask) || {};
    return [s.subtask, state(s.status), s.attempt, h('a', { href: '#/taskmanagers/' + encodeURIComponent(s['taskmanager-id']) }, s.endpoint), count(s.metrics['read-records']),
      count(s.metrics['write-records']), percent(p.busyRatio), percent(p.ratio), mark.has(s.subtask) ? time(mark.get(s.subtask)) : '–', span(s.duration)];
  });
  return [h('h2', {}, 'Subtasks of ' + v.name),
    table(['#Subtask', 'State', '#Attempt', 'Task manager', '#Records in', '#Records out', '#Busy', '#Back pressure', 'Watermark', '#Duration'], rows)];
}

async function checkpointsTab(id) {
  const c = await get(`jobs/${id}/checkpoints`);
  const config = await get(`jobs/${id}/checkpoints/config`).catch(() => null);
  const latest = c.latest.completed, restored = c.latest.restored;
  const rows = c.history.map(x => [x.id, state(x.status), x.checkpoint_type.toLowerCase().replace('_', ' '), `${x.num_acknowledged_subtasks} / ${x.num_subtasks}`, time(x.trigger_timestamp),
    span(x.end_to_end_duration), bytes(x.checkpointed_size), bytes(x.state_size), h('span', { class: 'mono' }, x.failure_message || x.external_path || '')]);
  return [
    h('div', { class: 'cards' }, card('completed', c.counts.completed), card('in progress', c.counts.in_progress), card('failed', c.counts.failed), card('restored', c.counts.restored),
      card('last duration', latest ? span(latest.end_to_end_duration) : '–'), card('last state size', latest ? bytes(latest.state_size) : '–')),
    restored && h('p', { class: 'dim' }, `Restored from ${restored.external_path} (${restored.is_savepoint ? 'savepoint' : 'checkpoint'} ${restored.id}) at ${time(restored.restore_timestamp)}.`),
    table(['#ID', 'State', 'Kind', '#Acknowledged', 'Triggered', '#Duration', '#Written', '#State', 'Where'], rows, 'There was no checkpoint yet.'),
    config && [h('h2', {}, 'Settings'), pairs([['mode', config.mode], ['interval', span(config.interval)], ['timeout', span(config.timeout)], ['state backend', config.state_backend],
      ['storage', config.checkpoint_storage], ['kept on cancellation', config.externalization.enabled && !config.externalization.delete_on_cancellation], ['unaligned', config.unaligned_checkpoints],
      ['tolerable failures', config.tolerable_failed_checkpoints]])],
  ];
}

async function exceptionsTab(id) {
  const history = (await get(`jobs/${id}/exceptions`)).exceptionHistory;
  if (!history.entries.length) return [h('div', { class: 'panel empty' }, 'Nothing has failed.')];
  return history.entries.map(e => [h('h2', {}, `${time(e.timestamp)} · ${e.exceptionName}${e.taskName ? ' · ' + e.taskName : ''}${e.endpoint ? ' · ' + e.endpoint : ''}`),
    h('div', { class: 'panel' }, h('pre', { class: 'mono' }, e.stacktrace)),
    e.concurrentExceptions.length > 0 && h('p', { class: 'dim' }, `and ${e.concurrentExceptions.length} more at the same time`)]);
}

async function jobConfigTab(id) {
  const c = (await get(`jobs/${id}/config`))['execution-config'];
  return [pairs([['execution mode', c['execution-mode']], ['restart strategy', c['restart-strategy']], ['parallelism', c['job-parallelism']]]),
    h('h2', {}, 'Parameters'), pairs(Object.entries(c['user-config']))];
}

async function taskManagersView(id) {
  if (id) return taskManagerView(id);
  const list = (await get('taskmanagers')).taskmanagers;
  const rows = list.map(t => [h('a', { class: 'mono', href: '#/taskmanagers/' + encodeURIComponent(t.id) }, t.id), h('span', { class: 'mono' }, t.path.replace(/:0$/, '')), span(Date.now() - t.timeSinceLastHeartbeat) + ' ago',
    t.slotsNumber, t.freeSlots, bytes(t.memoryConfiguration.totalProcessMemory), bytes(t.memoryConfiguration.managedMemory)]);
  return [h('h1', {}, 'Task managers'), h('p', {}), table(['ID', 'Address', '#Heard of', '#Slots', '#Free', '#Process', '#Managed'], rows, 'No task manager is registered.')];
}

async function taskManagerView(id) {
  const path = 'taskmanagers/' + encodeURIComponent(id);
  const [t, logs] = await Promise.all([get(path), get(path + '/logs').catch(() => ({ logs: [] }))]);
  const m = t.memoryConfiguration;
  const memory = [['process', m.totalProcessMemory], ['Flink memory', m.totalFlinkMemory], ['framework heap', m.frameworkHeap], ['task heap', m.taskHeap], ['framework off-heap', m.frameworkOffHeap],
    ['task off-heap', m.taskOffHeap], ['network', m.networkMemory], ['managed', m.managedMemory], ['metaspace (headroom)', m.jvmMetaspace], ['overhead', m.jvmOverhead]];
  return [
    h('h1', { class: 'mono' }, t.id),
    h('div', { class: 'cards' }, card('free slots', t.freeSlots, t.slotsNumber), card('heap used', bytes(t.metrics.heapUsed)), t.metrics.nettyShuffleMemorySegmentsTotal > 0 && card('network buffers used', t.metrics.nettyShuffleMemorySegmentsUsed, t.metrics.nettyShuffleMemorySegmentsTotal)),
    h('h2', {}, 'Memory'), table(['Part', '#Size', '#Bytes'], memory.map(([k, v]) => [k, bytes(v), count(v)])),
    h('h2', {}, 'Slots in use'), table(['Job', '#Task heap', '#Managed', '#Network'], t.allocatedSlots.map(s => [h('a', { class: 'mono', href: '#/jobs/' + s.jobId }, s.jobId), s.resource.taskHeapMemory + ' MB',
      s.resource.managedMemory + ' MB', s.resource.networkMemory + ' MB']), 'No slot is in use.'),
    h('h2', {}, 'Files'), logTable(path, logs.logs),
  ];
}

const logTable = (path, logs) => table(['Name', '#Size', 'Changed'], logs.map(l => [h('a', { class: 'mono', target: '_blank', href: `${path}/logs/${encodeURIComponent(l.name)}` }, l.name), bytes(l.size), time(l.mtime)]), 'There are no log files.');

async function jobManagerView() {
  const [config, env, logs] = await Promise.all([get('jobmanager/config'), get('jobmanager/environment'), get('jobmanager/logs')]);
  return [h('h1', {}, 'Job manager'), h('p', { class: 'dim mono' }, [env.jvm.version, env.jvm.arch, ...env.jvm.options].join(' · ')),
    h('h2', {}, 'Files'), logTable('jobmanager', logs.logs), h('h2', {}, 'Configuration'), pairs(config.map(c => [c.key, c.value]))];
}
