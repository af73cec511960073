/**
 * The labels of a trimap, one byte a pixel, and what people call them.
 */

export const BACKGROUND = 0;
export const UNKNOWN = 128;
export const FOREGROUND = 255;

/** Red, green, blue and opacity (0..1) of the marks over the photo; legible to the colour-blind. */
export const INK = {
  [FOREGROUND]: [20, 184, 196, 0.3],
  [BACKGROUND]: [226, 56, 44, 0.45],
  [UNKNOWN]: [255, 205, 40, 0.5],
};

/** Lines between two marks, dark beside light, legible on any photo; opacity as above. */
export const OUTLINE = { dark: [0, 0, 0, 0.75], light: [255, 255, 255, 0.75] };

/** The opacity of strokes where there is nothing else to look at. */
export const STRONG = 0.65;

/** The label's name for `settings.label` and its index 0, 1, 2 in stored runs. */
export const LABELS = { background: BACKGROUND, unknown: UNKNOWN, foreground: FOREGROUND };
export const indexOf = (label) => (label + 64) >> 7;
export const labelOf = (index) => [BACKGROUND, UNKNOWN, FOREGROUND][index];

/**
 * The labels of a rectangle, row by row.
 *
 * @param {Uint8Array} labels
 * @param {number} width of the whole
 * @param {import("./rectangle.js").Rectangle} part
 */
export function cut(labels, width, part) {
  const columns = part.right - part.left;
  if (columns === width) return labels.slice(part.top * width, part.bottom * width);
  const piece = new Uint8Array(columns * (part.bottom - part.top));
  for (let y = part.top, at = 0; y < part.bottom; y++, at += columns) {
    const start = y * width + part.left;
    piece.set(labels.subarray(start, start + columns), at);
  }
  return piece;
}
