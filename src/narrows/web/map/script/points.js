/* The points: a stamp for each colour and shape, or squares where points are tiny. */
import { colourNumber, colourOf } from './colours.js';
import { data, kind, n, nClasses, order } from './data.js';
import { isNear, isShown, now, pen, screen, toX, toY, view } from './view.js';

export const MOVING = 60000;  // points drawn while the map moves

export function radius() {
  const usual = Math.sqrt((0.2 * screen.side * screen.side * data.aspect) / n / Math.PI);
  return Math.min(9, Math.min(3.2, Math.max(0.65, usual)) * Math.max(1, view.k) ** 0.45);
}
export function paintPoints() {
  const r = radius(), stamps = [], isTiny = r * screen.pixels < 1.2;
  const many = now.moving ? Math.min(n, MOVING) : n;
  pen.globalAlpha = Math.min(0.88, Math.max(0.4, 1.25 - 0.17 * Math.log10(Math.max(1, n / view.k ** 1.5))));
  let last = -1;
  for (let at = 0; at < many; at++) {
    const i = order[at];
    if (!isShown(i)) continue;
    const x = toX(now.plane.x[i]), y = toY(now.plane.y[i]);
    if (!isNear(x, y)) continue;
    const number = colourNumber(i);
    if (isTiny) {
      if (number !== last) { pen.fillStyle = colourOf(number); last = number; }
      pen.fillRect(x - r, y - r, 2 * r, 2 * r);
    } else {
      const mark = stamps[number] || (stamps[number] = stamp(number, r));
      const size = mark.width / screen.pixels;
      pen.drawImage(mark, x - size / 2, y - size / 2, size, size);
    }
  }
  pen.globalAlpha = 1;
}
// Corners of the shapes after the circle, as Matplotlib's "s", "^", "D", "v" and "P".
const CORNERS = [
  null,
  [[-1, -1], [1, -1], [1, 1], [-1, 1]],
  [[0, -1.2], [1.1, 0.9], [-1.1, 0.9]],
  [[0, -1.3], [1.3, 0], [0, 1.3], [-1.3, 0]],
  [[0, 1.2], [1.1, -0.9], [-1.1, -0.9]],
  [[-0.4, -1.2], [0.4, -1.2], [0.4, -0.4], [1.2, -0.4], [1.2, 0.4], [0.4, 0.4], [0.4, 1.2], [-0.4, 1.2], [-0.4, 0.4], [-1.2, 0.4], [-1.2, -0.4], [-0.4, -0.4]],
];
function stamp(number, r) {
  const half = Math.ceil(1.4 * r * screen.pixels) + 1, out = document.createElement('canvas');
  out.width = out.height = 2 * half;
  const brush = out.getContext('2d');
  brush.translate(half, half);
  brush.scale(r * screen.pixels, r * screen.pixels);
  brush.fillStyle = colourOf(number);
  brush.beginPath();
  const corners = kind === 'classes' && number < nClasses ? CORNERS[data.shapes[number]] : null;
  if (corners) { corners.forEach((p) => brush.lineTo(0.9 * p[0], 0.9 * p[1])); brush.closePath(); }
  else brush.arc(0, 0, 1, 0, 2 * Math.PI);
  brush.fill();
  return out;
}
