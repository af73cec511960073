/**
 * The user's own background picture, and where it lies behind the subject.
 */

import { Emitter } from "../model/emitter.js";
import { Pyramid } from "./tiles.js";
import { inSlices } from "../model/slices.js";

/** Event "change". */
export class Backdrop extends Emitter {
  ready = false;
  /** @type {Pyramid | null} */
  pyramid = null;
  /** @type {Blob | null} */
  file = null;
  /** Where its top left corner is and how large it is, in pixels of the picture. */
  left = 0;
  top = 0;
  scale = 1;

  /** @param {{width: number, height: number}} picture in front @param view of the screen */
  constructor(picture, view) {
    super();
    this.picture = picture;
    this.view = view;
  }

  /**
   * @param {Blob} file
   * @param {{left: number, top: number, scale: number} | null} place
   * @throws {DOMException} the browser cannot read it
   */
  async open(file, place = null) {
    const bitmap = await createImageBitmap(file);
    const pyramid = new Pyramid(bitmap.width, bitmap.height);
    await inSlices(pyramid.fill(bitmap));
    bitmap.close();
    Object.assign(this, { file, pyramid, ready: true });
    if (place) this.#place(place.left, place.top, place.scale);
    else this.fit();
  }

  /** Covers the picture, as much as possible of the background in sight. */
  fit() {
    const { width, height } = this.pyramid.grid;
    const scale = Math.max(this.picture.width / width, this.picture.height / height);
    this.#place(
      (this.picture.width - width * scale) / 2,
      (this.picture.height - height * scale) / 2,
      scale,
    );
  }

  /** @param {number} x in device pixels */
  pan(x, y) {
    this.#place(this.left + x / this.view.scale, this.top + y / this.view.scale, this.scale);
  }

  zoom(factor, x, y) {
    const scale = Math.min(100, Math.max(0.01, this.scale * factor));
    const centre = this.view.toPicture(
      x ?? this.view.screen.width / 2,
      y ?? this.view.screen.height / 2,
    );
    const ratio = scale / this.scale;
    const left = centre.x - (centre.x - this.left) * ratio;
    const top = centre.y - (centre.y - this.top) * ratio;
    this.#place(left, top, scale);
  }

  get place() {
    return { left: this.left, top: this.top, scale: this.scale };
  }

  draw(context, view, damage) {
    const placement = {
      scale: this.scale * view.scale,
      x: view.x + this.left * view.scale,
      y: view.y + this.top * view.scale,
    };
    this.pyramid.draw(context, placement, damage);
  }

  #place(left, top, scale) {
    Object.assign(this, { left, top, scale });
    this.emit("change");
  }
}
