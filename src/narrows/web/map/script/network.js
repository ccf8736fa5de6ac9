/* A trained network in plain JavaScript: the operations of narrows.model.export.graph, one by one.

   A tensor is { shape, values }: numbers row by row. Values are Float32Array, or Int32Array for places. */

/** @typedef {{ shape: number[], values: Float32Array | Int32Array }} Tensor */
/** @typedef {{ kind: string, name: string, takes: string[], options: any }} Operation */
/** @typedef {{ entered: string, result: string, operations: Operation[], arrays: Record<string, Tensor> }} Network */

/** Read a network as it is packed in a page: arrays in base64, the low byte first.
 *  @param {any} packed @returns {Network} */
export function unpackedNetwork(packed) {
  /** @type {Record<string, Tensor>} */
  const arrays = {};
  for (const [name, array] of Object.entries(packed.arrays)) {
    const raw = atob(array.values), bytes = new DataView(new ArrayBuffer(raw.length));
    for (let i = 0; i < raw.length; i++) bytes.setUint8(i, raw.charCodeAt(i));
    const size = array.type === 'float16' ? 2 : 4;
    const values = array.type === 'int32' ? new Int32Array(raw.length / size) : new Float32Array(raw.length / size);
    for (let i = 0; i < values.length; i++) {
      if (array.type === 'int32') values[i] = bytes.getInt32(4 * i, true);
      else values[i] = size === 4 ? bytes.getFloat32(4 * i, true) : halfOf(bytes.getUint16(2 * i, true));
    }
    arrays[name] = { shape: array.shape, values };
  }
  return { entered: packed.entered, result: packed.result, operations: packed.operations, arrays };
}

/** A number of 16 bits: a sign, 5 bits of exponent, 10 of fraction.
 *  @param {number} bits */
function halfOf(bits) {
  const exponent = (bits >> 10) & 31, fraction = (bits & 1023) / 1024, sign = bits >> 15 ? -1 : 1;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction) : 2 ** -14 * fraction);
}

/** Compute what a network gives for a batch.
 *  @param {Network} network @param {Tensor} batch @returns {Tensor} */
export function run(network, batch) {
  /** @type {Record<string, Tensor>} */
  const known = { ...network.arrays, [network.entered]: batch };
  for (const operation of network.operations) {
    const rule = RULES[operation.kind];
    known[operation.name] = rule(operation.takes.map((name) => known[name]), operation.options);
  }
  return known[network.result];
}

/** @param {number[]} shape */
function sizeOf(shape) { return shape.reduce((product, side) => product * side, 1); }

/** How far apart neighbours along each axis lie.
 *  @param {number[]} shape */
function stridesOf(shape) {
  const strides = new Array(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1] * shape[axis + 1];
  return strides;
}

/** @param {number} size @param {boolean} [whole] */
function zeros(size, whole) { return whole ? new Int32Array(size) : new Float32Array(size); }

/** Sides before an axis, along it and after it.
 *  @param {number[]} shape @param {number} axis */
function around(shape, axis) {
  return [sizeOf(shape.slice(0, axis)), shape[axis], sizeOf(shape.slice(axis + 1))];
}

/** @typedef {(takes: Tensor[], options: any) => Tensor} Rule */

/** @param {(x: number) => number} f @returns {Rule} */
function each(f) {
  return ([x]) => ({ shape: x.shape, values: x.values.map(f) });
}

/** A function of two values, of which one may be repeated along axes.
 *  @param {(x: number, y: number) => number} f @param {boolean} [whole] @returns {Rule} */
