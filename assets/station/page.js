// The operator's page. Shows what the server says and nothing of its own making: when the server is gone, no
// old verdict stays up as if it were new.
'use strict';

const $ = id => document.getElementById(id);
const STRIP = 50;
const KIND = {'OK': 'ok', 'NOK': 'nok', 'NO DECISION': 'none-decided'};
const SHAPES = {
  'ok': '<circle cx="50" cy="50" r="46" fill="none" stroke="#fff" stroke-width="7"/><path d="M27 52 44 69 74 34" fill="none" stroke="#fff" stroke-width="11"/>',
  'nok': '<path d="M31 4h38l27 27v38L69 96H31L4 69V31Z" fill="none" stroke="#fff" stroke-width="7"/><path d="M32 32 68 68M68 32 32 68" stroke="#fff" stroke-width="11"/>',
  'none-decided': '<path d="M50 6 96 92H4Z" fill="none" stroke="#fff" stroke-width="7" stroke-linejoin="round"/><text x="50" y="82" font-size="56" font-weight="800" text-anchor="middle" fill="#fff">?</text>',
  'gone': '<path d="M12 50h76" stroke="#fff" stroke-width="11"/>',
};

let entries = [];       // newest first
let selected = null;    // the entry shown
let live = true;        // follow the newest
let connected = false;
let status = null;

// --- talking to the server

async function request(path, options = {}) {
  const headers = options.headers || {};
  const token = sessionStorage.getItem('token');
  if (token && options.method === 'POST') headers['Authorization'] = 'Bearer ' + token;
  const response = await fetch(path, {...options, headers});
  const body = await response.json().catch(() => ({error: response.statusText}));
  if (response.status === 401) $('token-field').hidden = false;
  if (!response.ok && !body.verdict) throw new Error(body.error || response.statusText);
  return body;
}
const post = (path, body) => request(path, {method: 'POST', body: JSON.stringify(body),
                                            headers: {'Content-Type': 'application/json'}});

function listen() {
  const events = new EventSource('/api/events');
  let lastSign = Date.now();
  const alive = () => { lastSign = Date.now(); if (!connected) { connected = true; reload(); } showConnection(); };
  events.onopen = alive;
  events.addEventListener('beat', alive);
  events.addEventListener('status', e => { alive(); status = JSON.parse(e.data); showStatus(); });
  events.addEventListener('inspection', e => { alive(); arrived(JSON.parse(e.data)); });
  events.addEventListener('review', e => { alive(); replaced(JSON.parse(e.data)); });
  const lost = () => {
    events.close();
    clearInterval(watch);
    connected = false;
    showConnection();
    show();
    setTimeout(listen, 1000);
  };
  events.onerror = lost;
  // A cut cable closes nothing: the server's beat, every two seconds, stops coming.
  const watch = setInterval(() => { if (Date.now() - lastSign > 7000) lost(); }, 1000);
}

async function reload() {
  try {
    const list = await request('/api/inspections?limit=' + STRIP);
    entries = list.inspections;
    if (live || !selected) selected = entries[0] || null;
    show();
  } catch (error) { /* the event stream says when the server is back */ }
}

function arrived(entry) {
  if (entry.id) entries.unshift(entry);
  entries = entries.slice(0, STRIP);
  if (live) selected = entry;
  show();
}

function replaced(entry) {
  entries = entries.map(e => e.id === entry.id ? entry : e);
  if (selected && selected.id === entry.id) selected = entry;
  show();
}

// --- showing

function text(id, value) { $(id).textContent = value; }

function showConnection() {
  const chip = $('connection');
  chip.textContent = connected ? 'connected' : 'no connection to the server, trying again';
  chip.className = 'chip ' + (connected ? 'up' : 'down');
  if (!connected) $('sources').replaceChildren();
  showVerdict();
}

