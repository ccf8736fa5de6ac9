/* Fog: thin slanting lines over places where no data live, and which are not to be trusted. */
import { colours } from './colours.js';
import { data } from './data.js';
import { model } from './model.js';
import { pen, screen, toX, toY, view, wanted } from './view.js';

let mask = null;
function masked() {
  const { side, values } = model.fog, out = document.createElement('canvas');
  out.width = out.height = side;
  const brush = out.getContext('2d'), image = brush.createImageData(side, side);
  for (let i = 0; i < values.length; i++) {
    const at = 4 * ((side - 1 - Math.floor(i / side)) * side + (i % side));
    image.data[at + 3] = 255 * Math.max(0, 1 - values[i] / data.doubtful);
  }
  brush.putImageData(image, 0, 0);
  return out;
}
export function paintFog() {
  if (!model || !model.fog || !wanted.fog) return;
  if (!mask) mask = masked();
  const layer = document.createElement('canvas'), { width, height } = screen, { from, to } = model.fog;
  layer.width = width;
  layer.height = height;
  const brush = layer.getContext('2d'), across = screen.side * view.k * (to - from);
  // All around the measured square there is fog, too.
  const x = toX(from), y = toY(to);
  brush.fillRect(0, 0, width, height);
  brush.clearRect(x, y, across, across);
  brush.drawImage(mask, x, y, across, across);
  brush.globalCompositeOperation = 'source-in';
  brush.strokeStyle = colours.muted;
  brush.lineWidth = 0.7;
  brush.beginPath();
  for (let start = -height; start < width; start += 9) { brush.moveTo(start, height); brush.lineTo(start + height, 0); }
  brush.stroke();
  pen.globalAlpha = 0.5;
  pen.drawImage(layer, 0, 0, width, height);
  pen.globalAlpha = 1;
}