function broadcast(f, whole) {
  return function ([a, b]) {
    const axes = Math.max(a.shape.length, b.shape.length);
    const widened = [a, b].map((x) => [...new Array(axes - x.shape.length).fill(1), ...x.shape]);
    const shape = widened[0].map((side, axis) => (side === 1 ? widened[1][axis] : side));
    const steps = widened.map((own) => stridesOf(own).map((step, axis) => (own[axis] === 1 ? 0 : step)));
    const isWhole = whole || (a.values instanceof Int32Array && b.values instanceof Int32Array);
    const values = zeros(sizeOf(shape), isWhole), at = new Array(axes).fill(0);
    let i = 0, j = 0;
    for (let k = 0; k < values.length; k++) {
      values[k] = f(a.values[i], b.values[j]);
      for (let axis = axes - 1; axis >= 0; axis--) {
        i += steps[0][axis]; j += steps[1][axis];
        if (++at[axis] < shape[axis]) break;
        i -= steps[0][axis] * shape[axis]; j -= steps[1][axis] * shape[axis];
        at[axis] = 0;
      }
    }
    return { shape, values };
  };
}

/** @param {Tensor[]} takes @returns {Tensor} */
function linear([x, weight, bias]) {
  const [outputs, inputs] = weight.shape, rows = x.values.length / inputs, w = weight.values, v = x.values;
  const values = new Float32Array(rows * outputs);
  for (let row = 0; row < rows; row++) for (let out = 0; out < outputs; out++) {
    let sum = 0;
    for (let i = 0, a = row * inputs, b = out * inputs; i < inputs; i++) sum += v[a + i] * w[b + i];
    values[row * outputs + out] = bias ? sum + bias.values[out] : sum;
  }
  return { shape: [...x.shape.slice(0, -1), outputs], values };
}

/** @param {Tensor[]} takes @param {any} options @returns {Tensor} */
function convolution([x, weight, bias], { stride, padding, groups }) {
  const [n, channels, high, wide] = x.shape, [outputs, share, tall, broad] = weight.shape;
  const rows = Math.floor((high + 2 * padding[0] - tall) / stride[0]) + 1;
  const columns = Math.floor((wide + 2 * padding[1] - broad) / stride[1]) + 1;
  const values = new Float32Array(n * outputs * rows * columns), perGroup = outputs / groups;
  let at = 0;
  for (let b = 0; b < n; b++) for (let out = 0; out < outputs; out++) {
    const first = Math.floor(out / perGroup) * share;
    for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) {
      let sum = 0;
      for (let s = 0; s < share; s++) for (let dr = 0; dr < tall; dr++) {
        const y = r * stride[0] + dr - padding[0];
        if (y < 0 || y >= high) continue;
        const line = ((b * channels + first + s) * high + y) * wide, own = ((out * share + s) * tall + dr) * broad;
        for (let dc = 0; dc < broad; dc++) {
          const place = c * stride[1] + dc - padding[1];
          if (place >= 0 && place < wide) sum += x.values[line + place] * weight.values[own + dc];
        }
      }
      values[at++] = bias ? sum + bias.values[out] : sum;
    }
  }
  return { shape: [n, outputs, rows, columns], values };
}

/** Fold an axis: what a cell gives is begun, taken on, and ended with the length of the axis.
 *  @param {number} start @param {(sum: number, x: number) => number} take
 *  @param {(sum: number, length: number) => number} end @returns {Rule} */
function folded(start, take, end) {
  return function ([x], { axis, keep }) {
    const [outer, length, inner] = around(x.shape, axis), whole = x.values instanceof Int32Array;
    const values = zeros(outer * inner, whole);
    for (let o = 0; o < outer; o++) for (let i = 0; i < inner; i++) {
      let sum = start;
      for (let l = 0; l < length; l++) sum = take(sum, x.values[(o * length + l) * inner + i]);
      values[o * inner + i] = end(sum, length);
    }
    const shape = [...x.shape.slice(0, axis), ...(keep ? [1] : []), ...x.shape.slice(axis + 1)];
    return { shape, values };
  };
}

/** @param {Tensor[]} takes @param {any} options @returns {Tensor} */
function reshape([x], { shape }) {
  const known = sizeOf(shape.filter((/** @type {number} */ side) => side >= 0));
  return { shape: shape.map((/** @type {number} */ side) => (side < 0 ? x.values.length / known : side)), values: x.values };
}

