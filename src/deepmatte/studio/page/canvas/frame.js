/**
 * The frame of the picture that is made of the subject and another background: the photo's own, as
 * long as the subject stays where it is.
 *
 * The subject is never moved, so that painting goes on as before. Who moves it moves the frame the
 * other way, and the view with it, so that the frame and what is behind stay where they are seen.
 */

import { Emitter } from "../model/emitter.js";

const SMALLEST = 0.05; // of the subject, in the frame
const LARGEST = 20;

/** Event "change". */
export class Frame extends Emitter {
  /** Where its top left corner is, and how many of the photo's pixels one of its own is wide. */
  left = 0;
  top = 0;
  scale = 1;

  /** @param {{width: number, height: number}} picture @param {import("./view.js").View} view */
  constructor(picture, view) {
    super();
    this.picture = picture;
    this.view = view;
  }

  /** In pixels of the photo. @returns {import("../model/rectangle.js").Rectangle} */
  get area() {
    const { left, top, scale } = this;
    const { width, height } = this.picture;
    return { left, top, right: left + width * scale, bottom: top + height * scale };
  }

  /** Where the subject's photo lies in it: its corner and its size; null: where it was. */
  get subject() {
    const { left, top, scale } = this;
    if (left === 0 && top === 0 && scale === 1) return null;
    return { left: -left / scale, top: -top / scale, scale: 1 / scale };
  }

  set subject(place) {
    if (place) this.#place(-place.left / place.scale, -place.top / place.scale, 1 / place.scale);
    else this.#place(0, 0, 1);
  }

  /** A place of the photo, in the frame's own pixels. @param {{x: number, y: number}} place */
  inside({ x, y }) {
    return { x: (x - this.left) / this.scale, y: (y - this.top) / this.scale };
  }

  /** What is placed in the frame, on the screen. @param {{left: number, top: number, scale: number}} thing */
  placement({ left, top, scale }, view) {
    return {
      scale: scale * this.scale * view.scale,
      x: view.x + (this.left + left * this.scale) * view.scale,
      y: view.y + (this.top + top * this.scale) * view.scale,
    };
  }

  /** Moves the subject. @param {number} x in device pixels @param {number} y */
  pan(x, y) {
    const { view } = this;
    const before = { x: view.x, y: view.y };
    view.pan(x, y);
    const [right, down] = [view.x - before.x, view.y - before.y];
    this.#place(this.left - right / view.scale, this.top - down / view.scale, this.scale);
  }

  /** Scales the subject about a point of the screen. */
  zoom(factor, x = this.view.screen.width / 2, y = this.view.screen.height / 2) {
    const { view } = this;
    const wanted = Math.min(LARGEST, Math.max(SMALLEST, factor / this.scale));
    const centre = view.toPicture(x, y);
    const before = view.scale;
    view.zoom(wanted * this.scale, x, y);
    const ratio = before / view.scale;
    this.#place(
      centre.x - (centre.x - this.left) * ratio,
      centre.y - (centre.y - this.top) * ratio,
      this.scale * ratio,
    );
  }

  #place(left, top, scale) {
    Object.assign(this, { left, top, scale });
    this.view.frame = this.area;
    this.emit("change");
  }
}
