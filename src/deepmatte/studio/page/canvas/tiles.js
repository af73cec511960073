/**
 * Layers of pictures as tiles in full and in halved sizes, so that drawing costs what the screen
 * shows and not what the picture has.
 *
 * Level 0 is the full size, each further one half of that before. A layer too large for a
 * browser's memory starts at a later level.
 *
 * @typedef {{scale: number, x: number, y: number, soft?: boolean}} Placement of a layer: device
 *   pixels a pixel, where its top left corner is, and whether its pixels are never to be seen
 * @typedef {{level: number, column: number, row: number, key: string}} Tile
 * @typedef {import("../model/rectangle.js").Rectangle} Rectangle
 * @typedef {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D} Context
 */

import { intersection, outward, whole } from "../model/rectangle.js";

export const TILE = 512;
const LARGEST_LAYER = 40_000_000; // pixels of the finest level that is kept: 213 MB with the others
const SMOOTH_BELOW = 2; // from this magnification on, pixels are shown as squares

/** A layer's size and the levels that it keeps. */
export class Grid {
  constructor(width, height) {
    this.width = width;
    this.height = height;
    this.finest = 0;
    while ((width * height) / 4 ** this.finest > LARGEST_LAYER) this.finest++;
    this.coarsest = Math.max(this.finest, Math.ceil(Math.log2(Math.max(width, height) / TILE)));
  }

  /** The coarsest level that still has a pixel for each of the screen's. */
  levelFor(scale) {
    const level = Math.floor(Math.log2(1 / scale) + 1e-6);
    return Math.max(this.finest, Math.min(level, this.coarsest));
  }

  /** What a tile covers, in pixels of the picture. @param {Tile} tile @returns {Rectangle} */
  covered({ level, column, row }) {
    const step = TILE * 2 ** level;
    return {
      left: column * step,
      top: row * step,
      right: Math.min((column + 1) * step, this.width),
      bottom: Math.min((row + 1) * step, this.height),
    };
  }

  /** The tiles of a level under a part of the picture, which may have fractions. */
  *under(part, level) {
    const inside = intersection(part, whole(this.width, this.height));
    if (!inside) return;
    const step = TILE * 2 ** level;
    for (let row = Math.floor(inside.top / step); row * step < inside.bottom; row++) {
      for (let column = Math.floor(inside.left / step); column * step < inside.right; column++) {
        yield { level, column, row, key: `${level} ${column} ${row}` };
      }
    }
  }

  /**
   * Draws the tiles that lie in a part of the screen.
   *
   * @param {Context} context clipped to `damage`
   * @param {Placement} placement
   * @param {Rectangle} damage in device pixels
   * @param {(tile: Tile) => CanvasImageSource | null | undefined} imageOf
   */
  draw(context, { scale, x, y, soft = false }, damage, imageOf) {
    const level = this.levelFor(scale);
    const seen = {
      left: (damage.left - x) / scale,
      top: (damage.top - y) / scale,
      right: (damage.right - x) / scale,
      bottom: (damage.bottom - y) / scale,
    };
    context.imageSmoothingEnabled = soft || scale < SMOOTH_BELOW;
    for (const tile of this.under(seen, level)) {
      const image = imageOf(tile);
      if (!image) continue;
      const part = this.covered(tile);
      const width = (part.right - part.left) / 2 ** level;
      const height = (part.bottom - part.top) / 2 ** level;
      // Whole device pixels: neighbours share their edge and leave no seam.
      const [left, right] = [Math.round(x + part.left * scale), Math.round(x + part.right * scale)];
      const [top, bottom] = [Math.round(y + part.top * scale), Math.round(y + part.bottom * scale)];
      context.drawImage(image, 0, 0, width, height, left, top, right - left, bottom - top);
    }
  }
}

/** A picture in tiles; what was never written is transparent. */
export class Pyramid {
  /** @type {Map<string, OffscreenCanvas>} */
  #tiles = new Map();

  constructor(width, height) {
    this.grid = new Grid(width, height);
  }

  clear() {
    this.#tiles.clear();
  }

  /** @param {Placement} placement @param {Rectangle} damage */
  draw(context, placement, damage) {
    this.grid.draw(context, placement, damage, ({ key }) => this.#tiles.get(key));
  }

  /** Takes in a whole picture, tile by tile. @returns {Generator<void, void>} */
  *fill(picture) {
    const { width, height, finest } = this.grid;
    for (const tile of this.grid.under(whole(width, height), finest)) {
      const part = this.grid.covered(tile);
      this.#draw(part, true, (context, scale) => {
        const [w, h] = [part.right - part.left, part.bottom - part.top];
        context.drawImage(picture, part.left, part.top, w, h, 0, 0, w * scale, h * scale);
      });
      yield;
    }
  }

  /** Takes in new pixels for a part. @param {ImageData} image */
  write(image, left, top) {
    const part = { left, top, right: left + image.width, bottom: top + image.height };
    const canvas = this.grid.finest > 0 && new OffscreenCanvas(image.width, image.height);
    if (canvas) canvas.getContext("2d").putImageData(image, 0, 0);
    this.#draw(part, isVisible(image), (context, scale, x, y) => {
      if (!canvas) context.putImageData(image, left - x, top - y);
      else {
        const [w, h] = [image.width * scale, image.height * scale];
        context.drawImage(canvas, (left - x) * scale, (top - y) * scale, w, h);
      }
    });
  }

  /**
   * Draws a part anew in all levels; tiles that are missing stay so unless it is `visible`.
   *
   * @param {(context: Context, scale: number, x: number, y: number) => void} draw fills a tile of
   *   the finest level, whose corner is at x, y of the picture
   */
  #draw(part, visible, draw) {
    for (let level = this.grid.finest; level <= this.grid.coarsest; level++) {
      const scale = 1 / 2 ** level;
      for (const tile of this.grid.under(part, level)) {
        const context = this.#contextOf(tile, visible);
        if (!context) continue;
        const { left, top } = this.grid.covered(tile);
        const changed = outward({
          left: (part.left - left) * scale,
          top: (part.top - top) * scale,
          right: (part.right - left) * scale,
          bottom: (part.bottom - top) * scale,
        });
        context.save();
        clip(context, changed);
        if (level === this.grid.finest) draw(context, scale, left, top);
        else this.#drawFiner(context, tile);
        context.restore();
      }
    }
  }

  /** Draws the four tiles of the finer level, each into its quarter. */
  #drawFiner(context, { level, column, row }) {
    for (const [right, down] of [[0, 0], [1, 0], [0, 1], [1, 1]]) {
      const finer = this.#tiles.get(`${level - 1} ${2 * column + right} ${2 * row + down}`);
      const half = TILE / 2;
      if (finer) context.drawImage(finer, right * half, down * half, half, half);
    }
  }

  #contextOf({ key }, needed) {
    let canvas = this.#tiles.get(key);
    if (!canvas) {
      if (!needed) return null;
      canvas = new OffscreenCanvas(TILE, TILE);
      this.#tiles.set(key, canvas);
    }
    return canvas.getContext("2d");
  }
}

/** Restricts drawing to a rectangle and empties it. */
export function clip(context, { left, top, right, bottom }) {
  context.beginPath();
  context.rect(left, top, right - left, bottom - top);
  context.clip();
  context.clearRect(left, top, right - left, bottom - top);
}

/** Whether any pixel is not fully transparent. */
function isVisible({ data }) {
  for (let at = 3; at < data.length; at += 4) if (data[at]) return true;
  return false;
}
