/**
 * The brush: which pixels a round brush covers as it moves, exactly and without grey edges.
 *
 * A trimap has three labels and nothing between them, so a canvas, which smooths every edge, cannot
 * paint it. All coordinates here are doubled integers: a pixel's centre is at (2x + 1, 2y + 1), and
 * a brush of an odd diameter is centred on a pixel, one of an even diameter on a corner.
 */

/** The doubled integer nearest to a position where a brush of this diameter can be. */
export function snap(position, diameter) {
  return diameter % 2 ? 2 * Math.floor(position) + 1 : 2 * Math.round(position);
}

/**
 * Calls `span(y, start, end)` for each row of pixels, `end` exclusive, whose centres a disc covers
 * on its straight way from one point to another.
 *
 * @param {{x: number, y: number}} from doubled, as `snap` makes it
 * @param {{x: number, y: number}} to
 * @param {number} diameter in pixels, a whole number
 * @param {number} width of the picture
 * @param {number} height of the picture
 * @param {(y: number, start: number, end: number) => void} span
 * @returns {import("./rectangle.js").Rectangle | null} around what was covered
 */
export function sweep(from, to, diameter, width, height, span) {
  const along = { x: to.x - from.x, y: to.y - from.y };
  const length2 = along.x * along.x + along.y * along.y;
  // A whole number is at most a root if and only if it is at most the root's whole part.
  const reach = Math.floor(Math.sqrt(diameter * diameter * length2));
  const top = Math.max(0, Math.ceil((Math.min(from.y, to.y) - diameter - 1) / 2));
  const last = Math.min(height - 1, Math.floor((Math.max(from.y, to.y) + diameter - 1) / 2));
  let covered = null;
  for (let y = top; y <= last; y++) {
    const row = 2 * y + 1;
    let low = Infinity;
    let high = -Infinity;
    for (const centre of [from, to]) {
      const rest = diameter * diameter - (row - centre.y) * (row - centre.y);
      if (rest < 0) continue;
      const half = Math.floor(Math.sqrt(rest));
      low = Math.min(low, centre.x - half);
      high = Math.max(high, centre.x + half);
    }
    const [start, end] = between(row - from.y, along, length2, reach);
    if (start <= end) {
      low = Math.min(low, from.x + start);
      high = Math.max(high, from.x + end);
    }
    const first = Math.max(0, Math.ceil((low - 1) / 2));
    const after = Math.min(width, Math.floor((high - 1) / 2) + 1);
    if (first >= after) continue;
    span(y, first, after);
    if (!covered) covered = { left: first, top: y, right: after, bottom: y + 1 };
    covered.left = Math.min(covered.left, first);
    covered.right = Math.max(covered.right, after);
    covered.bottom = y + 1;
  }
  return covered;
}

/** The part of a row between both ends of the way and within reach of it, relative to its start. */
function between(row, along, length2, reach) {
  let low = -Infinity;
  let high = Infinity;
  const limit = (one, other) => {
    low = Math.max(low, Math.min(one, other));
    high = Math.min(high, Math.max(one, other));
  };
  if (length2 === 0) return [1, 0];
  if (along.y !== 0) limit((row * along.x - reach) / along.y, (row * along.x + reach) / along.y);
  else if (Math.abs(row * along.x) > reach) return [1, 0];
  if (along.x !== 0) limit((-row * along.y) / along.x, (length2 - row * along.y) / along.x);
  else if (row * along.y < 0 || row * along.y > length2) return [1, 0];
  return [low, high];
}
