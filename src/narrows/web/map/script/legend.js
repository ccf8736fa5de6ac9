/* The buttons on the map and beside it: zoom, switches, classes, planes. */
import { planes } from './data.js';
import { measure } from './density.js';
import { draw } from './draw.js';
import { moved, whole, zoomMiddle } from './hands.js';
import { hide } from './pick.js';
import { now, shown, wanted } from './view.js';

function onClick(id, act) {
  const button = document.getElementById(id);
  if (button) button.addEventListener('click', function () { act(button); });
}
onClick('closer', function () { zoomMiddle(1.6); moved(); });
onClick('farther', function () { zoomMiddle(1 / 1.6); moved(); });
onClick('whole', whole);
Object.keys(wanted).forEach(function (name) {
  onClick('show-' + name, function (button) {
    wanted[name] = !wanted[name];
    button.setAttribute('aria-pressed', String(wanted[name]));
    draw();
  });
});

const entries = [...document.querySelectorAll('[data-class]')];
function showClasses() {
  entries.forEach((entry) => entry.setAttribute('aria-pressed', String(shown[entry.dataset.class])));
  measure();
  hide();
  draw();
}
entries.forEach(function (entry) {
  const own = Number(entry.dataset.class);
  entry.addEventListener('click', function () { shown[own] = !shown[own]; showClasses(); });
  entry.addEventListener('dblclick', function () { shown.fill(false); shown[own] = true; showClasses(); });
});
onClick('all', function () { shown.fill(true); showClasses(); });
onClick('none', function () { shown.fill(false); showClasses(); });

const sides = [...document.querySelectorAll('[data-plane]')];
sides.forEach(function (button) {
  button.addEventListener('click', function () {
    now.plane = planes[Number(button.dataset.plane)];
    sides.forEach((other) => other.setAttribute('aria-pressed', String(other === button)));
    measure();
    whole();
  });
});
