/**
 * Filling an enclosed area: all pixels of one label that hang together, side by side.
 */

const PIXELS_A_PAUSE = 500_000;

/**
 * Gives the area around a pixel another label.
 *
 * @param {Uint8Array} labels changed in place
 * @param {number} width
 * @param {number} height
 * @param {number} x
 * @param {number} y
 * @param {number} label
 * @returns {Generator<void, {rectangle: import("./rectangle.js").Rectangle, pixels: number} | null>}
 *   what changed
 */
export function* fill(labels, width, height, x, y, label) {
  const old = labels[y * width + x];
  if (old === label) return null;
  const changed = { left: x, top: y, right: x + 1, bottom: y + 1 };
  const seeds = [y * width + x];
  let pixels = 0;
  let pause = PIXELS_A_PAUSE;
  while (seeds.length) {
    const seed = seeds.pop();
    if (labels[seed] !== old) continue;
    const row = Math.floor(seed / width);
    const rowStart = row * width;
    let start = seed;
    let end = seed + 1;
    while (start > rowStart && labels[start - 1] === old) start--;
    while (end < rowStart + width && labels[end] === old) end++;
    labels.fill(label, start, end);
    if (row > 0) seedRow(labels, seeds, start - width, end - width, old);
    if (row + 1 < height) seedRow(labels, seeds, start + width, end + width, old);
    changed.left = Math.min(changed.left, start - rowStart);
    changed.right = Math.max(changed.right, end - rowStart);
    changed.top = Math.min(changed.top, row);
    changed.bottom = Math.max(changed.bottom, row + 1);
    pixels += end - start;
    if (pixels > pause) {
      pause += PIXELS_A_PAUSE;
      yield;
    }
  }
  return { rectangle: changed, pixels };
}

/** One seed for each run of the old label in part of a row. */
function seedRow(labels, seeds, start, end, old) {
  for (let at = start, inside = false; at < end; at++) {
    const matches = labels[at] === old;
    if (matches && !inside) seeds.push(at);
    inside = matches;
  }
}
