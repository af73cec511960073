/**
 * Which part of the picture the screen shows: the same scale both ways, always.
 */

import { Emitter } from "../model/emitter.js";
import { union, whole } from "../model/rectangle.js";

const LARGEST = 32; // device pixels a pixel
const STEP = 1.25;
const LARGEST_FIT = 8; // CSS pixels a pixel, of a small picture that is shown whole
const MARGIN = 24; // CSS pixels around a picture that is shown whole

/** Event "change". */
export class View extends Emitter {
  /** Of the picture: pixels. */
  picture = { width: 1, height: 1 };
  /** What is shown besides the picture when all is shown: another frame around the subject. */
  frame = whole(1, 1);
  /** Of the screen: device pixels. */
  screen = { width: 1, height: 1 };
  /** Device pixels a CSS pixel. */
  ratio = 1;
  scale = 1;
  x = 0;
  y = 0;
  /** How many CSS pixels at the top something else covers. */
  #covered = 0;
  #fitted = true;

  /** The screen's size in device pixels. */
  resize(width, height, ratio) {
    const { scale, screen } = this;
    const centre = this.toPicture(screen.width / 2, screen.height / 2);
    this.screen = { width, height };
    this.ratio = ratio;
    if (this.#fitted) return this.fit();
    this.#place(scale, width / 2 - centre.x * scale, height / 2 - centre.y * scale);
  }

  /**
   * Something covers so many CSS pixels at the top. A picture that is shown whole makes room for
   * more; where there is less, it stays where it is.
   *
   * @param {number} height
   */
  cover(height) {
    const grows = height > this.#covered;
    this.#covered = height;
    if (grows && this.#fitted) this.fit();
  }

  open(width, height) {
    this.picture = { width, height };
    this.frame = whole(width, height);
    this.fit();
  }

  /** A place of the picture in the middle of the screen. @param {{x: number, y: number}} place */
  look({ x, y }, scale) {
    this.#fitted = false;
    this.scale = scale;
    this.x = this.screen.width / 2 - x * scale;
    this.y = this.screen.height / 2 - y * scale;
    this.emit("change");
  }

  /** All that there is to see: the picture and the frame. */
  get #all() {
    const { left, top, right, bottom } = union(
      whole(this.picture.width, this.picture.height),
      this.frame,
    );
    return { left, top, width: right - left, height: bottom - top };
  }

  /** The scale at which the whole picture is seen. */
  get fitting() {
    const room = 2 * MARGIN * this.ratio;
    const { width, height } = this.#all;
    const across = Math.max(1, this.screen.width - room) / width;
    const down = Math.max(1, this.screen.height - room - this.#covered * this.ratio) / height;
    return Math.min(across, down, LARGEST_FIT * this.ratio);
  }

  fit() {
    this.#fitted = true;
    const scale = this.fitting;
    const { left, top, width, height } = this.#all;
    const room = this.screen.height + this.#covered * this.ratio;
    this.#place(
      scale,
      Math.round((this.screen.width - width * scale) / 2 - left * scale),
      Math.round((room - height * scale) / 2 - top * scale),
    );
  }

  /** One pixel of the picture on one of the screen; again: the whole. */
  toggleActualSize() {
    if (this.scale === 1) this.fit();
    else this.zoom(1 / this.scale);
  }

  /** So many pixels of the screen for one of the picture. @param {number} scale */
  zoomTo(scale) {
    this.zoom(scale / this.scale);
  }

  zoomStep(direction) {
    this.zoom(STEP ** direction);
  }

  /** Enlarges by a factor about a point of the screen, its centre by default. */
  zoom(factor, x = this.screen.width / 2, y = this.screen.height / 2) {
    const smallest = Math.min(this.fitting / 2, 1);
    const scale = Math.min(LARGEST, Math.max(smallest, this.scale * factor));
    const point = this.toPicture(x, y);
    this.#fitted = false;
    this.#place(scale, x - point.x * scale, y - point.y * scale);
  }

  pan(x, y) {
    this.#fitted = false;
    this.#place(this.scale, this.x + x, this.y + y);
  }

  /** @returns {{x: number, y: number}} pixels of the picture, with fractions */
  toPicture(x, y) {
    return { x: (x - this.x) / this.scale, y: (y - this.y) / this.scale };
  }

  /** A rectangle of the picture on the screen, with fractions. */
  toScreen({ left, top, right, bottom }) {
    const { scale, x, y } = this;
    return {
      left: left * scale + x,
      top: top * scale + y,
      right: right * scale + x,
      bottom: bottom * scale + y,
    };
  }

  /** At least a corner of the picture stays on the screen. */
  #place(scale, x, y) {
    const kept = 48 * this.ratio;
    const clamp = (value, low, high) => Math.max(low, Math.min(high, value));
    const { width, height } = this.picture;
    this.scale = scale;
    this.x = clamp(x, kept - width * scale, this.screen.width - kept);
    this.y = clamp(y, kept - height * scale, this.screen.height - kept);
    this.emit("change");
  }
}