function showVerdict() {
  const box = $('verdict');
  let kind = 'none', word = 'WAITING', what = 'for the first part', reason = '';
  if (!connected) {
    kind = 'gone';
    word = 'NO CONNECTION';
    what = 'the last verdict may be old; parts are not shown until the server is back';
  } else if (selected) {
    const verdict = selected.final_verdict || selected.verdict;
    kind = KIND[verdict];
    word = verdict;
    const time = new Date(selected.time_us / 1000).toLocaleTimeString();
    what = [selected.part_id ? 'part ' + selected.part_id : '', selected.view ? 'view ' + selected.view : '',
            'no. ' + (selected.id || '–'), time].filter(Boolean).join(' · ');
    reason = selected.reason || '';
    if (selected.review) reason = `operator${selected.review.by ? ' ' + selected.review.by : ''}: ${selected.review.verdict}` +
        (selected.review.reason ? ', ' + selected.review.reason : '') + ` (detector: ${selected.verdict})`;
    if (!live) what = 'earlier part · ' + what;
  }
  box.className = 'verdict ' + kind;
  $('shape').innerHTML = SHAPES[kind] || '';
  text('word', word);
  $('word').className = word.length > 7 ? 'long' : '';
  text('what', what);
  text('reason', reason);
  const part = connected && selected && selected.part;
  $('part').hidden = !part || part.views < 2;
  if (part) $('part').innerHTML = `part of ${part.views} views<b></b>`;
  if (part) $('part').querySelector('b').textContent = part.verdict + (part.complete ? '' : ' so far');
}

function showScore() {
  const bar = $('bar');
  if (!connected || !selected || selected.score === undefined) {
    bar.style.width = 0;
    text('figures', '–');
    return;
  }
  // From the control chart's lower limit to where the threshold sits at 60 % of the track.
  const limits = status && status.statistics.limits;
  const low = limits ? Math.min(limits.lower, selected.score) : Math.min(0, selected.score);
  const reach = (selected.threshold - low) / 0.6;
  const share = reach > 0 ? (selected.score - low) / reach : 1;
  bar.style.width = Math.max(0, Math.min(1, share)) * 100 + '%';
  bar.className = KIND[selected.verdict];
  text('figures', `score ${selected.score.toFixed(4)} · threshold ${selected.threshold.toFixed(4)} · p ${selected.p_value.toFixed(4)}`);
}

function setPicture(id, address) {
  const image = $(id);
  if (image.dataset.address === address) return;
  image.dataset.address = address || '';
  image.classList.remove('shown');
  if (!address) { image.removeAttribute('src'); return; }
  image.onload = () => image.classList.add('shown');
  image.onerror = () => image.classList.remove('shown');
  image.src = address;
}

function showBoxes(id) {
  const svg = $(id);
  svg.textContent = '';
  if (!selected || !selected.width) return;
  svg.setAttribute('viewBox', `0 0 ${selected.width} ${selected.height}`);
  for (const r of selected.regions || []) {
    const box = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
    const margin = Math.max(2, selected.width / 160);
    box.setAttribute('x', r.x - margin);
    box.setAttribute('y', r.y - margin);
    box.setAttribute('width', r.width + 2 * margin);
    box.setAttribute('height', r.height + 2 * margin);
    svg.append(box);
  }
}

function showPictures() {
  const links = (connected && selected && selected.links) || {};
  setPicture('photo', links.image);
  setPicture('under', links.map ? links.image : '');
  setPicture('map', links.map);
  $('photo-empty').hidden = Boolean(links.image);
  $('map-empty').hidden = Boolean(links.map);
  $('map').style.opacity = $('opacity').value / 100;
  showBoxes('boxes-photo');
  showBoxes('boxes-map');
}

