/* A pad to draw on, and pictures from files: they are encoded and land on the map. */
import { showDecoded } from './decoded.js';
import { draw } from './draw.js';
import { hide } from './pick.js';
import { encoded, model, placeOf } from './model.js';
import { now, stage } from './view.js';

const pad = document.getElementById('pad');
const brush = pad ? pad.getContext('2d', { willReadFrequently: true }) : null;
const INK = 0.09;  // width of a stroke, as a part of the pad
let isInverted = false, before = null;

function clear() {
  brush.fillStyle = 'black';
  brush.fillRect(0, 0, pad.width, pad.height);
}
// The pad, as large as a row of the data, in the units of the data.
function rowOnPad() {
  const [high, wide, channels] = model.picture, small = document.createElement('canvas');
  small.width = wide;
  small.height = high;
  const own = small.getContext('2d');
  own.imageSmoothingQuality = 'high';
  own.drawImage(pad, 0, 0, wide, high);
  const { data: seen } = own.getImageData(0, 0, wide, high), row = new Float32Array(high * wide * channels);
  for (let at = 0; at < row.length; at++) {
    const pixel = 4 * Math.floor(at / channels);
    const shade = channels < 3 ? (seen[pixel] + seen[pixel + 1] + seen[pixel + 2]) / 3 : seen[pixel + (at % channels)];
    row[at] = model.low + ((model.high - model.low) * (isInverted ? 255 - shade : shade)) / 255;
  }
  return row;
}
function land() {
  model.code.set(encoded(rowOnPad()));
  now.guest = placeOf(model.code);
  hide();
  showDecoded();
  draw();
}
function onPad(event) {
  const box = pad.getBoundingClientRect();
  return [((event.clientX - box.left) / box.width) * pad.width, ((event.clientY - box.top) / box.height) * pad.height];
}
function stroke(from, to) {
  brush.strokeStyle = isInverted ? 'black' : 'white';
  brush.lineWidth = INK * pad.width;
  brush.lineCap = 'round';
  brush.beginPath();
  brush.moveTo(...from);
  brush.lineTo(...to);
  brush.stroke();
}
async function openPicture(file) {
  if (!file) return;
  const picture = await createImageBitmap(file).catch(() => null);
  document.getElementById('pad-refused').hidden = picture !== null;
  if (!picture) return;
  clear();
  const share = Math.min(pad.width / picture.width, pad.height / picture.height);
  const w = picture.width * share, h = picture.height * share;
  brush.drawImage(picture, (pad.width - w) / 2, (pad.height - h) / 2, w, h);
  land();
}
if (pad) {
  clear();
  pad.addEventListener('pointerdown', function (event) {
    pad.setPointerCapture(event.pointerId);
    before = onPad(event);
    stroke(before, before);
  });
  pad.addEventListener('pointermove', function (event) {
    if (!before) return;
    const here = onPad(event);
    stroke(before, here);
    before = here;
    land();
  });
  ['pointerup', 'pointercancel'].forEach((kind) => pad.addEventListener(kind, function () {
    if (before) land();
    before = null;
  }));
  document.getElementById('pad-clear').addEventListener('click', function () {
    clear();
    now.guest = null;
    draw();
  });
  document.getElementById('pad-invert').addEventListener('click', function (event) {
    isInverted = !isInverted;
    event.currentTarget.setAttribute('aria-pressed', String(isInverted));
    land();
  });
  const input = document.getElementById('pad-file');
  document.getElementById('pad-open').addEventListener('click', () => input.click());
  input.addEventListener('change', () => openPicture(input.files[0]));
  [pad, stage].forEach(function (place) {
    place.addEventListener('dragover', (event) => event.preventDefault());
    place.addEventListener('drop', function (event) {
      event.preventDefault();
      openPicture(event.dataTransfer.files[0]);
    });
  });
}
