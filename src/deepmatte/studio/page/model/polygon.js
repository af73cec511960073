/**
 * Which pixels lie within a closed line: those whose centres it goes around.
 */

/**
 * Calls `span(y, start, end)` for each run of pixels, `end` exclusive, by the even-odd rule.
 *
 * @param {{x: number, y: number}[]} points in pixels, with fractions
 * @param {number} width of the photo
 * @param {number} height of the photo
 * @param {(y: number, start: number, end: number) => void} span
 * @returns {import("./rectangle.js").Rectangle | null} around what was covered
 */
export function within(points, width, height, span) {
  const top = Math.max(0, Math.floor(Math.min(...points.map(({ y }) => y))));
  const bottom = Math.min(height, Math.ceil(Math.max(...points.map(({ y }) => y))));
  let covered = null;
  for (let y = top; y < bottom; y++) {
    const crossings = crossed(points, y + 0.5);
    for (let index = 0; index + 1 < crossings.length; index += 2) {
      const start = Math.max(0, Math.ceil(crossings[index] - 0.5));
      const end = Math.min(width, Math.ceil(crossings[index + 1] - 0.5));
      if (start >= end) continue;
      span(y, start, end);
      covered ??= { left: start, top: y, right: end, bottom: y + 1 };
      covered.left = Math.min(covered.left, start);
      covered.right = Math.max(covered.right, end);
      covered.bottom = y + 1;
    }
  }
  return covered;
}

/** Where the line crosses a row, from left to right. */
function crossed(points, row) {
  const found = [];
  let from = points.at(-1);
  for (const to of points) {
    if (from.y > row !== to.y > row) {
      found.push(from.x + ((row - from.y) * (to.x - from.x)) / (to.y - from.y));
    }
    from = to;
  }
  return found.sort((one, other) => one - other);
}
