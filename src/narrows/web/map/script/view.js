/* What is shown now, and where a point is on the screen.

   view.k is how much closer we are than the whole map; (view.x, view.y) is the point in the middle. */
import { data, group, nClasses, planes } from './data.js';

export const root = document.documentElement;
export const stage = document.getElementById('stage'), canvas = document.getElementById('canvas');
export const pen = canvas.getContext('2d');

export const view = { k: 1, x: 0.5, y: 0.5 };
export const screen = { width: 0, height: 0, pixels: 1, side: 1 };
// guest: the place of a code that is no row's, such as that of a drawn picture.
export const now = { plane: planes[0], hovered: -1, moving: false, guest: null };
export const wanted = { density: true, pictures: true, names: true, doubtful: false, fog: true };
export const shown = new Array(nClasses + 2).fill(true);
const CLOSEST = 400;

export function isShown(i) { return shown[group[i]]; }
export function toX(x) { return screen.width / 2 + (x - view.x) * screen.side * view.k; }
export function toY(y) { return screen.height / 2 - (y - view.y) * data.aspect * screen.side * view.k; }
export function fromX(px) { return view.x + (px - screen.width / 2) / (screen.side * view.k); }
export function fromY(py) { return view.y - (py - screen.height / 2) / (screen.side * view.k * data.aspect); }
export function isNear(x, y) { return x >= -10 && y >= -10 && x <= screen.width + 10 && y <= screen.height + 10; }

export function move(dx, dy) {
  view.x = Math.min(1, Math.max(0, view.x + dx));
  view.y = Math.min(1, Math.max(0, view.y + dy));
}
// The point under (px, py) stays where it is.
export function zoom(factor, px, py) {
  const x = fromX(px), y = fromY(py);
  view.k = Math.min(CLOSEST, Math.max(0.8, view.k * factor));
  move(x - fromX(px), y - fromY(py));
}

// Texts of the script: in the page's language for the canvas, in both languages for elements.
export function say(key, number) {
  return data.words[root.dataset.lang === 'zh' ? 'zh' : 'en'][key].replace('{n}', number);
}
export function both(key, number) {
  const out = document.createDocumentFragment();
  [['en', 'en'], ['zh-CN', 'zh']].forEach(function ([lang, language]) {
    const span = document.createElement('span');
    span.lang = lang;
    span.textContent = data.words[language][key].replace('{n}', number);
    out.append(span);
  });
  return out;
}
