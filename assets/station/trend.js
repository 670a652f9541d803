// The trend chart: scores of the last parts, the calibration's control limits and the threshold.
'use strict';

function drawTrend(svg, statistics) {
  const W = 600, H = 200, left = 6, right = 92, top = 8, bottom = 14;
  const points = statistics.trend.filter(p => p.score !== null);
  svg.textContent = '';
  const make = (name, attributes, text) => {
    const element = document.createElementNS('http://www.w3.org/2000/svg', name);
    for (const key in attributes) element.setAttribute(key, attributes[key]);
    if (text !== undefined) element.textContent = text;
    svg.append(element);
    return element;
  };
  const lines = [];
  if (statistics.limits) {
    lines.push(['limit', statistics.limits.upper, 'upper limit'], ['centre', statistics.limits.centre, 'good parts'],
               ['limit', statistics.limits.lower, 'lower limit']);
  }
  if (statistics.threshold !== null) lines.push(['cut', statistics.threshold, 'threshold']);
  const values = lines.map(l => l[1]).concat(points.map(p => p.score));
  if (!values.length) return;
  // A single wild score must not flatten the chart: the axis ends at three times the threshold's height.
  const low = Math.min(...values);
  const cap = Math.max(...lines.map(l => l[1])) + 2 * (Math.max(...lines.map(l => l[1])) - low);
  const high = Math.min(Math.max(...values), lines.length ? cap : Infinity);
  const span = high - low || 1;
  const x = i => left + (W - left - right) * (points.length < 2 ? 0.5 : i / (points.length - 1));
  const y = v => top + (H - top - bottom) * (1 - (Math.min(v, high) - low) / span);
  let lastText = Infinity;
  for (const [kind, value, name] of lines.sort((a, b) => a[1] - b[1])) {
    make('line', {class: kind, x1: left, x2: W - right, y1: y(value), y2: y(value)});
    const at = Math.min(y(value) + 4, lastText - 13);
    lastText = at;
    make('text', {x: W - right + 6, y: at}, name);
  }
  make('polyline', {class: 'line', points: points.map((p, i) => `${x(i)},${y(p.score)}`).join(' ')});
  points.forEach((p, i) => {
    const dot = make('circle', {class: p.verdict === 'OK' ? 'ok' : 'nok', cx: x(i), cy: y(p.score), r: 3});
    const title = document.createElementNS('http://www.w3.org/2000/svg', 'title');
    title.textContent = `part ${p.id}: ${p.score.toFixed(4)} ${p.verdict}`;
    dot.append(title);
  });
}
