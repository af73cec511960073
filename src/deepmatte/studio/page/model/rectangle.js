/**
 * Rectangles of whole pixels. Right and bottom are exclusive; an empty rectangle is null.
 *
 * @typedef {{left: number, top: number, right: number, bottom: number}} Rectangle
 */

/** @param {number} width @param {number} height @returns {Rectangle} */
export const whole = (width, height) => ({ left: 0, top: 0, right: width, bottom: height });

/** The smallest rectangle that holds both. @returns {Rectangle | null} */
export function union(one, other) {
  if (!one || !other) return one ?? other ?? null;
  return {
    left: Math.min(one.left, other.left),
    top: Math.min(one.top, other.top),
    right: Math.max(one.right, other.right),
    bottom: Math.max(one.bottom, other.bottom),
  };
}

/** What both have in common. @returns {Rectangle | null} */
export function intersection(one, other) {
  if (!one || !other) return null;
  const left = Math.max(one.left, other.left);
  const top = Math.max(one.top, other.top);
  const right = Math.min(one.right, other.right);
  const bottom = Math.min(one.bottom, other.bottom);
  return left < right && top < bottom ? { left, top, right, bottom } : null;
}

/** The number of pixels. */
export const area = (r) => (r ? (r.right - r.left) * (r.bottom - r.top) : 0);

/** The smallest rectangle of whole pixels around one with fractions. @returns {Rectangle} */
export const outward = (r) => ({
  left: Math.floor(r.left),
  top: Math.floor(r.top),
  right: Math.ceil(r.right),
  bottom: Math.ceil(r.bottom),
});
