'use strict';
// Routing by the fragment, and the refresh.

let features = {};
let every = 3000;
let timer = null;
let turn = 0; // answers that arrive after the next view was asked for are dropped

function notice(e) {
  const n = document.getElementById('notice');
  n.hidden = !e;
  n.textContent = e ? e.message || String(e) : '';
}

function route() {
  const [view, id, tab, sub] = location.hash.replace(/^#\/?/, '').split('/').map(decodeURIComponent);
  switch (view) {
    case 'jobs': return () => jobView(encodeURIComponent(id), tab || '', sub && encodeURIComponent(sub));
    case 'taskmanagers': return () => taskManagersView(id);
    case 'jobmanager': return jobManagerView;
    default: return overviewView;
  }
}

async function show() {
  const mine = ++turn;
  clearTimeout(timer);
  const section = location.hash.replace(/^#\/?/, '').split('/')[0];
  for (const a of document.querySelectorAll('nav a')) a.classList.toggle('on', a.dataset.nav === (section === 'jobs' ? '' : section));
  try {
    const parts = await route()();
    if (mine !== turn) return;
    const view = document.getElementById('view');
    const scrolled = [...view.querySelectorAll('.panel, pre')].map(e => [e.scrollLeft, e.scrollTop]);
    view.replaceChildren(...parts.flat(3).filter(Boolean));
    [...view.querySelectorAll('.panel, pre')].forEach((e, i) => scrolled[i] && ([e.scrollLeft, e.scrollTop] = scrolled[i]));
    notice(null);
  } catch (e) {
    if (mine !== turn) return;
    notice(e.status ? e : new Error('The cluster does not answer; asking again. ' + e.message));
  }
  timer = setTimeout(show, every);
}

async function start() {
  try {
    const c = await get('config');
    features = c.features;
    every = Math.max(500, c['refresh-interval'] || every);
    document.getElementById('version').textContent = `version ${c['flink-version']} · ${c['flink-revision']}`;
  } catch (e) {
    notice(e);
  }
  show();
}

addEventListener('hashchange', show);
start();
