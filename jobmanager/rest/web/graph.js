'use strict';
// The job graph: vertices in layers from left to right, by the longest way from a source.

function layersOf(nodes) {
  const byID = new Map(nodes.map(n => [n.id, n]));
  const depth = new Map();
  const visit = (n, seen) => {
    if (depth.has(n.id)) return depth.get(n.id);
    if (seen.has(n.id)) return 0;
    seen.add(n.id);
    const inputs = (n.inputs || []).map(i => byID.get(i.id)).filter(Boolean);
    const d = inputs.length ? 1 + Math.max(...inputs.map(i => visit(i, seen))) : 0;
    depth.set(n.id, d);
    return d;
  };
  const layers = [];
  for (const n of nodes) {
    const d = visit(n, new Set());
    (layers[d] = layers[d] || []).push(n);
  }
  return layers.filter(Boolean);
}

// order places the nodes of a layer beside their inputs, so that few edges cross.
function order(layers) {
  const row = new Map();
  layers.forEach((layer, i) => {
    const weight = n => {
      const rows = (n.inputs || []).map(x => row.get(x.id)).filter(x => x !== undefined);
      return rows.length ? rows.reduce((a, b) => a + b, 0) / rows.length : row.size;
    };
    if (i > 0) layer.sort((a, b) => weight(a) - weight(b));
    layer.forEach((n, j) => row.set(n.id, j));
  });
}

function shorten(text, most) {
  return text.length > most ? text.slice(0, most - 1) + '…' : text;
}

// titleLines breaks the name of a chain over two lines of at most so many characters, between its operators where it can.
function titleLines(name, most) {
  if (name.length <= most) return [name];
  let cut = name.lastIndexOf(' -> ', most);
  if (cut <= 0) cut = Math.max(name.lastIndexOf(' ', most), 0) || most;
  return [name.slice(0, cut).trimEnd(), shorten(name.slice(cut).trimStart(), most)];
}

function drawGraph(plan, vertices, onPick) {
  const nodes = (plan && plan.nodes) || [];
  if (!nodes.length) return h('div', { class: 'panel empty' }, 'The plan of this job is not known.');
  const W = 290, H = 96, GX = 110, GY = 34, M = 20;
  const info = new Map(vertices.map(v => [v.id, v]));
  const layers = layersOf(nodes);
  order(layers);
  const tallest = Math.max(...layers.map(l => l.length));
  const at = new Map();
  layers.forEach((layer, i) => layer.forEach((n, j) => {
    at.set(n.id, { x: M + i * (W + GX), y: M + j * (H + GY) + (tallest - layer.length) * (H + GY) / 2 });
  }));
  const width = 2 * M + layers.length * W + (layers.length - 1) * GX, height = 2 * M + tallest * (H + GY) - GY;
  const edges = nodes.flatMap(n => (n.inputs || []).filter(i => at.has(i.id)).map(i => edge(at.get(i.id), at.get(n.id), i.ship_strategy, W, H)));
  const boxes = nodes.map(n => box(n, info.get(n.id), at.get(n.id), W, H, onPick));
  return h('div', { class: 'panel' }, svg('svg', { class: 'graph', width, height, viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': 'job graph' }, edges, boxes));
}

function edge(from, to, label, W, H) {
  const x1 = from.x + W, y1 = from.y + H / 2, x2 = to.x - 7, y2 = to.y + H / 2, mid = (x1 + x2) / 2;
  return svg('g', {},
    svg('path', { d: `M${x1} ${y1} C${mid} ${y1} ${mid} ${y2} ${x2} ${y2}` }),
    svg('path', { class: 'tip', d: `M${x2 + 7} ${y2} l-9 -4.5 v9 z` }),
    svg('text', { class: 'dim', x: mid, y: (y1 + y2) / 2 - 6, 'text-anchor': 'middle' }, label || ''));
}

function box(node, v, p, W, H, onPick) {
  const name = v ? v.name : node.description.replace(/<br\/?>/g, ' ');
  const kind = v ? kindOf(v.status) : 's-idle';
  const title = titleLines(name, 34);
  const lines = v ? [`in ${count(v.metrics['read-records'])} · ${bytes(v.metrics['read-bytes'])}`, `out ${count(v.metrics['write-records'])} · ${bytes(v.metrics['write-bytes'])}`] : [];
  return svg('g', { class: 'node', transform: `translate(${p.x} ${p.y})`, onclick: () => onPick(node.id) },
    svg('title', {}, name),
    svg('rect', { class: 'box', width: W, height: H, rx: 9 }),
    svg('rect', { class: 'tint', x: 1, y: 12, width: 4, height: H - 24, rx: 2, style: `fill: var(--${kind.slice(2)})` }),
    title.map((l, i) => svg('text', { x: 16, y: (title.length > 1 ? 19 : 24) + i * 16, 'font-weight': 600 }, l)),
    svg('text', { class: 'dim', x: 16, y: title.length > 1 ? 52 : 43 }, `${v ? v.status : ''} · parallelism ${node.parallelism}`),
    lines.map((l, i) => svg('text', { class: 'dim', x: 16, y: (title.length > 1 ? 69 : 63) + i * 17 }, l)));
}
