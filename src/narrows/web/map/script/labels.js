/* Names of classes and small pictures on the map, as many as fit without touching. */
import { colourNumber, colourOf, colours } from './colours.js';
import { data, n, nClasses, sheet } from './data.js';
import { isShown, now, pen, screen, shown, toX, toY, view, wanted } from './view.js';

function isFree(box, taken) {
  return taken.every((o) => box[2] <= o[0] || o[2] <= box[0] || box[3] <= o[1] || o[3] <= box[1]);
}
// At most 22 letters, or 11 Chinese characters, which are twice as wide.
function cut(name) {
  let room = 22, end = 0;
  for (const sign of name) {
    room -= sign.codePointAt(0) > 0x2e7f ? 2 : 1;
    if (room < 0) return name.slice(0, end).trimEnd() + '…';
    if (room > 0) end += sign.length;
  }
  return name;
}
export function paintNames(taken) {
  if (!wanted.names || nClasses < 2 || n < 8 * nClasses) return;  // names would hide what they name
  pen.font = '650 14px ' + colours.font;
  pen.textAlign = 'center';
  pen.textBaseline = 'middle';
  pen.lineJoin = 'round';
  const bySize = data.names.map((_, i) => i).sort((a, b) => data.counts[b] - data.counts[a]);
  bySize.forEach(function (i) {
    const spot = now.plane.spots[i];
    if (!shown[i] || !spot) return;
    const text = cut(data.names[i]);
    const half = pen.measureText(text).width / 2 + 4;
    // A name at the edge moves inside as long as its spot is seen.
    const sx = toX(spot[0]), sy = toY(spot[1]);
    if (sx < 0 || sy < 0 || sx > screen.width || sy > screen.height) return;
    const x = Math.min(screen.width - half, Math.max(half, sx)), y = Math.min(screen.height - 10, Math.max(10, sy));
    const box = [x - half, y - 10, x + half, y + 10];
    if (!isFree(box, taken)) return;
    taken.push(box);
    pen.strokeStyle = colours.paper;
    pen.lineWidth = 4;
    pen.strokeText(text, x, y);
    pen.fillStyle = colours.ink;
    pen.fillText(text, x, y);
  });
}
export function tile(brush, number, x, y, w, h) {
  const s = data.sheet, column = number % s.columns, row = Math.floor(number / s.columns);
  brush.imageSmoothingEnabled = w < s.width;
  brush.drawImage(sheet, column * s.width, row * s.height, s.width, s.height, x, y, w, h);
  brush.imageSmoothingEnabled = true;
}
export function paintPictures(taken) {
  if (!wanted.pictures || !data.sheet || !sheet.complete) return;
  const s = data.sheet, longest = Math.min(72, 34 * Math.max(1, view.k) ** 0.3) / Math.max(s.width, s.height);
  const w = s.width * longest, h = s.height * longest, most = Math.round((screen.width * screen.height) / 22000);
  let count = 0;
  for (let at = 0; at < s.rows.length && count < most; at++) {
    const i = s.rows[at];
    if (!isShown(i)) continue;
    const x = toX(now.plane.x[i]), y = toY(now.plane.y[i]);
    const box = [x - w / 2 - 3, y - h / 2 - 3, x + w / 2 + 3, y + h / 2 + 3];
    if (box[0] < 0 || box[1] < 0 || box[2] > screen.width || box[3] > screen.height || !isFree(box, taken)) continue;
    taken.push(box);
    count++;
    tile(pen, at, x - w / 2, y - h / 2, w, h);
    pen.strokeStyle = colourOf(colourNumber(i));
    pen.lineWidth = 2;
    pen.strokeRect(x - w / 2, y - h / 2, w, h);
  }
}