/** @param {Tensor[]} takes @param {any} options @returns {Tensor} */
function transpose([x], { axes }) {
  const from = stridesOf(x.shape), shape = axes.map((/** @type {number} */ axis) => x.shape[axis]);
  const steps = axes.map((/** @type {number} */ axis) => from[axis]);
  const values = zeros(x.values.length, x.values instanceof Int32Array), at = new Array(shape.length).fill(0);
  let i = 0;
  for (let k = 0; k < values.length; k++) {
    values[k] = x.values[i];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      i += steps[axis];
      if (++at[axis] < shape[axis]) break;
      i -= steps[axis] * shape[axis];
      at[axis] = 0;
    }
  }
  return { shape, values };
}

/** @param {Tensor[]} takes @param {any} options @returns {Tensor} */
function padded([x], { before, after }) {
  let found = x;
  before.forEach(function (/** @type {number} */ first, /** @type {number} */ axis) {
    if (!first && !after[axis]) return;
    const [outer, length, inner] = around(found.shape, axis), longer = first + length + after[axis];
    const values = zeros(outer * longer * inner, found.values instanceof Int32Array);
    for (let o = 0; o < outer; o++) {
      values.set(found.values.subarray(o * length * inner, (o + 1) * length * inner), (o * longer + first) * inner);
    }
    found = { shape: found.shape.map((side, other) => (other === axis ? longer : side)), values };
  });
  return found;
}

/** @param {Tensor[]} takes @param {any} options @returns {Tensor} */
function slice([x], { axis, start, stop }) {
  const [outer, length, inner] = around(x.shape, axis), kept = (stop - start) * inner;
  const values = zeros(outer * kept, x.values instanceof Int32Array);
  for (let o = 0; o < outer; o++) {
    const first = (o * length + start) * inner;
    values.set(x.values.subarray(first, first + kept), o * kept);
  }
  return { shape: x.shape.map((side, other) => (other === axis ? stop - start : side)), values };
}

/** @param {Tensor[]} parts @param {any} options @returns {Tensor} */
function concatenate(parts, { axis }) {
  const [outer, , inner] = around(parts[0].shape, axis);
  const whole = parts.reduce((sum, part) => sum + part.shape[axis], 0);
  const values = zeros(outer * whole * inner, parts.every((part) => part.values instanceof Int32Array));
  let first = 0;
  for (const part of parts) {
    const width = part.shape[axis] * inner;
    for (let o = 0; o < outer; o++) values.set(part.values.subarray(o * width, (o + 1) * width), o * whole * inner + first);
    first += width;
  }
  return { shape: parts[0].shape.map((side, other) => (other === axis ? whole : side)), values };
}

/** @param {Tensor[]} takes @param {any} options @returns {Tensor} */
function argmin([x], { axis }) {
  const [outer, length, inner] = around(x.shape, axis), values = new Int32Array(outer * inner);
  for (let o = 0; o < outer; o++) for (let i = 0; i < inner; i++) {
    let best = 0;
    const at = (/** @type {number} */ l) => x.values[(o * length + l) * inner + i];
    for (let l = 1; l < length; l++) if (at(l) < at(best)) best = l;
    values[o * inner + i] = best;
  }
  return { shape: x.shape.filter((_, other) => other !== axis), values };
}

/** Places of the largest values along the last axis, the largest first.
 *  @param {Tensor[]} takes @param {any} options @returns {Tensor} */
function largest([x], { count }) {
  const length = x.shape[x.shape.length - 1], rows = x.values.length / length, values = new Int32Array(rows * count);
  for (let row = 0; row < rows; row++) {
    const own = x.values.subarray(row * length, (row + 1) * length);
    const places = Array.from(own, (_, place) => place).sort((a, b) => own[b] - own[a] || a - b);
    values.set(places.slice(0, count), row * count);
  }
  return { shape: [...x.shape.slice(0, -1), count], values };
}

