/* How dense the shown points lie: a grey ground, and lines around the densest shares of them. */
import { data, n } from './data.js';
import { colours } from './colours.js';
import { isShown, now, pen, screen, toX, toY, view, wanted } from './view.js';

// The grid reaches a little beyond the square, where density fades.
const GRID = 320, AROUND = 0.15, CELLS = GRID / (1 + 2 * AROUND), SHARES = [0.95, 0.8, 0.6, 0.4, 0.2];
let density = null;

export function measure() {
  const plane = now.plane, counts = new Float32Array(GRID * GRID);
  let count = 0, mean = [0, 0], square = [0, 0];
  for (let i = 0; i < n; i++) {
    if (!isShown(i)) continue;
    counts[cell(i)]++; count++;
    mean[0] += plane.x[i]; mean[1] += plane.y[i];
    square[0] += plane.x[i] ** 2; square[1] += plane.y[i] ** 2;
  }
  density = null;
  if (!count) return;
  const spread = Math.sqrt(Math.max(0, square[0] / count - (mean[0] / count) ** 2, square[1] / count - (mean[1] / count) ** 2));
  const deviation = Math.max(1.2, 0.3 * spread * CELLS * count ** (-1 / 6));
  const heights = blurred(counts, Math.max(1, Math.round(Math.sqrt(deviation ** 2 + 0.25) - 0.5)));
  const own = new Float32Array(count);
  for (let i = 0, at = 0; i < n; i++) if (isShown(i)) own[at++] = heights[cell(i)];
  own.sort();
  const levels = SHARES.map((share) => own[Math.floor((1 - share) * (count - 1))]);
  density = { heights, levels: levels.filter((level, i) => level > 0 && level !== levels[i - 1]), ground: null, lines: null };
  if (!plane.heights) {  // of all rows, since all are shown at first
    const top = own[count - 1];
    plane.heights = Float32Array.from({ length: n }, (_, i) => heights[cell(i)] / top);
  }
}
export function forgetGround() { if (density) density.ground = null; }
function isDrawn() { return wanted.density && !data.strip && density && density.levels.length > 1; }

export function paintGround() {
  if (!isDrawn()) return;
  if (!density.ground) density.ground = ground();
  const across = screen.side * view.k * (1 + 2 * AROUND);
  pen.drawImage(density.ground, toX(-AROUND), toY(1 + AROUND), across, across * data.aspect);
}
export function paintLines() {
  if (!isDrawn()) return;
  if (!density.lines) density.lines = lines();
  const across = screen.side * view.k, down = across * data.aspect;
  pen.save();
  pen.translate(toX(0), toY(1) + down);
  pen.scale(across, -down);
  pen.lineWidth = 0.9 / across;
  pen.globalAlpha = 0.45;
  pen.strokeStyle = colours.ink;
  pen.stroke(density.lines);
  pen.restore();
}

function cell(i) {
  return Math.floor((now.plane.y[i] + AROUND) * CELLS) * GRID + Math.floor((now.plane.x[i] + AROUND) * CELLS);
}
function blurred(grid, radius) {
  // Three passes of a moving mean in each direction are nearly a normal distribution.
  let from = grid, to = new Float32Array(grid.length);
  for (let pass = 0; pass < 6; pass++) {
    const across = pass % 2 === 0, step = across ? 1 : GRID, line = across ? GRID : 1;
    for (let l = 0; l < GRID; l++) {
      let sum = 0;
      for (let c = -radius; c < GRID; c++) {
        if (c + radius < GRID) sum += from[l * line + (c + radius) * step];
        if (c - radius - 1 >= 0) sum -= from[l * line + (c - radius - 1) * step];
        if (c >= 0) to[l * line + c * step] = sum / (2 * radius + 1);
      }
    }
    const swap = from; from = to; to = swap;
  }
  return from;
}
function ground() {
  const out = document.createElement('canvas');
  out.width = out.height = GRID;
  const brush = out.getContext('2d'), image = brush.createImageData(GRID, GRID);
  brush.fillStyle = colours.muted;
  brush.fillRect(0, 0, 1, 1);
  const rgb = brush.getImageData(0, 0, 1, 1).data, { heights, levels } = density;
  for (let i = 0; i < heights.length; i++) {
    let step = 0;
    while (step < levels.length && heights[i] >= levels[step]) step++;
    const at = 4 * ((GRID - 1 - Math.floor(i / GRID)) * GRID + (i % GRID));
    for (let c = 0; c < 3; c++) image.data[at + c] = rgb[c];
    image.data[at + 3] = (255 * (colours.dark ? 0.42 : 0.34) * step) / SHARES.length;
  }
  brush.putImageData(image, 0, 0);
  return out;
}
// Marching squares: which sides of a square a line joins, by which of its corners are high.
// Where two lines cross a square, either way of joining them will do.
const EDGES = [[], [3, 0], [0, 1], [3, 1], [1, 2], [3, 0, 1, 2], [0, 2], [3, 2], [2, 3], [2, 0], [0, 1, 2, 3], [2, 1], [1, 3], [1, 0], [0, 3], []];
function lines() {
  const path = new Path2D(), { heights, levels } = density;
  levels.forEach(function (level) {
    for (let r = 0; r < GRID - 1; r++) for (let c = 0; c < GRID - 1; c++) {
      const at = r * GRID + c;
      const v = [heights[at], heights[at + 1], heights[at + GRID + 1], heights[at + GRID]];
      const sides = EDGES[(v[0] >= level) + 2 * (v[1] >= level) + 4 * (v[2] >= level) + 8 * (v[3] >= level)];
      for (let e = 0; e < sides.length; e++) {
        const s = sides[e], share = (level - v[s]) / (v[(s + 1) % 4] - v[s]);
        const x = (c + 0.5 + [share, 1, 1 - share, 0][s]) / CELLS - AROUND;
        const y = (r + 0.5 + [0, share, 1, 1 - share][s]) / CELLS - AROUND;
        if (e % 2) path.lineTo(x, y); else path.moveTo(x, y);
      }
    }
  });
  return path;
}
