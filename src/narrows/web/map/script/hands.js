/* Moving and zooming by mouse, fingers and keys. */
import { data, n } from './data.js';
import { draw } from './draw.js';
import { model } from './model.js';
import { hide, nearest, tell, tellPlace } from './pick.js';
import { MOVING } from './points.js';
import { canvas, move, now, screen, view, zoom } from './view.js';

const REACH = 14;  // pixels from the pointer to a point that answers
let rest = 0;
export function moved() {
  now.moving = n > MOVING;
  clearTimeout(rest);
  if (now.moving) rest = setTimeout(function () { now.moving = false; draw(); }, 150);
  hide();
  draw();
}
export function whole() { view.k = 1; view.x = view.y = 0.5; moved(); }
export function zoomMiddle(factor) { zoom(factor, screen.width / 2, screen.height / 2); }

// Tell the row nearest to a place; where there is none, what the model has there.
function ask(px, py, reach) {
  const i = nearest(px, py, reach);
  if (i < 0 && model) tellPlace(px, py); else tell(i);
}

const fingers = new Map();
let dragged = 0;
function place(event) {
  const box = canvas.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}
canvas.addEventListener('pointerdown', function (event) {
  canvas.setPointerCapture(event.pointerId);
  fingers.set(event.pointerId, place(event));
  dragged = 0;
});
canvas.addEventListener('pointermove', function (event) {
  const here = place(event), before = fingers.get(event.pointerId);
  if (!before) { ask(here[0], here[1], REACH); return; }
  if (fingers.size === 1) {
    const unit = screen.side * view.k;
    dragged += Math.hypot(here[0] - before[0], here[1] - before[1]);
    move((before[0] - here[0]) / unit, (here[1] - before[1]) / (unit * data.aspect));
  } else {
    const other = [...fingers].find(([id]) => id !== event.pointerId)[1];
    const apart = (p) => Math.max(1, Math.hypot(p[0] - other[0], p[1] - other[1]));
    dragged = Infinity;
    zoom(apart(here) / apart(before), (here[0] + other[0]) / 2, (here[1] + other[1]) / 2);
  }
  fingers.set(event.pointerId, here);
  if (dragged > 3) moved();
});
function lift(event) {
  if (!fingers.delete(event.pointerId)) return;
  if (event.type === 'pointerup' && dragged <= 6) ask(...place(event), event.pointerType === 'touch' ? 2 * REACH : REACH);
}
canvas.addEventListener('pointerup', lift);
canvas.addEventListener('pointercancel', lift);
canvas.addEventListener('pointerleave', function (event) {
  if (event.pointerType === 'mouse' && !fingers.size) tell(-1);
});
canvas.addEventListener('wheel', function (event) {
  event.preventDefault();
  const turned = event.deltaY * (event.deltaMode === 1 ? 18 : 1);
  zoom(Math.exp(-Math.max(-240, Math.min(240, turned)) * (event.ctrlKey ? 0.01 : 0.0022)), ...place(event));
  moved();
}, { passive: false });
canvas.addEventListener('dblclick', function (event) {
  event.preventDefault();
  zoom(event.shiftKey ? 0.5 : 2, ...place(event));
  moved();
});

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
canvas.addEventListener('keydown', function (event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const way = ARROWS[event.key];
  if (way) move((0.12 * way[0]) / view.k, (0.12 * way[1]) / view.k / data.aspect);
  else if (event.key === '+' || event.key === '=') zoomMiddle(1.4);
  else if (event.key === '-' || event.key === '_') zoomMiddle(1 / 1.4);
  else if (event.key === '0' || event.key === 'Home') whole();
  else if (event.key === 'Escape') { hide(); draw(); return; }
  else return;
  event.preventDefault();
  moved();
  // Keys have no pointer: the row nearest to the middle is told.
  if (model) ask(screen.width / 2, screen.height / 2, REACH);
  else tell(nearest(screen.width / 2, screen.height / 2, Math.min(screen.width, screen.height) / 6));
});
