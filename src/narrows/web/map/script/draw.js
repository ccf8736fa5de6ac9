/* One canvas, drawn anew whenever something changes. */
import { colours } from './colours.js';
import { paintGround, paintLines } from './density.js';
import { paintFog } from './fog.js';
import { paintNames, paintPictures } from './labels.js';
import { paintPoints, radius } from './points.js';
import { paintDoubtful } from './trust.js';
import { now, pen, say, screen, toX, toY, view } from './view.js';

let isWaiting = false;
export function draw() {
  if (isWaiting) return;
  isWaiting = true;
  requestAnimationFrame(function () { isWaiting = false; paint(); });
}
function paint() {
  const { width, height, pixels } = screen;
  pen.setTransform(pixels, 0, 0, pixels, 0, 0);
  pen.fillStyle = colours.paper;
  pen.fillRect(0, 0, width, height);
  paintGround();
  paintFog();
  paintPoints();
  if (!now.moving) paintLines();
  paintDoubtful();
  // The bar below, and the buttons, stay free.
  const taken = [[0, height - 30, 260, height], [width - 132, height - 52, width, height]];
  paintNames(taken);
  paintPictures(taken);
  paintScale();
  paintHovered();
  paintGuest();
}
function paintScale() {
  const unit = (screen.side * view.k) / (2 * now.plane.reach), most = Math.min(140, screen.width / 7) / unit;
  const power = 10 ** Math.floor(Math.log10(most));
  const length = power * ([5, 2, 1].find((step) => step * power <= most) || 1), x = 14, y = screen.height - 14;
  const number = Number(length.toPrecision(1)).toLocaleString('en', { maximumSignificantDigits: 1 });
  const text = say(length === 1 ? 'unit' : 'units', number);
  pen.font = '12px ' + colours.font;
  pen.textAlign = 'left';
  pen.textBaseline = 'middle';
  pen.lineJoin = 'round';
  [[colours.paper, 5], [colours.muted, 1.4]].forEach(function ([colour, line]) {
    pen.strokeStyle = colour;
    pen.lineWidth = line;
    pen.beginPath();
    pen.moveTo(x, y - 4); pen.lineTo(x, y + 4); pen.moveTo(x, y); pen.lineTo(x + length * unit, y);
    pen.moveTo(x + length * unit, y - 4); pen.lineTo(x + length * unit, y + 4);
    pen.stroke();
  });
  pen.strokeStyle = colours.paper;
  pen.lineWidth = 4;
  pen.strokeText(text, x + length * unit + 8, y);
  pen.fillStyle = colours.muted;
  pen.fillText(text, x + length * unit + 8, y);
}
function paintGuest() {
  if (!now.guest) return;
  const x = toX(now.guest[0]), y = toY(now.guest[1]), r = 9;
  pen.beginPath();
  pen.arc(x, y, r, 0, 2 * Math.PI);
  pen.moveTo(x - 2 * r, y); pen.lineTo(x - r / 2, y); pen.moveTo(x + r / 2, y); pen.lineTo(x + 2 * r, y);
  pen.moveTo(x, y - 2 * r); pen.lineTo(x, y - r / 2); pen.moveTo(x, y + r / 2); pen.lineTo(x, y + 2 * r);
  [[colours.paper, 5], [colours.accent, 2.2]].forEach(function ([colour, line]) {
    pen.strokeStyle = colour;
    pen.lineWidth = line;
    pen.stroke();
  });
}
function paintHovered() {
  const i = now.hovered;
  if (i < 0) return;
  pen.beginPath();
  pen.arc(toX(now.plane.x[i]), toY(now.plane.y[i]), Math.max(5, radius() + 3), 0, 2 * Math.PI);
  pen.strokeStyle = colours.paper;
  pen.lineWidth = 5;
  pen.stroke();
  pen.strokeStyle = colours.ink;
  pen.lineWidth = 2;
  pen.stroke();
}
