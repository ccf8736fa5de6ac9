/* A map to look around in: one canvas, drawn anew whenever something changes.

   Places: a point is (x, y) with 0 ≤ x, y ≤ 1 in the square that the picture shows as well, y up.
   view.k is how much closer we are than the whole, view.x and view.y where the middle is. */
(function () {
  'use strict';
  const data = JSON.parse(document.getElementById('map-data').textContent);
  const root = document.documentElement, stage = document.getElementById('stage');
  const canvas = document.getElementById('canvas'), tip = document.getElementById('tip');
  const pen = canvas.getContext('2d');
  const CLOSEST = 400, GRID = 320, AROUND = 0.15, SHARES = [0.95, 0.8, 0.6, 0.4, 0.2], MOVING = 60000, REACH = 14;

  // ------------------------------------------------------------------ what came with the page

  function bytes(text) {
    const raw = atob(text), out = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
    return out;
  }
  // Two bytes a number, the low one first, whatever the machine's own order.
  function words(text) {
    const raw = bytes(text), out = new Uint16Array(raw.length / 2);
    for (let i = 0; i < out.length; i++) out[i] = raw[2 * i] | (raw[2 * i + 1] << 8);
    return out;
  }
  const n = data.n, kind = data.kind, nClasses = data.names.length;
  const planes = data.planes.map(function (plane) {
    const both = words(plane.points), x = new Float32Array(n), y = new Float32Array(n);
    for (let i = 0; i < n; i++) { x[i] = both[2 * i] / 65535; y[i] = both[2 * i + 1] / 65535; }
    return { x, y, names: plane.names, reach: plane.reach, spots: plane.spots, heights: null };
  });
  const group = kind === 'nothing' ? new Uint16Array(n) : words(data.position);
  const value = kind === 'numbers' ? words(data.values) : null;
  const trust = data.trust ? Float32Array.from(words(data.trust), (whole) => whole / 65535) : null;
  const textOf = data.texts ? words(data.text_of) : null;
  const shown = new Array(nClasses + 1).fill(true);
  // Rows in a mixed order, so that no class hides another, and any part of them stands for all.
  const order = (function () {
    let step = Math.max(1, Math.round(n * 0.618));
    const divisor = (a, b) => (b ? divisor(b, a % b) : a);
    while (divisor(step, n) !== 1) step++;
    const out = new Uint32Array(n);
    for (let i = 0, at = 0; i < n; i++, at = (at + step) % n) out[i] = at;
    return out;
  })();
  const tileOf = new Map();
  if (data.sheet) data.sheet.rows.forEach((row, tile) => tileOf.set(row, tile));
  const sheet = new Image();
  if (data.sheet) { sheet.onload = draw; sheet.src = data.sheet.png; }

  let plane = planes[0], density = null, hovered = -1, moving = false, rest = 0, waiting = false;
  const view = { k: 1, x: 0.5, y: 0.5 };
  const wanted = { density: true, pictures: true, names: true, doubtful: false };
  let width = 0, height = 0, pixels = 1, side = 1, colours = {};

  // ------------------------------------------------------------------ colours

  function readColours() {
    const style = getComputedStyle(root);
    ['paper', 'ink', 'muted', 'rule', 'accent'].forEach(function (name) {
      colours[name] = style.getPropertyValue('--' + name).trim();
    });
    colours.dark = style.colorScheme === 'dark';
    colours.font = getComputedStyle(document.body).fontFamily;
    colours.scale = data.scale ? data.scale[colours.dark ? 'dark' : 'light'] : [];
  }
  function colourNumber(i) {
    if (kind === 'classes') return group[i];
    const last = colours.scale.length - 1;
    if (kind === 'numbers') return group[i] ? last + 1 : Math.round((value[i] / 65535) * last);
    return Math.round(plane.heights[i] * last);
  }
  function colourOf(number) {
    const table = kind === 'classes' ? data.colours : colours.scale;
    return number < table.length ? table[number] : colours.muted;
  }

  // ------------------------------------------------------------------ places on the screen

  function toX(x) { return width / 2 + (x - view.x) * side * view.k; }
  function toY(y) { return height / 2 - (y - view.y) * data.aspect * side * view.k; }
  function fromX(px) { return view.x + (px - width / 2) / (side * view.k); }
  function fromY(py) { return view.y - (py - height / 2) / (side * view.k * data.aspect); }
  function isShown(i) { return shown[Math.min(group[i], nClasses)]; }

  function zoom(factor, px, py) {
    const x = fromX(px), y = fromY(py);
    view.k = Math.min(CLOSEST, Math.max(0.8, view.k * factor));
    view.x += x - fromX(px);
    view.y += y - fromY(py);
    keepInside();
  }
  function keepInside() {
    view.x = Math.min(1, Math.max(0, view.x));
    view.y = Math.min(1, Math.max(0, view.y));
  }
  function whole() { view.k = 1; view.x = view.y = 0.5; moved(); }

  // ------------------------------------------------------------------ density

  function blurred(grid, radius) {
    // Three passes of a moving mean are nearly a normal distribution.
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
  // The grid reaches a little beyond the square, where density fades.
  const CELLS = GRID / (1 + 2 * AROUND);
  function cell(i) {
    return Math.floor((plane.y[i] + AROUND) * CELLS) * GRID + Math.floor((plane.x[i] + AROUND) * CELLS);
  }
  function measure() {
    const counts = new Float32Array(GRID * GRID);
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
  function paintDensity() {
    const ground = document.createElement('canvas');
    ground.width = ground.height = GRID;
    const brush = ground.getContext('2d'), image = brush.createImageData(GRID, GRID);
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
    density.ground = ground;
  }
  function traceLines() {
    // Marching squares; where two lines cross a square, either way of joining them will do.
    const path = new Path2D(), { heights, levels } = density;
    const edges = [[], [3, 0], [0, 1], [3, 1], [1, 2], [3, 0, 1, 2], [0, 2], [3, 2], [2, 3], [2, 0], [0, 1, 2, 3], [2, 1], [1, 3], [1, 0], [0, 3], []];
    levels.forEach(function (level) {
      for (let r = 0; r < GRID - 1; r++) for (let c = 0; c < GRID - 1; c++) {
        const at = r * GRID + c;
        const v = [heights[at], heights[at + 1], heights[at + GRID + 1], heights[at + GRID]];
        const form = (v[0] >= level) + 2 * (v[1] >= level) + 4 * (v[2] >= level) + 8 * (v[3] >= level);
        const sides = edges[form];
        for (let e = 0; e < sides.length; e++) {
          const s = sides[e], share = (level - v[s]) / (v[(s + 1) % 4] - v[s]);
          const x = c + 0.5 + [share, 1, 1 - share, 0][s], y = r + 0.5 + [0, share, 1, 1 - share][s];
          if (e % 2) path.lineTo(x / CELLS - AROUND, y / CELLS - AROUND); else path.moveTo(x / CELLS - AROUND, y / CELLS - AROUND);
        }
      }
    });
    density.lines = path;
  }

  // ------------------------------------------------------------------ drawing

  function draw() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(function () { waiting = false; paint(); });
  }
  function paint() {
    pen.setTransform(pixels, 0, 0, pixels, 0, 0);
    pen.fillStyle = colours.paper;
    pen.fillRect(0, 0, width, height);
    const left = toX(0), top = toY(1), across = side * view.k, down = across * data.aspect;
    const dense = wanted.density && !data.strip && density && density.levels.length > 1;
    if (dense) {
      if (!density.ground) paintDensity();
      pen.drawImage(density.ground, toX(-AROUND), toY(1 + AROUND), across * (1 + 2 * AROUND), down * (1 + 2 * AROUND));
    }
    paintPoints();
    if (dense && !moving) {
      if (!density.lines) traceLines();
      pen.save();
      pen.translate(left, top + down);
      pen.scale(across, -down);
      pen.lineWidth = 0.9 / across;
      pen.globalAlpha = 0.45;
      pen.strokeStyle = colours.ink;
      pen.stroke(density.lines);
      pen.restore();
    }
    if (trust && wanted.doubtful) paintDoubtful();
    // The bar below, and the buttons, stay free.
    const taken = [[0, height - 30, 260, height], [width - 132, height - 52, width, height]];
    if (wanted.names) paintNames(taken);
    if (wanted.pictures && data.sheet && sheet.complete) paintPictures(taken);
    paintScale();
    paintHovered();
  }
  function radius() {
    const usual = Math.sqrt((0.2 * side * side * data.aspect) / n / Math.PI);
    return Math.min(9, Math.min(3.2, Math.max(0.65, usual)) * Math.max(1, view.k) ** 0.45);
  }
  const CORNERS = [null, [[-1, -1], [1, -1], [1, 1], [-1, 1]], [[0, -1.2], [1.1, 0.9], [-1.1, 0.9]], [[0, -1.3], [1.3, 0], [0, 1.3], [-1.3, 0]], [[0, 1.2], [1.1, -0.9], [-1.1, -0.9]],
    [[-0.4, -1.2], [0.4, -1.2], [0.4, -0.4], [1.2, -0.4], [1.2, 0.4], [0.4, 0.4], [0.4, 1.2], [-0.4, 1.2], [-0.4, 0.4], [-1.2, 0.4], [-1.2, -0.4], [-0.4, -0.4]]];
  function stamp(number, r) {
    const half = Math.ceil(1.4 * r * pixels) + 1, out = document.createElement('canvas');
    out.width = out.height = 2 * half;
    const brush = out.getContext('2d');
    brush.translate(half, half);
    brush.scale(r * pixels, r * pixels);
    brush.fillStyle = colourOf(number);
    brush.beginPath();
    const corners = kind === 'classes' && number < nClasses ? CORNERS[data.shapes[number]] : null;
    if (corners) { corners.forEach((p) => brush.lineTo(0.9 * p[0], 0.9 * p[1])); brush.closePath(); }
    else brush.arc(0, 0, 1, 0, 2 * Math.PI);
    brush.fill();
    return out;
  }
  function paintPoints() {
    const r = radius(), stamps = [], tiny = r * pixels < 1.2;
    const many = moving ? Math.min(n, MOVING) : n;
    pen.globalAlpha = Math.min(0.88, Math.max(0.4, 1.25 - 0.17 * Math.log10(Math.max(1, n / view.k ** 1.5))));
    let last = -1;
    for (let at = 0; at < many; at++) {
      const i = order[at];
      if (!isShown(i)) continue;
      const x = toX(plane.x[i]), y = toY(plane.y[i]);
      if (x < -10 || y < -10 || x > width + 10 || y > height + 10) continue;
      const number = colourNumber(i);
      if (tiny) {
        if (number !== last) { pen.fillStyle = colourOf(number); last = number; }
        pen.fillRect(x - r, y - r, 2 * r, 2 * r);
      } else {
        const mark = stamps[number] || (stamps[number] = stamp(number, r));
        pen.drawImage(mark, x - mark.width / 2 / pixels, y - mark.height / 2 / pixels, mark.width / pixels, mark.height / pixels);
      }
    }
    pen.globalAlpha = 1;
  }
  function paintDoubtful() {
    const r = Math.max(3.5, 1.5 * radius());
    pen.beginPath();
    for (let i = 0; i < n; i++) {
      if (trust[i] >= data.doubtful || !isShown(i)) continue;
      const x = toX(plane.x[i]), y = toY(plane.y[i]);
      if (x < -10 || y < -10 || x > width + 10 || y > height + 10) continue;
      pen.moveTo(x - r, y - r); pen.lineTo(x + r, y + r);
      pen.moveTo(x - r, y + r); pen.lineTo(x + r, y - r);
    }
    [[colours.paper, 3.5], [colours.ink, 1.3]].forEach(function ([colour, line]) {
      pen.strokeStyle = colour;
      pen.lineWidth = line;
      pen.stroke();
    });
  }
  function isFree(box, taken) {
    return taken.every((o) => box[2] <= o[0] || o[2] <= box[0] || box[3] <= o[1] || o[3] <= box[1]);
  }
  function paintNames(taken) {
    if (nClasses < 2 || n < 8 * nClasses) return;  // names would hide what they name
    pen.font = '650 14px ' + colours.font;
    pen.textAlign = 'center';
    pen.textBaseline = 'middle';
    pen.lineJoin = 'round';
    const bySize = data.names.map((_, i) => i).sort((a, b) => data.counts[b] - data.counts[a]);
    bySize.forEach(function (i) {
      const spot = plane.spots[i];
      if (!shown[i] || !spot) return;
      const text = data.names[i].length > 22 ? data.names[i].slice(0, 21).trimEnd() + '…' : data.names[i];
      const half = pen.measureText(text).width / 2 + 4;
      // A name at the edge moves inside as long as its spot is seen.
      const sx = toX(spot[0]), sy = toY(spot[1]);
      if (sx < 0 || sy < 0 || sx > width || sy > height) return;
      const x = Math.min(width - half, Math.max(half, sx)), y = Math.min(height - 10, Math.max(10, sy));
      const box = [x - half, y - 10, x + half, y + 10];
      if (!isFree(box, taken)) return;
      taken.push(box);
      pen.strokeStyle = colours.paper;
      pen.lineWidth = 4;
      pen.strokeText(text, x, y);
      pen.fillStyle = colours.ink;
      pen.fillText(text, x, y);
    });
  }
  function tile(brush, number, x, y, w, h) {
    const s = data.sheet, column = number % s.columns, row = Math.floor(number / s.columns);
    brush.imageSmoothingEnabled = w < s.width;
    brush.drawImage(sheet, column * s.width, row * s.height, s.width, s.height, x, y, w, h);
    brush.imageSmoothingEnabled = true;
  }
  function paintPictures(taken) {
    const s = data.sheet, longest = Math.min(72, 34 * Math.max(1, view.k) ** 0.3) / Math.max(s.width, s.height);
    const w = s.width * longest, h = s.height * longest, most = Math.round((width * height) / 22000);
    let count = 0;
    for (let at = 0; at < s.rows.length && count < most; at++) {
      const i = s.rows[at];
      if (!isShown(i)) continue;
      const x = toX(plane.x[i]), y = toY(plane.y[i]);
      const box = [x - w / 2 - 3, y - h / 2 - 3, x + w / 2 + 3, y + h / 2 + 3];
      if (box[0] < 0 || box[1] < 0 || box[2] > width || box[3] > height || !isFree(box, taken)) continue;
      taken.push(box);
      count++;
      tile(pen, at, x - w / 2, y - h / 2, w, h);
      pen.strokeStyle = colourOf(colourNumber(i));
      pen.lineWidth = 2;
      pen.strokeRect(x - w / 2, y - h / 2, w, h);
    }
  }
  function paintScale() {
    const unit = (side * view.k) / (2 * plane.reach), most = Math.min(140, width / 7) / unit;
    const power = 10 ** Math.floor(Math.log10(most));
    const length = power * ([5, 2, 1].find((step) => step * power <= most) || 1), x = 14, y = height - 14;
    const number = Number(length.toPrecision(1)).toLocaleString('en', { maximumSignificantDigits: 1 });
    const zh = root.dataset.lang === 'zh';
    const text = zh ? number + ' 个编码单位' : number + (length === 1 ? ' unit' : ' units') + ' of the code';
    pen.font = '12px ' + colours.font;
    pen.textAlign = 'left';
    pen.textBaseline = 'middle';
    pen.lineJoin = 'round';
    [[colours.paper, 5], [colours.muted, 1.4]].forEach(function ([colour, line]) {
      pen.strokeStyle = colour;
      pen.lineWidth = line;
      pen.beginPath();
      pen.moveTo(x, y - 4); pen.lineTo(x, y + 4); pen.moveTo(x, y); pen.lineTo(x + length * unit, y);
      pen.moveTo(x + length * unit, y - 4); pen.lineTo(x + length * unit, y + 4);
      pen.stroke();
    });
    pen.strokeStyle = colours.paper;
    pen.lineWidth = 4;
    pen.strokeText(text, x + length * unit + 8, y);
    pen.fillStyle = colours.muted;
    pen.fillText(text, x + length * unit + 8, y);
  }
  function paintHovered() {
    if (hovered < 0) return;
    pen.beginPath();
    pen.arc(toX(plane.x[hovered]), toY(plane.y[hovered]), Math.max(5, radius() + 3), 0, 2 * Math.PI);
    pen.strokeStyle = colours.paper;
    pen.lineWidth = 5;
    pen.stroke();
    pen.strokeStyle = colours.ink;
    pen.lineWidth = 2;
    pen.stroke();
  }
  function moved() {
    moving = n > MOVING;
    clearTimeout(rest);
    if (moving) rest = setTimeout(function () { moving = false; draw(); }, 150);
    hide();
    draw();
  }

  // ------------------------------------------------------------------ what a point says

  function nearest(px, py, reach, rows) {
    const x = fromX(px), y = fromY(py), unit = side * view.k;
    let best = -1, least = (reach / unit) ** 2;
    const count = rows ? rows.length : n;
    for (let at = 0; at < count; at++) {
      const i = rows ? rows[at] : at;
      const far = (plane.x[i] - x) ** 2 + ((plane.y[i] - y) * data.aspect) ** 2;
      if (far < least && isShown(i)) { least = far; best = i; }
    }
    return best;
  }
  function both(en, zh) {
    const out = document.createDocumentFragment();
    [['en', en], ['zh-CN', zh]].forEach(function ([lang, text]) {
      const span = document.createElement('span');
      span.lang = lang;
      span.textContent = text;
      out.append(span);
    });
    return out;
  }
  function rowName(i) {
    if (data.rows) return document.createTextNode(data.rows[i]);
    return both('row ' + i.toLocaleString('en'), '第 ' + i.toLocaleString('en') + ' 行');
  }
  function labelText(i) {
    if (kind === 'numbers') {
      if (group[i]) return '–';
      const [low, high] = data.range;
      return Number((low + ((high - low) * value[i]) / 65535).toPrecision(4)).toLocaleString('en', { maximumSignificantDigits: 4 });
    }
    if (group[i] < nClasses) return data.names[group[i]];
    return data.texts ? data.texts[textOf[i]] : '–';
  }
  function tell(i) {
    if (i === hovered) return;
    hovered = i;
    if (i < 0) { hide(); draw(); return; }
    tip.textContent = '';
    const name = document.createElement('b');
    name.append(rowName(i));
    if (data.sheet && sheet.complete) {
      const from = tileOf.has(i) ? i : nearest(toX(plane.x[i]), toY(plane.y[i]), Infinity, data.sheet.rows);
      if (from >= 0) {
        const s = data.sheet, times = 84 / Math.max(s.width, s.height), picture = document.createElement('canvas');
        picture.width = Math.round(s.width * times * pixels);
        picture.height = Math.round(s.height * times * pixels);
        picture.style.width = s.width * times + 'px';
        tile(picture.getContext('2d'), tileOf.get(from), 0, 0, picture.width, picture.height);
        tip.append(picture);
        if (from !== i) {
          const note = document.createElement('small');
          note.append(both('nearest picture: ', '最近的图片：'), rowName(from));
          picture.after(note);
        }
      }
    }
    tip.append(name);
    if (kind !== 'nothing') {
      const label = document.createElement('span');
      label.className = 'label';
      const dot = document.createElement('i');
      dot.style.background = colourOf(colourNumber(i));
      label.append(dot, labelText(i));
      tip.append(label);
    }
    if (trust) {
      const number = trust[i] < 0.005 ? '< 0.01' : trust[i].toFixed(2), line = document.createElement('span');
      line.className = 'trust';
      line.append(both('trust ' + number, '信任度 ' + number));
      tip.append(line);
    }
    tip.hidden = false;
    const x = toX(plane.x[i]), y = toY(plane.y[i]), w = tip.offsetWidth, h = tip.offsetHeight;
    tip.style.left = Math.max(4, Math.min(width - w - 4, x + 16 + w < width ? x + 16 : x - 16 - w)) + 'px';
    tip.style.top = Math.max(4, Math.min(height - h - 4, y - h / 2)) + 'px';
    draw();
  }
  function hide() { hovered = -1; tip.hidden = true; }

  // ------------------------------------------------------------------ hands and keys

  const fingers = new Map();
  let dragged = 0;
  function place(event) {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }
  canvas.addEventListener('pointerdown', function (event) {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, place(event));
    dragged = 0;
  });
  canvas.addEventListener('pointermove', function (event) {
    const now = place(event), before = fingers.get(event.pointerId);
    if (!before) { tell(nearest(now[0], now[1], REACH)); return; }
    if (fingers.size === 1) {
      dragged += Math.hypot(now[0] - before[0], now[1] - before[1]);
      view.x -= (now[0] - before[0]) / (side * view.k);
      view.y += (now[1] - before[1]) / (side * view.k * data.aspect);
      keepInside();
    } else {
      const other = [...fingers].find(([id]) => id !== event.pointerId)[1];
      const apart = (p) => Math.max(1, Math.hypot(p[0] - other[0], p[1] - other[1]));
      dragged = Infinity;
      zoom(apart(now) / apart(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
    }
    fingers.set(event.pointerId, now);
    if (dragged > 3) moved();
  });
  function lift(event) {
    if (!fingers.delete(event.pointerId)) return;
    if (event.type === 'pointerup' && dragged <= 6) tell(nearest(...place(event), event.pointerType === 'touch' ? 2 * REACH : REACH));
  }
  canvas.addEventListener('pointerup', lift);
  canvas.addEventListener('pointercancel', lift);
  canvas.addEventListener('pointerleave', function (event) {
    if (event.pointerType === 'mouse' && !fingers.size) tell(-1);
  });
  canvas.addEventListener('wheel', function (event) {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 18 : 1;
    zoom(Math.exp(-Math.max(-240, Math.min(240, event.deltaY * lines)) * (event.ctrlKey ? 0.01 : 0.0022)), ...place(event));
    moved();
  }, { passive: false });
  canvas.addEventListener('dblclick', function (event) {
    event.preventDefault();
    zoom(event.shiftKey ? 0.5 : 2, ...place(event));
    moved();
  });
  const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  canvas.addEventListener('keydown', function (event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const way = KEYS[event.key];
    if (way) {
      view.x += (0.12 * way[0]) / view.k;
      view.y += (0.12 * way[1]) / view.k / data.aspect;
      keepInside();
    } else if (event.key === '+' || event.key === '=') zoom(1.4, width / 2, height / 2);
    else if (event.key === '-' || event.key === '_') zoom(1 / 1.4, width / 2, height / 2);
    else if (event.key === '0' || event.key === 'Home') whole();
    else if (event.key === 'Escape') { hide(); draw(); return; }
    else return;
    event.preventDefault();
    moved();
    // Keys have no pointer: what is nearest to the middle speaks.
    tell(nearest(width / 2, height / 2, Math.min(width, height) / 6));
  });
  function onClick(id, act) {
    const button = document.getElementById(id);
    if (button) button.addEventListener('click', function () { act(button); });
  }
  onClick('closer', function () { zoom(1.6, width / 2, height / 2); moved(); });
  onClick('farther', function () { zoom(1 / 1.6, width / 2, height / 2); moved(); });
  onClick('whole', whole);
  Object.keys(wanted).forEach(function (name) {
    onClick('show-' + name, function (button) {
      wanted[name] = !wanted[name];
      button.setAttribute('aria-pressed', String(wanted[name]));
      draw();
    });
  });
  const entries = [...document.querySelectorAll('[data-class]')];
  function showClasses() {
    entries.forEach((entry) => entry.setAttribute('aria-pressed', String(shown[entry.dataset.class])));
    measure();
    hide();
    draw();
  }
  entries.forEach(function (entry) {
    const own = Number(entry.dataset.class);
    entry.addEventListener('click', function () { shown[own] = !shown[own]; showClasses(); });
    entry.addEventListener('dblclick', function () { shown.fill(false); shown[own] = true; showClasses(); });
  });
  onClick('all', function () { shown.fill(true); showClasses(); });
  onClick('none', function () { shown.fill(false); showClasses(); });
  const sides = [...document.querySelectorAll('[data-plane]')];
  sides.forEach(function (button) {
    button.addEventListener('click', function () {
      plane = planes[Number(button.dataset.plane)];
      sides.forEach((other) => other.setAttribute('aria-pressed', String(other === button)));
      measure();
      whole();
    });
  });

  // ------------------------------------------------------------------ the window, and its colours

  function fit() {
    pixels = Math.min(3, window.devicePixelRatio || 1);
    width = stage.clientWidth;
    height = stage.clientHeight;
    canvas.width = Math.round(width * pixels);
    canvas.height = Math.round(height * pixels);
    side = Math.min(width, height / data.aspect);
    draw();
  }
  function recolour() { readColours(); if (density) density.ground = null; hide(); draw(); }
  new ResizeObserver(fit).observe(stage);
  new MutationObserver(recolour).observe(root, { attributes: true, attributeFilter: ['data-theme', 'data-lang'] });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', recolour);
  readColours();
  measure();
  fit();
})();
