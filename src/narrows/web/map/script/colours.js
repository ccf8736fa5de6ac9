/* The colours of the page's theme, and of each point. */
import { data, group, kind, value } from './data.js';
import { now, root } from './view.js';

export const colours = {};

export function readColours() {
  const style = getComputedStyle(root);
  ['paper', 'ink', 'muted', 'rule', 'accent'].forEach(function (name) {
    colours[name] = style.getPropertyValue('--' + name).trim();
  });
  colours.dark = style.colorScheme === 'dark';
  colours.font = getComputedStyle(document.body).fontFamily;
  colours.scale = data.scale ? data.scale[colours.dark ? 'dark' : 'light'] : [];
}
export function colourNumber(i) {
  if (kind === 'classes') return group[i];
  const last = colours.scale.length - 1;
  if (kind === 'numbers') return group[i] ? last + 1 : Math.round((value[i] / 65535) * last);
  return Math.round(now.plane.heights[i] * last);
}
export function colourOf(number) {
  const table = kind === 'classes' ? data.colours : colours.scale;
  return number < table.length ? table[number] : colours.muted;
}
