/* The box beside a point: its picture, name, label and trust. */
import { colourNumber, colourOf } from './colours.js';
import { data, group, kind, n, nClasses, sheet, textOf, tileOf, trust, value } from './data.js';
import { copyOf, showDecoded } from './decoded.js';
import { draw } from './draw.js';
import { tile } from './labels.js';
import { lookAt, model, trustAt } from './model.js';
import { trustLine, trustWords } from './trust.js';
import { both, fromX, fromY, isShown, now, screen, toX, toY, view } from './view.js';

const tip = document.getElementById('tip');

// The shown row nearest to a place on the screen, within `reach` pixels; among `rows`, or all.
export function nearest(px, py, reach, rows) {
  const x = fromX(px), y = fromY(py), unit = screen.side * view.k;
  let best = -1, least = (reach / unit) ** 2;
  const count = rows ? rows.length : n;
  for (let at = 0; at < count; at++) {
    const i = rows ? rows[at] : at;
    const far = (now.plane.x[i] - x) ** 2 + ((now.plane.y[i] - y) * data.aspect) ** 2;
    if (far < least && isShown(i)) { least = far; best = i; }
  }
  return best;
}
export function hide() { now.hovered = -1; tip.hidden = true; }
export function tell(i) {
  if (i === now.hovered && (i < 0) === tip.hidden) return;
  now.hovered = i;
  if (i < 0) { hide(); draw(); return; }
  if (model) { lookAt(now.plane.x[i], now.plane.y[i]); showDecoded(); }
  const name = document.createElement('b');
  name.append(rowName(i));
  tip.replaceChildren(...pictureOf(i), name);
  if (kind !== 'nothing') tip.append(labelLine(i));
  if (trust) tip.append(trustLine(i));
  putBeside(toX(now.plane.x[i]), toY(now.plane.y[i]));
}
// What stands at a place where there is no row.
export function tellPlace(px, py) {
  now.hovered = -1;
  const x = fromX(px), y = fromY(py), note = document.createElement('small'), far = trustAt(x, y);
  lookAt(x, y);
  note.append(both('decoded'));
  tip.replaceChildren(copyOf(showDecoded()), note);
  if (far !== null) tip.append(trustWords(far));
  putBeside(px, py);
}
function putBeside(x, y) {
  tip.hidden = false;
  const w = tip.offsetWidth, h = tip.offsetHeight, { width, height } = screen;
  tip.style.left = Math.max(4, Math.min(width - w - 4, x + 16 + w < width ? x + 16 : x - 16 - w)) + 'px';
  tip.style.top = Math.max(4, Math.min(height - h - 4, y - h / 2)) + 'px';
  draw();
}
function rowName(i) {
  if (data.rows) return document.createTextNode(data.rows[i]);
  return both('row', i.toLocaleString('en'));
}
// A row's picture, or the nearest one with a note that says so.
function pictureOf(i) {
  if (!data.sheet || !sheet.complete) return [];
  const from = tileOf.has(i) ? i : nearest(toX(now.plane.x[i]), toY(now.plane.y[i]), Infinity, data.sheet.rows);
  if (from < 0) return [];
  const s = data.sheet, times = 84 / Math.max(s.width, s.height), picture = document.createElement('canvas');
  picture.width = Math.round(s.width * times * screen.pixels);
  picture.height = Math.round(s.height * times * screen.pixels);
  picture.style.width = s.width * times + 'px';
  tile(picture.getContext('2d'), tileOf.get(from), 0, 0, picture.width, picture.height);
  if (from === i) return [picture];
  const note = document.createElement('small');
  note.append(both('nearest'), rowName(from));
  return [picture, note];
}
function labelLine(i) {
  const line = document.createElement('span'), dot = document.createElement('i');
  line.className = 'label';
  dot.style.background = colourOf(colourNumber(i));
  line.append(dot, labelText(i));
  return line;
}
function labelText(i) {
  if (kind === 'numbers') {
    if (group[i]) return '–';
    const [low, high] = data.range, number = low + ((high - low) * value[i]) / 65535;
    return Number(number.toPrecision(4)).toLocaleString('en', { maximumSignificantDigits: 4 });
  }
  if (group[i] < nClasses) return data.names[group[i]];
  return data.texts && group[i] === nClasses ? data.texts[textOf[i]] : '–';
}
