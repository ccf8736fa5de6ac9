/* The start; and the window, the theme and the language, whenever they change. */
import { readColours } from './colours.js';
import { data, sheet } from './data.js';
import { forgetGround, measure } from './density.js';
import { draw } from './draw.js';
import { hide } from './pick.js';
import { canvas, root, screen, stage } from './view.js';

function fit() {
  screen.pixels = Math.min(3, window.devicePixelRatio || 1);
  screen.width = stage.clientWidth;
  screen.height = stage.clientHeight;
  canvas.width = Math.round(screen.width * screen.pixels);
  canvas.height = Math.round(screen.height * screen.pixels);
  screen.side = Math.min(screen.width, screen.height / data.aspect);
  draw();
}
function recolour() { readColours(); forgetGround(); hide(); draw(); }
new ResizeObserver(fit).observe(stage);
new MutationObserver(recolour).observe(root, { attributes: true, attributeFilter: ['data-theme', 'data-lang'] });
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', recolour);
if (data.sheet) { sheet.onload = draw; sheet.src = data.sheet.png; }
readColours();
measure();
fit();
