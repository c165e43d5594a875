/* Small plots over the checkpoints, as SVG: no plotting library for a first page. Places and words come from
   shared/pages/small_svg.py; words are set as text. STYLES.curves is curves.css. */
window.midwatchCurves = function ({data, parentElement, setTriggerValue}) {
  if (parentElement.adoptedStyleSheets && !parentElement.adoptedStyleSheets.length) {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLES.curves);
    parentElement.adoptedStyleSheets = [sheet];
  }
  const host = parentElement.host || parentElement;
  const make = (kind, name, into, text) => {
    const made = document.createElement(kind);
    made.className = name;
    if (text) { made.textContent = text; }
    into.append(made);
    return made;
  };
  const draw = (kind, given, into, text) => {
    const made = document.createElementNS('http://www.w3.org/2000/svg', kind);
    for (const [name, value] of Object.entries(given)) { made.setAttribute(name, value); }
    if (text) { made.textContent = text; }
    into.append(made);
    return made;
  };
  parentElement.querySelector('.smalls')?.remove();
  const all = make('div', 'smalls', parentElement);
  for (const each of data.pictures) { picture(each); }
  host.dataset.curves = JSON.stringify(data.pictures.map((each) => each.curves.map((curve) => curve.points)));

  function picture(each) {
    const card = make('figure', 'small', all), {left, right, top, bottom, width, height} = data.room;
    const caption = make('figcaption', '', card, each.title);
    for (const curve of each.curves.length > 1 ? each.curves : []) { key(curve, caption); }
    const svg = draw('svg', {viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': each.alt}, card);
    if (each.missing) {
      draw('text', {x: width / 2, y: height / 2, 'text-anchor': 'middle'}, svg, each.missing);
      return;
    }
    for (const [y, text] of each.levels) {
      draw('line', {class: 'axis', x1: left, x2: right, y1: y, y2: y}, svg);
      draw('text', {x: left - 4, y, dy: 3.5, 'text-anchor': 'end'}, svg, text);
    }
    for (const [x, text] of each.ticks) { draw('text', {x, y: bottom + 11, 'text-anchor': 'middle'}, svg, text); }
    draw('text', {x: (left + right) / 2, y: height - 3, 'text-anchor': 'middle'}, svg, each.x_title);
    for (const x of each.alarms) {
      draw('line', {class: 'alarm', x1: x, x2: x, y1: top, y2: bottom}, svg);
      draw('text', {class: 'alarm', x, y: top - 4, 'text-anchor': 'middle'}, svg, '!');
    }
    if (each.best) { draw('text', {x: each.best, y: top - 3, 'text-anchor': 'middle'}, svg, '★'); }
    for (const curve of each.curves) { line(curve, svg); }
    for (const stop of each.stops) { place(stop, svg, top, bottom); }
  }

  function key(curve, caption) {
    const at = make('span', 'key', caption);
    const sign = draw('svg', {viewBox: '0 0 18 8', 'aria-hidden': 'true'}, at);
    draw('line', {x1: 0, x2: 18, y1: 4, y2: 4, stroke: curve.colour, 'stroke-dasharray': curve.dash}, sign);
    at.append(' ' + curve.name);
  }

  function line(curve, svg) {
    for (const points of curve.bands) { draw('polygon', {points, fill: curve.colour}, svg); }
    for (const points of curve.points) {
      draw('polyline', {points, stroke: curve.colour, 'stroke-dasharray': curve.dash}, svg);
    }
    for (const [cx, cy] of curve.dots) { draw('circle', {cx, cy, r: 2.2, fill: curve.colour}, svg); }
  }

  function place(stop, svg, top, bottom) {
    const across = {x: stop.start, width: stop.width, y: top, height: bottom - top};
    const area = draw('rect', {class: 'stop', ...across}, svg);
    draw('title', {}, area, stop.words);
    area.onclick = () => setTriggerValue('picked', stop.entry);
  }
};
