"""The style and the script of interactive pages; the script writes text and never markup."""

STYLE = """\
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--paper:#fff;--card:#f6f8fa;
--line:#d0d7de;--focus:#0969da}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9da7b3;--paper:#0d1117;
--card:#161b22;--line:#3d444d;--focus:#79c0ff}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);
font:1rem/1.5 system-ui,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif}
main{max-width:84rem;margin:0 auto;padding:1rem}
h1{font-size:1.3rem;margin:.2rem 0 1rem;overflow-wrap:anywhere}
h2{font-size:1.05rem;margin:0 0 .5rem;overflow-wrap:anywhere}
.layout{display:grid;grid-template-columns:minmax(0,3fr) minmax(0,2fr);gap:1rem;align-items:start}
@media (max-width:60rem){.layout{grid-template-columns:minmax(0,1fr)}}
figure{margin:0}
.stage{position:relative;background:#fff;border:1px solid var(--line);border-radius:8px;
overflow:hidden}
.stage img{display:block;width:100%;height:auto}
.stage svg{position:absolute;inset:0;width:100%;height:100%}
figcaption{color:var(--soft);font-size:.9rem;margin:.4rem 0;overflow-wrap:anywhere}
#panel{border:1px solid var(--line);border-radius:8px;background:var(--card);padding:.8rem 1rem;
min-height:12rem;overflow-wrap:anywhere;position:sticky;top:1rem}
#panel p{margin:.25rem 0;white-space:pre-wrap}
#panel.kept{border:2px solid var(--focus)}
#panel svg{width:100%;max-width:18rem;height:auto;background:#fff;border-radius:6px;
margin-top:.6rem}
.cell{fill:transparent;stroke:none;cursor:pointer}
.cell.on{fill:#0072b233;stroke:#0072b2;stroke-width:1.6}
.edge{fill:none;stroke:transparent;stroke-width:6;cursor:pointer}
.edge.on{stroke:#d55e00}
.point{fill:#ffffff01;stroke:#d55e00;stroke-width:1;opacity:.55;cursor:pointer}
.point.on,.point:focus{opacity:1;stroke-width:2.4;outline:none}
"""

SCRIPT = """\
'use strict';
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const over = document.getElementById('over'), panel = document.getElementById('panel');
  const space = 'http://www.w3.org/2000/svg';
  let kept = false, marked = null;
  const add = (parent, name, text) => {
    const made = document.createElement(name);
    made.textContent = text;
    parent.append(made);
  };
  const say = (title, lines, hull) => {
    panel.replaceChildren();
    add(panel, 'h2', title);
    for (const line of lines) add(panel, 'p', line);
    if (hull.length) panel.append(drawing(hull));
  };
  const shape = (parent, name, given) => {
    const made = document.createElementNS(space, name);
    for (const [key, value] of Object.entries(given)) made.setAttribute(key, value);
    parent.append(made);
    return made;
  };
  const drawing = hull => {
    const reach = Math.max(...hull.flat().map(Math.abs)) * 1.25 || 1;
    const at = ([x, y]) => [100 + 95 * x / reach, 100 - 95 * y / reach];
    const made = document.createElementNS(space, 'svg');
    made.setAttribute('viewBox', '0 0 200 200');
    made.setAttribute('role', 'img');
    made.setAttribute('aria-label', 'the Clarke set');
    shape(made, 'path', {d: 'M0 100H200M100 0V200', stroke: '#8c8c8c', 'stroke-width': 0.7});
    const looks = {fill: '#d55e0055', stroke: '#d55e00', 'stroke-width': 2};
    shape(made, 'polygon', {points: hull.map(at).join(' '), ...looks});
    for (const [cx, cy] of hull.map(at)) shape(made, 'circle', {cx, cy, r: 4, fill: '#d55e00'});
    const words = [[data.axes[0], 190, 114], [data.axes[1] || '', 104, 12]];
    for (const [name, x, y] of words) {
      const looks = {x, y, 'font-size': 10, 'text-anchor': x > 150 ? 'end' : 'start'};
      const word = shape(made, 'text', looks);
      word.textContent = name && 'd/d' + name;
    }
    return made;
  };
  const show = element => {
    if (marked) marked.classList.remove('on');
    marked = element;
    marked.classList.add('on');
    const found = data.shapes[Number(element.dataset.n)];
    say(found.title, found.lines, found.hull);
  };
  const own = event => event.target.dataset && event.target.dataset.n ? event.target : null;
  for (const kind of ['pointerover', 'focusin'])
    over.addEventListener(kind, event => { if (!kept && own(event)) show(own(event)); });
  const keep = element => {
    kept = !(kept && element === marked);
    show(element);
    panel.classList.toggle('kept', kept);
  };
  over.addEventListener('click', event => { if (own(event)) keep(own(event)); });
  over.addEventListener('keydown', event => {
    if (own(event) && (event.key === 'Enter' || event.key === ' ')) {
      event.preventDefault();
      keep(own(event));
    }
  });
  const grid = data.grid;
  if (grid) over.addEventListener('pointermove', event => {
    if (kept || own(event)) return;
    const matrix = over.getScreenCTM().inverse();
    const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix);
    const [left, top, right, bottom] = grid.box;
    const parts = [(place.x - left) / (right - left)];
    if (data.axes.length > 1) parts.push((bottom - place.y) / (bottom - top));
    if (parts.some(part => part < 0 || part >= 1)) return;
    const index = parts.map(part => Math.floor(part * grid.side));
    const row = grid.rows[index[0] + (index[1] || 0) * grid.side];
    const near = index.map((k, axis) =>
      grid.low[axis] + (grid.high[axis] - grid.low[axis]) * (k + 0.5) / grid.side);
    const told = near.map((x, axis) => `${data.axes[axis]} = ${Number(x.toPrecision(4))}`);
    const number = x => x === null ? 'none' : String(x);
    say(`Near ${told.join(', ')}`, [
      `${grid.name}: ${number(row[0])}`,
      `gradient: (${row.slice(1).map(number).join(', ')})`,
    ], []);
  });
})();
"""