function thumbnailOf(entry) {
  const verdict = entry.final_verdict || entry.verdict;
  const button = document.createElement('button');
  button.className = 'thumb ' + KIND[verdict];
  button.setAttribute('role', 'option');
  button.title = `${verdict} · no. ${entry.id}`;
  if (entry.links) {
    const image = document.createElement('img');
    image.loading = 'lazy';
    image.alt = '';
    image.src = entry.links.thumbnail;
    image.onerror = () => image.remove();
    button.append(image);
  }
  const word = document.createElement('span');
  word.textContent = verdict === 'NO DECISION' ? '? NO DEC.' : (verdict === 'OK' ? '✓ OK' : '✕ NOK');
  button.append(word);
  if (entry.review) {
    const mark = document.createElement('span');
    mark.className = 'reviewed';
    mark.textContent = '✎';
    button.append(mark);
  }
  button.onclick = () => select(entry);
  return button;
}

const thumbnails = new Map();  // id and state -> element, so that pictures are not fetched again
function showStrip() {
  const wanted = entries.map(entry => {
    const key = entry.id + (entry.final_verdict || entry.verdict) + Boolean(entry.review);
    if (!thumbnails.has(key)) thumbnails.set(key, thumbnailOf(entry));
    const element = thumbnails.get(key);
    element.setAttribute('aria-selected', selected !== null && selected.id === entry.id);
    return element;
  });
  for (const [key, element] of thumbnails) if (!wanted.includes(element)) thumbnails.delete(key);
  $('strip').replaceChildren(...wanted);
  $('live').disabled = live;
}

function showReview() {
  const can = connected && selected && selected.id > 0;
  $('say-ok').disabled = $('say-nok').disabled = !can;
  if (!can) return text('review-state', 'Select a part.');
  const detector = selected.verdict === 'NO DECISION' ? 'could not decide' : 'says ' + selected.verdict;
  text('review-state', selected.review
    ? `No. ${selected.id}: reviewed as ${selected.review.verdict}. A new review replaces it; both stay on record.`
    : `No. ${selected.id}: the detector ${detector}. Confirm or overrule.`);
}

function show() {
  showVerdict();
  showScore();
  showPictures();
  showStrip();
  showReview();
}

function showStatus() {
  const s = status.statistics, drift = s.drift;
  text('model', 'model ' + status.model);
  $('sources').replaceChildren(...status.sources.map(source => {
    const chip = document.createElement('span');
    chip.className = 'chip ' + (source.state === 'gone' ? 'down' : 'up');
    chip.textContent = `${source.name} ${source.state}`;
    chip.title = [source.message, source.notice].filter(Boolean).join('; ');
    return chip;
  }));
  $('trigger').hidden = !status.sources.some(source => source.camera);
  const warnings = status.warnings.concat(drift.warnings.map(w => 'Drift: ' + w.text));
  $('warnings').replaceChildren(...warnings.map(w => {
    const p = document.createElement('p');
    p.textContent = '⚠ ' + w;
    return p;
  }));
  text('count-ok', s.today['OK']);
  text('count-nok', s.today['NOK']);
  text('count-none', s.today['NO DECISION']);
  const rate = s.reject_rate_today, percent = v => (100 * v).toFixed(1) + ' %';
  const promise = c => c.guaranteed_rate === null ? `is meant for about ${percent(c.wished_rate)}` : `promises at most ${percent(c.guaranteed_rate)}`;
  text('rate', rate.value === null ? 'No verdict yet today.'
    : `Reject rate ${percent(rate.value)} [${percent(rate.ci_low)}, ${percent(rate.ci_high)}]; the threshold ${promise(status.calibration)} of good parts.`);
  drawTrend($('trend'), s);
  const shift = (name, value) => `${name} ${value === null ? '–' : value.toFixed(1)}`;
  text('drift', `Last ${drift.window} good parts against calibration: ${shift('mean', drift.mean_shift)}, ${shift('spread', drift.spread_shift)}, ${shift('exposure', drift.exposure_shift)} (warns beyond ${drift.bound}).`);
  $('models').replaceChildren(...status.models.map(modelRow));
  $('rollback').disabled = !status.models.some(m => m.previous);
  text('guarantee', status.calibration.guarantee);
  showScore();
}

