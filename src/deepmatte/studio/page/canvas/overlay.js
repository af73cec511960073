/**
 * The marks over the photo: labels as translucent colours, in tiles that are made when they are
 * first seen and then only changed where the brush was.
 *
 * A coarse tile's pixel stands for many labels. Up to 16 of them are looked at, and its colour is
 * the mean of theirs.
 */

import { BACKGROUND, FOREGROUND, INK, OUTLINE, STRONG, UNKNOWN } from "../model/labels.js";
import { area, intersection, outward } from "../model/rectangle.js";
import { Grid, TILE } from "./tiles.js";

const SAMPLES = 4; // across and down
const BUDGET = 12; // milliseconds a frame for new tiles
const MOST_TILES = 120;

// Three counts of up to 16 samples in one number.
const ONE = { [FOREGROUND]: 1, [BACKGROUND]: 32, [UNKNOWN]: 1024 };
const COUNTS = new Uint16Array(256);
for (const [label, one] of Object.entries(ONE)) COUNTS[label] = one;

export class Overlay {
  /** @type {Map<string, {canvas: OffscreenCanvas, tile: import("./tiles.js").Tile}>} */
  #tiles = new Map();
  #deadline = 0;
  /** Whether a tile had to be left out of the last drawing for want of time. */
  incomplete = false;

  /**
   * @param {import("../model/trimap.js").Trimap} trimap
   * @param {{besides?: Uint8Array, unknown?: boolean, strong?: boolean}} options besides: show only
   *   what differs from these labels; unknown: whether unknown pixels are coloured; strong: little
   *   is marked, and it has to be seen
   */
  constructor(trimap, { besides = null, unknown = true, strong = false } = {}) {
    this.grid = new Grid(trimap.width, trimap.height);
    this.labels = trimap.labels;
    this.besides = besides;
    this.palettes = [1, 4, 16].map((samples) => palette(samples, unknown, strong));
  }

  clear() {
    this.#tiles.clear();
  }

  /** Shows new labels in a part: at once on tiles that `placement` shows, later on others. */
  update(part, placement) {
    const level = this.grid.levelFor(placement.scale);
    for (const [key, entry] of this.#tiles) {
      const around = 2 * 2 ** entry.tile.level; // outlines lie beside what has changed
      const { left, top, right, bottom } = part;
      const wider = {
        left: left - around,
        top: top - around,
        right: right + around,
        bottom: bottom + around,
      };
      const changed = intersection(this.grid.covered(entry.tile), wider);
      if (!changed) continue;
      const all = area(changed) === area(this.grid.covered(entry.tile));
      if (entry.tile.level === level && !all) this.#paint(entry, changed);
      else this.#tiles.delete(key); // made again, in its turn, once it is seen
    }
  }

  /** @param {import("./tiles.js").Placement} placement */
  draw(context, placement, damage) {
    this.incomplete = false;
    this.#deadline = performance.now() + BUDGET;
    this.grid.draw(context, placement, damage, (tile) => this.#imageOf(tile));
  }

  #imageOf(tile) {
    let entry = this.#tiles.get(tile.key);
    if (!entry) {
      if (performance.now() > this.#deadline) {
        this.incomplete = true;
        return null;
      }
      if (this.#tiles.size >= MOST_TILES) this.#tiles.delete(this.#tiles.keys().next().value);
      entry = { canvas: new OffscreenCanvas(TILE, TILE), tile };
      this.#tiles.set(tile.key, entry);
      this.#paint(entry, this.grid.covered(tile));
    }
    return entry.canvas;
  }

  /** Paints the labels of a part of the picture into a tile. */
  #paint({ canvas, tile }, part) {
    const step = 2 ** tile.level;
    const { left, top } = this.grid.covered(tile);
    const changed = outward({
      left: (part.left - left) / step,
      top: (part.top - top) / step,
      right: (part.right - left) / step,
      bottom: (part.bottom - top) / step,
    });
    const image = new ImageData(changed.right - changed.left, changed.bottom - changed.top);
    const origin = { x: left + changed.left * step, y: top + changed.top * step };
    this.#colour(new Uint32Array(image.data.buffer), image.width, image.height, origin, step);
    canvas.getContext("2d").putImageData(image, changed.left, changed.top);
  }

  #colour(colours, columns, rows, origin, step) {
    const { labels, besides } = this;
    const { width, height } = this.grid;
    const across = Math.min(step, SAMPLES);
    const stride = step / across;
    const palette = this.palettes[Math.log2(across)];
    for (let row = 0, at = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++, at++) {
        let counts = 0;
        for (let down = 0; down < across; down++) {
          const y = Math.min(origin.y + row * step + down * stride, height - 1);
          let x = origin.x + column * step;
          for (let right = 0; right < across; right++, x += stride) {
            const index = y * width + Math.min(x, width - 1);
            const label = labels[index];
            if (!besides || besides[index] !== label) counts += COUNTS[label];
          }
        }
        colours[at] = palette[counts];
      }
    }
    if (!besides) this.#outline(colours, columns, rows, origin, step);
  }

  /** A dark line where the mark changes to the right or below, and a light one beside it. */
  #outline(colours, columns, rows, origin, step) {
    const { labels } = this;
    const { width, height } = this.grid;
    for (let row = 0, at = 0; row < rows; row++) {
      const y = Math.min(origin.y + row * step, height - 1) * width;
      const below = Math.min(origin.y + (row + 1) * step, height - 1) * width;
      const above = Math.max(0, origin.y + (row - 1) * step) * width;
      for (let column = 0; column < columns; column++, at++) {
        const x = Math.min(origin.x + column * step, width - 1);
        const right = Math.min(x + step, width - 1);
        const left = Math.max(0, x - step);
        const label = labels[y + x];
        if (labels[y + right] !== label || labels[below + x] !== label) colours[at] = DARK;
        else if (labels[y + left] !== label || labels[above + x] !== label) colours[at] = LIGHT;
      }
    }
  }
}

/** Red, green, blue and opacity as ImageData wants them. @param {number[]} colour */
function packed(colour) {
  const [red, green, blue, opacity] = colour;
  const bytes = new Uint8ClampedArray([red, green, blue, Math.round(255 * opacity)]);
  return new Uint32Array(bytes.buffer)[0];
}
const DARK = packed(OUTLINE.dark);
const LIGHT = packed(OUTLINE.light);

/** The colour of every possible sum of counts, as ImageData wants it. */
function palette(samples, unknown, strong) {
  const colours = new Uint32Array((samples + 1) * 1024);
  const shares = [FOREGROUND, BACKGROUND, ...(unknown ? [UNKNOWN] : [])];
  for (let counts = 0; counts < colours.length; counts++) {
    const count = {
      [FOREGROUND]: counts & 31,
      [BACKGROUND]: (counts >> 5) & 31,
      [UNKNOWN]: counts >> 10,
    };
    if (count[FOREGROUND] + count[BACKGROUND] + count[UNKNOWN] > samples) continue;
    let opacity = 0;
    const colour = [0, 0, 0];
    for (const label of shares) {
      const share = (count[label] / samples) * (strong ? STRONG : INK[label][3]);
      opacity += share;
      for (let channel = 0; channel < 3; channel++) colour[channel] += share * INK[label][channel];
    }
    const bytes = new Uint8ClampedArray(4);
    if (opacity > 0) bytes.set([...colour.map((sum) => Math.round(sum / opacity)), opacity * 255]);
    colours[counts] = new Uint32Array(bytes.buffer)[0];
  }
  return colours;
}
