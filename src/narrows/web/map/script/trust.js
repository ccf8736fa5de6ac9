/* Trust: a cross on each doubtful row, and a line in the box beside a point. */
import { colours } from './colours.js';
import { data, n, trust } from './data.js';
import { radius } from './points.js';
import { both, isNear, isShown, now, pen, toX, toY, wanted } from './view.js';

export function paintDoubtful() {
  if (!trust || !wanted.doubtful) return;
  const r = Math.max(3.5, 1.5 * radius());
  pen.beginPath();
  for (let i = 0; i < n; i++) {
    if (trust[i] >= data.doubtful || !isShown(i)) continue;
    const x = toX(now.plane.x[i]), y = toY(now.plane.y[i]);
    if (!isNear(x, y)) continue;
    pen.moveTo(x - r, y - r); pen.lineTo(x + r, y + r);
    pen.moveTo(x - r, y + r); pen.lineTo(x + r, y - r);
  }
  [[colours.paper, 3.5], [colours.ink, 1.3]].forEach(function ([colour, line]) {
    pen.strokeStyle = colour;
    pen.lineWidth = line;
    pen.stroke();
  });
}
export function trustLine(i) { return trustWords(trust[i]); }
export function trustWords(share) {
  const line = document.createElement('span');
  line.className = 'trust';
  line.append(both('trust', share < 0.005 ? '< 0.01' : share.toFixed(2)));
  return line;
}