function modelRow(model) {
  const row = document.createElement('tr');
  const name = row.insertCell(), state = row.insertCell(), actions = row.insertCell();
  name.textContent = model.name;
  state.textContent = [model.active ? 'active' : model.loaded ? 'loaded' : 'not loaded',
                       model.file_changed ? 'file changed' : ''].filter(Boolean).join(', ');
  const button = (label, action) => {
    const element = document.createElement('button');
    element.textContent = label;
    element.onclick = () => change(`/api/models/${encodeURIComponent(model.name)}/${action}`);
    actions.append(element);
  };
  if (!model.active) button('Activate', 'activate');
  if (model.file_changed) button('Load again', 'load');
  return row;
}

// --- doing

function select(entry) {
  selected = entry;
  live = entries.length > 0 && entry === entries[0];
  show();
}

function step(by) {
  const at = entries.findIndex(e => selected && e.id === selected.id);
  const next = entries[Math.max(0, Math.min(entries.length - 1, at + by))];
  if (next) { select(next); document.querySelector('.thumb[aria-selected=true]').scrollIntoView({inline: 'nearest', block: 'nearest'}); }
}

function goLive() {
  live = true;
  selected = entries[0] || null;
  show();
}

async function change(path, body = {}) {
  try { await post(path, body); } catch (error) { alert(error.message); }
}

async function review(verdict) {
  if (!selected || !selected.id) return;
  localStorage.setItem('operator', $('operator').value);
  await change(`/api/inspections/${selected.id}/reviews`,
               {verdict, reason: $('review-reason').value, by: $('operator').value});
  $('review-reason').value = '';
}

async function inspectFiles(files) {
  for (const file of files) {
    text('inspect-state', `inspecting ${file.name} …`);
    const form = new FormData();
    form.append('image', file);
    form.append('part_id', file.name.replace(/\.[^.]*$/, '').slice(0, 200));
    try {
      const result = await request('/api/inspections', {method: 'POST', body: form});
      text('inspect-state', `${file.name}: ${result.verdict}${result.reason ? ', ' + result.reason : ''}`);
    } catch (error) { text('inspect-state', `${file.name}: ${error.message}`); }
  }
}

$('opacity').oninput = () => { $('map').style.opacity = $('opacity').value / 100; };
$('live').onclick = goLive;
$('say-ok').onclick = () => review('OK');
$('say-nok').onclick = () => review('NOK');
$('rollback').onclick = () => change('/api/models/rollback');
$('trigger').onclick = () => change('/api/triggers');
$('file').onchange = event => { inspectFiles([...event.target.files]).then(() => { event.target.value = ''; }); };
$('token').onchange = event => sessionStorage.setItem('token', event.target.value);
$('token-field').onsubmit = event => event.preventDefault();
$('operator').value = localStorage.getItem('operator') || '';
const drop = $('drop');
for (const name of ['dragover', 'dragleave', 'drop']) {
  document.addEventListener(name, event => {
    event.preventDefault();
    drop.classList.toggle('over', name === 'dragover');
    if (name === 'drop') inspectFiles([...event.dataTransfer.files]);
  });
}
document.addEventListener('keydown', event => {
  if (event.target.matches('input:not([type=range])') || event.ctrlKey || event.altKey || event.metaKey) return;
  const actions = {
    ArrowLeft: () => step(-1), ArrowRight: () => step(1), Home: goLive,
    g: () => review('OK'), b: () => review('NOK'), u: () => $('file').click(),
    t: () => { if (!$('trigger').hidden) change('/api/triggers'); },
    m: () => { $('opacity').value = $('opacity').value > 0 ? 0 : 55; $('opacity').oninput(); },
  };
  const action = actions[event.key] || actions[event.key.toLowerCase()];
  if (action) { event.preventDefault(); action(); }
});

listen();
