/* The model in the page: a code that is looked at, what it decodes to, and the code of a picture. */
import { data } from './data.js';
import { run, unpackedNetwork } from './network.js';
import { now } from './view.js';

export const model = opened(data.model);

function opened(held) {
  if (!held) return null;
  const encoder = held.encoder ? unpackedNetwork(held.encoder) : null;
  const code = Float32Array.from(held.start), raw = held.fog ? atob(held.fog.values) : '';
  // Trust is packed as the root of its part of 255.
  const values = Float32Array.from(raw, (byte) => (byte.charCodeAt(0) / 255) ** 2), fog = held.fog ? { ...held.fog, values } : null;
  return { ...held, decoder: unpackedNetwork(held.decoder), encoder, code, fog };
}
// Which numbers of the code the sides of the plane are; of a strip there is one.
function axes() { return now.plane.names.filter(Boolean).map((name) => Number(name.slice(1))); }

// A place of the plane becomes a part of the code that is looked at; its other numbers stay.
export function lookAt(x, y) {
  axes().forEach(function (axis, side) {
    model.code[axis] = model.middle[axis] + (2 * [x, y][side] - 1) * model.reach;
  });
}
export function placeOf(code) {
  const found = axes().map((axis) => ((code[axis] - model.middle[axis]) / model.reach + 1) / 2);
  return found.length === 2 ? found : [found[0], 0.5];
}
export function decoded() {
  return run(model.decoder, { shape: [1, model.code.length], values: model.code }).values;
}
export function encoded(row) {
  return run(model.encoder, { shape: [1, ...model.row_shape], values: row }).values;
}
// Draw a row on a canvas that has a pixel for each of its own.
export function paintRow(canvas, row) {
  const [high, wide, channels] = model.picture, brush = canvas.getContext('2d'), image = brush.createImageData(wide, high);
  const grey = (value) => (255 * (value - model.low)) / (model.high - model.low);
  for (let pixel = 0; pixel < high * wide; pixel++) {
    for (let c = 0; c < 3; c++) image.data[4 * pixel + c] = grey(row[pixel * channels + (channels < 3 ? 0 : c)]);
    image.data[4 * pixel + 3] = channels === 4 ? grey(row[4 * pixel + 3]) : 255;
  }
  brush.putImageData(image, 0, 0);
}
// How far to trust what stands at a place, as Autoencoder.trust does; null where it was not measured.
export function trustAt(x, y) {
  if (!model.fog) return null;
  const { side, from, to, values } = model.fog, share = (place) => (place - from) / (to - from);
  const column = Math.floor(share(x) * side), row = Math.floor(share(y) * side);
  const inside = column >= 0 && row >= 0 && column < side && row < side;
  return inside ? values[row * side + column] : 0;
}
