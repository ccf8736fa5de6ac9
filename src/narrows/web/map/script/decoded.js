/* What the code that is looked at decodes to, as a picture or as values; and a slider for each number. */
import { draw } from './draw.js';
import { decoded, model, paintRow, placeOf } from './model.js';
import { now } from './view.js';

const panel = document.getElementById('decoded-picture') || document.getElementById('decoded-values');
const sliders = [...document.querySelectorAll('[data-number]')];
const FEW = 6;  // values in the box beside the pointer

function shortNumber(value) { return Number(value.toPrecision(4)).toLocaleString('en', { maximumSignificantDigits: 4 }); }
function valueLines(row, most) {
  return model.names.slice(0, most).flatMap(function (name, column) {
    const term = document.createElement('dt'), value = document.createElement('dd');
    term.textContent = name;
    value.textContent = shortNumber(row[column]);
    return [term, value];
  });
}
export function showDecoded() {
  const row = decoded();
  if (model.picture) paintRow(panel, row); else panel.replaceChildren(...valueLines(row, model.names.length));
  sliders.forEach(function (slider) {
    const at = Number(slider.dataset.number);
    slider.value = model.code[at];
    slider.nextElementSibling.textContent = shortNumber(model.code[at]);
  });
  return row;
}
// The same for the box beside the pointer.
export function copyOf(row) {
  if (!model.picture) {
    const list = document.createElement('dl');
    list.append(...valueLines(row, FEW));
    return list;
  }
  const out = document.createElement('canvas'), times = 84 / Math.max(model.picture[0], model.picture[1]);
  out.width = model.picture[1];
  out.height = model.picture[0];
  out.style.width = model.picture[1] * times + 'px';
  paintRow(out, row);
  return out;
}
sliders.forEach(function (slider) {
  slider.addEventListener('input', function () {
    model.code[Number(slider.dataset.number)] = Number(slider.value);
    showDecoded();
    now.guest = placeOf(model.code);
    draw();
  });
});
if (model) showDecoded();
