/**
 * What was done, so that it can be undone: the changed rectangle of each step, its labels before
 * and after as runs of equal pairs.
 *
 * A run's first byte holds the pair (4 bits: 3 * before + after as indices, or SAME), 3 bits of its
 * length and whether more bytes follow, which hold 7 bits each, the lower ones first.
 *
 * Kinds of steps:
 * - "marks": strokes and fills on whatever was there;
 * - "trimap": a whole new trimap, from a box, from strokes, from a file, with another band;
 * - "nothing": back to the beginning, where nothing is known.
 *
 * @typedef {"marks" | "trimap" | "nothing"} Kind
 * @typedef {{kind: Kind, name: string, rectangle: import("./rectangle.js").Rectangle,
 *   runs: Uint8Array}} Step
 */

import { indexOf, labelOf } from "./labels.js";

const SAME = 15;
const PIXELS_A_PAUSE = 500_000;

/** Steps, and how many of them are done. */
export class History {
  constructor() {
    /** @type {Step[]} */
    this.steps = [];
    this.position = 0;
  }

  /** Adds a step; what was undone before it is forgotten. */
  push(step) {
    this.steps.length = this.position;
    this.steps.push(step);
    this.position++;
  }

  /** The index of the newest step done that is more than marks, or -1. */
  get baseIndex() {
    let index = this.position - 1;
    while (index >= 0 && this.steps[index].kind === "marks") index--;
    return index;
  }

  /** Whether there is a trimap, and not only strokes on an untouched picture. */
  get begun() {
    return this.baseIndex >= 0 && this.steps[this.baseIndex].kind === "trimap";
  }

  get undoable() {
    return this.steps[this.position - 1] ?? null;
  }

  get redoable() {
    return this.steps[this.position] ?? null;
  }
}

/**
 * Writes down how `after` differs from `before` and brings `before` up to it.
 *
 * Both may be painted on while this pauses: a row is compared and copied at once, and what comes
 * later is left to the next step.
 *
 * @param {Uint8Array} before
 * @param {Uint8Array} after
 * @param {number} width
 * @param {import("./rectangle.js").Rectangle} rectangle outside of which nothing differs
 * @returns {Generator<void, {rectangle: object, runs: Uint8Array} | null>} null: nothing differs
 */
export function* record(before, after, width, rectangle) {
  const bounds = yield* differing(before, after, width, rectangle);
  if (!bounds) return null;
  const writer = new RunWriter();
  let pixels = 0;
  for (let y = bounds.top; y < bounds.bottom; y++) {
    const rowEnd = y * width + bounds.right;
    for (let at = y * width + bounds.left; at < rowEnd; ) {
      const old = before[at];
      const now = after[at];
      let end = at + 1;
      while (end < rowEnd && before[end] === old && after[end] === now) end++;
      if (old !== now) before.fill(now, at, end);
      writer.add(old === now ? SAME : 3 * indexOf(old) + indexOf(now), end - at);
      at = end;
    }
    pixels += bounds.right - bounds.left;
    if (pixels > PIXELS_A_PAUSE) {
      pixels = 0;
      yield;
    }
  }
  return { rectangle: bounds, runs: writer.end() };
}

function* differing(before, after, width, { left, top, right, bottom }) {
  let bounds = null;
  let pixels = 0;
  for (let y = top; y < bottom; y++) {
    let first = y * width + left;
    let last = y * width + right - 1;
    while (first <= last && before[first] === after[first]) first++;
    if (first <= last) {
      while (before[last] === after[last]) last--;
      bounds ??= { left: right, top: y, right: left, bottom: y + 1 };
      bounds.left = Math.min(bounds.left, first - y * width);
      bounds.right = Math.max(bounds.right, last - y * width + 1);
      bounds.bottom = y + 1;
    }
    pixels += right - left;
    if (pixels > PIXELS_A_PAUSE) {
      pixels = 0;
      yield;
    }
  }
  return bounds;
}

/**
 * Takes a step back, or does it again.
 *
 * @param {Uint8Array} labels changed in place
 * @param {number} width
 * @param {Step} step
 * @param {boolean} back
 * @returns {Generator<void, void>}
 */
export function* apply(labels, width, step, back) {
  const { left, top, right } = step.rectangle;
  const columns = right - left;
  let x = 0;
  let rowStart = top * width + left;
  let pixels = 0;
  for (let at = 0; at < step.runs.length; ) {
    const first = step.runs[at++];
    let count = (first >> 4) & 7;
    for (let more = first & 128, shift = 3; more; shift += 7) {
      const byte = step.runs[at++];
      count += (byte & 127) * 2 ** shift;
      more = byte & 128;
    }
    const pair = first & 15;
    const label = pair === SAME ? null : labelOf(back ? Math.floor(pair / 3) : pair % 3);
    pixels += count;
    while (count > 0) {
      const length = Math.min(count, columns - x);
      if (label !== null) labels.fill(label, rowStart + x, rowStart + x + length);
      x += length;
      count -= length;
      if (x === columns) {
        x = 0;
        rowStart += width;
      }
    }
    if (pixels > PIXELS_A_PAUSE) {
      pixels = 0;
      yield;
    }
  }
}

class RunWriter {
  #bytes = new Uint8Array(256);
  #length = 0;
  #pair = -1;
  #count = 0;

  add(pair, count) {
    if (pair !== this.#pair) this.#flush();
    this.#pair = pair;
    this.#count += count;
  }

  end() {
    this.#flush();
    return this.#bytes.slice(0, this.#length);
  }

  #flush() {
    if (this.#count === 0) return;
    let rest = Math.floor(this.#count / 8);
    this.#write(this.#pair | ((this.#count & 7) << 4) | (rest ? 128 : 0));
    while (rest) {
      const next = Math.floor(rest / 128);
      this.#write((rest & 127) | (next ? 128 : 0));
      rest = next;
    }
    this.#count = 0;
  }

  #write(byte) {
    if (this.#length === this.#bytes.length) {
      const larger = new Uint8Array(2 * this.#length);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes[this.#length++] = byte;
  }
}
