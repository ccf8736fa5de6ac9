/* What came with the page: points, labels, pictures, trust, texts. */
export const data = JSON.parse(document.getElementById('map-data').textContent);
export const n = data.n, kind = data.kind, nClasses = data.names.length;

// Two bytes a number, the low one first, whatever the machine's own order.
function unpacked(text) {
  const raw = atob(text), out = new Uint16Array(raw.length / 2);
  for (let i = 0; i < out.length; i++) out[i] = raw.charCodeAt(2 * i) | (raw.charCodeAt(2 * i + 1) << 8);
  return out;
}

// A point is (x, y) with 0 ≤ x, y ≤ 1 in the square that the picture shows as well, y up.
export const planes = data.planes.map(function (plane) {
  const both = unpacked(plane.points), x = new Float32Array(n), y = new Float32Array(n);
  for (let i = 0; i < n; i++) { x[i] = both[2 * i] / 65535; y[i] = both[2 * i + 1] / 65535; }
  return { x, y, names: plane.names, reach: plane.reach, spots: plane.spots, heights: null };
});
export const group = kind === 'nothing' ? new Uint16Array(n) : unpacked(data.position);
export const value = kind === 'numbers' ? unpacked(data.values) : null;
export const trust = data.trust ? Float32Array.from(unpacked(data.trust), (whole) => whole / 65535) : null;
export const textOf = data.texts ? unpacked(data.text_of) : null;

// Rows in a mixed order, so that no class hides another, and any part of them stands for all.
function mixed() {
  let step = Math.max(1, Math.round(n * 0.618));
  const divisor = (a, b) => (b ? divisor(b, a % b) : a);
  while (divisor(step, n) !== 1) step++;
  const out = new Uint32Array(n);
  for (let i = 0, at = 0; i < n; i++, at = (at + step) % n) out[i] = at;
  return out;
}
export const order = mixed();

// All pictures stand on one sheet; tileOf gives the place of a row's picture, if it has one.
export const sheet = new Image();
export const tileOf = new Map();
if (data.sheet) data.sheet.rows.forEach((row, tile) => tileOf.set(row, tile));