/** @param {Tensor[]} takes @returns {Tensor} */
function gather([x, places]) {
  const length = x.shape[x.shape.length - 1], count = places.shape[places.shape.length - 1];
  const values = zeros(places.values.length, x.values instanceof Int32Array);
  for (let k = 0; k < values.length; k++) values[k] = x.values[Math.floor(k / count) * length + places.values[k]];
  return { shape: places.shape, values };
}

/** @param {Tensor[]} takes @param {any} options @returns {Tensor} */
function scatter([places, own], { size }) {
  const [rows, count] = places.shape, values = new Float32Array(rows * size);
  for (let k = 0; k < places.values.length; k++) values[Math.floor(k / count) * size + places.values[k]] = own.values[k];
  return { shape: [rows, size], values };
}

/** @param {Tensor[]} takes @returns {Tensor} */
function lookUp([table, places]) {
  const inner = sizeOf(table.shape.slice(1)), values = zeros(places.values.length * inner, table.values instanceof Int32Array);
  places.values.forEach(function (/** @type {number} */ place, /** @type {number} */ k) {
    values.set(table.values.subarray(place * inner, (place + 1) * inner), k * inner);
  });
  return { shape: [...places.shape, ...table.shape.slice(1)], values };
}

/** @param {Tensor[]} takes @param {any} options @returns {Tensor} */
function clip([x], { low, high }) {
  const least = low === null ? -Infinity : low, most = high === null ? Infinity : high;
  return { shape: x.shape, values: x.values.map((value) => Math.min(Math.max(value, least), most)) };
}

/** @param {Tensor[]} takes @param {any} options @returns {Tensor} */
function cast([x], { to }) {
  return { shape: x.shape, values: to === 'integer' ? Int32Array.from(x.values) : Float32Array.from(x.values) };
}

/** The error function within 1.5e-7: Abramowitz and Stegun, "Handbook of Mathematical Functions", 7.1.26.
 *  @param {number} x */
function erf(x) {
  const z = Math.abs(x), t = 1 / (1 + 0.3275911 * z);
  const power = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  const found = 1 - power * Math.exp(-z * z);
  return x >= 0 ? found : -found;
}

/** @param {number} x */
function sigmoid(x) { return 1 / (1 + Math.exp(-x)); }

/** @param {Tensor[]} takes @param {any} options @returns {Tensor} */
function gelu([x], { approximate }) {
  const exact = (/** @type {number} */ v) => 0.5 * v * (1 + erf(v * Math.SQRT1_2));
  const rough = (/** @type {number} */ v) => 0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3)));
  return { shape: x.shape, values: x.values.map(approximate ? rough : exact) };
}

/** @type {Record<string, Rule>} */
const RULES = {
  linear,
  convolution,
  add: broadcast((x, y) => x + y),
  subtract: broadcast((x, y) => x - y),
  multiply: broadcast((x, y) => x * y),
  divide: broadcast((x, y) => x / y),
  less: broadcast((x, y) => (x < y ? 1 : 0), true),
  not_equal: broadcast((x, y) => (x !== y ? 1 : 0), true),
  gelu,
  relu: each((x) => Math.max(x, 0)),
  silu: each((x) => x * sigmoid(x)),
  tanh: each(Math.tanh),
  sigmoid: each(sigmoid),
  absolute: each(Math.abs),
  square: each((x) => x * x),
  sqrt: each(Math.sqrt),
  mean: folded(0, (sum, x) => sum + x, (sum, length) => sum / length),
  maximum_of: folded(-Infinity, Math.max, (most) => most),
  clip,
  reshape,
  transpose,
  pad: padded,
  slice,
  concatenate,
  argmin,
  largest,
  gather,
  scatter,
  look_up: lookUp,
  cast,
};
