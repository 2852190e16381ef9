'use strict';
// Building blocks: elements, numbers and times. Text always goes through text nodes, never through HTML.

function h(tag, attrs, ...children) {
  const e = document.createElement(tag);
  return fill(e, attrs, children);
}

function svg(tag, attrs, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attrs, children);
}

function fill(e, attrs, children) {
  for (const [k, v] of Object.entries(attrs || {})) {
    if (k === 'onclick') e.addEventListener('click', v);
    else if (v !== null && v !== undefined && v !== false) e.setAttribute(k, v);
  }
  for (const c of children.flat(3)) {
    if (c !== null && c !== undefined && c !== false) e.append(c instanceof Node ? c : String(c));
  }
  return e;
}

// get asks the REST API. Paths are relative, so that the page also works behind YARN's proxy.
async function get(path) {
  const r = await fetch(path, { headers: { Accept: 'application/json' } });
  const body = await r.json().catch(() => ({}));
  if (!r.ok) {
    const e = new Error((body.errors || [`status ${r.status}`]).join(' '));
    e.status = r.status;
    throw e;
  }
  return body;
}

const stateKind = {
  RUNNING: 'run', FINISHED: 'ok', COMPLETED: 'ok', FAILED: 'bad', FAILING: 'bad', CANCELED: 'idle', CANCELLING: 'warn', CANCELING: 'warn',
  RESTARTING: 'warn', INITIALIZING: 'warn', DEPLOYING: 'warn', SCHEDULED: 'idle', CREATED: 'idle', SUSPENDED: 'idle', RECONCILING: 'warn', IN_PROGRESS: 'run',
};

const kindOf = s => 's-' + (stateKind[String(s).toUpperCase()] || 'idle');
const state = s => h('span', { class: 'state ' + kindOf(s) }, s);

function time(ms) {
  return ms > 0 ? new Date(ms).toLocaleString() : '–';
}

function span(ms) {
  if (ms === null || ms === undefined || ms < 0) return '–';
  if (ms < 1000) return Math.round(ms) + ' ms';
  const s = Math.floor(ms / 1000);
  if (s < 60) return (ms / 1000).toFixed(1) + ' s';
  const parts = [[Math.floor(s / 86400), 'd'], [Math.floor(s / 3600) % 24, 'h'], [Math.floor(s / 60) % 60, 'm'], [s % 60, 's']];
  const first = parts.findIndex(p => p[0] > 0);
  return parts.slice(first, first + 2).map(p => p[0] + p[1]).join(' ');
}

function bytes(n) {
  if (n === null || n === undefined) return '–';
  const units = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'];
  let i = 0;
  while (n >= 1024 && i < units.length - 1) { n /= 1024; i++; }
  return (i === 0 ? n : n.toFixed(n < 10 ? 2 : n < 100 ? 1 : 0)) + ' ' + units[i];
}

const count = n => (n === null || n === undefined ? '–' : Number(n).toLocaleString('en'));

// table shows rows of cells; a column's name that begins with # is one of numbers.
function table(columns, rows, empty) {
  if (!rows.length) return h('div', { class: 'panel empty' }, empty || 'None');
  const numeric = columns.map(c => c.startsWith('#'));
  const cls = i => (numeric[i] ? 'num' : null);
  return h('div', { class: 'panel' }, h('table', {},
    h('thead', {}, h('tr', {}, columns.map((c, i) => h('th', { class: cls(i) }, c.replace(/^#/, ''))))),
    h('tbody', {}, rows.map(r => h('tr', {}, r.map((c, i) => h('td', { class: cls(i) }, c)))))));
}

const card = (label, n, of) => h('div', { class: 'card' }, h('div', { class: 'n' }, n, of !== undefined && h('span', { class: 'of' }, ' / ' + of)), h('div', { class: 'dim' }, label));

// bar shows how many of the tasks are in which state.
function bar(counts) {
  const entries = Object.entries(counts).filter(([k, n]) => n > 0 && k.toLowerCase() !== 'total');
  const title = entries.map(([k, n]) => `${n} ${k.toLowerCase()}`).join(', ');
  return h('div', { class: 'bar', title }, entries.map(([k, n]) => {
    const part = h('i', { class: kindOf(k) });
    part.style.flexGrow = n;
    return part;
  }));
}

const pairs = list => table(['Key', 'Value'], list.map(([k, v]) => [h('span', { class: 'mono' }, k), h('span', { class: 'mono' }, v)]));
