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
  /** Where its top left corner is and how large it is, in pixels of the frame. */
  left = 0;
  top = 0;
  scale = 1;

  /**
   * @param {{width: number, height: number}} picture in front
   * @param {import("./view.js").View} view
   * @param {import("./frame.js").Frame} frame in which it lies
   * @param {boolean} soft whether it is blurred, and so never seen as squares
   */
  constructor(picture, view, frame, soft = false) {
    super();
    this.picture = picture;
    this.view = view;
    this.frame = frame;
    this.soft = soft;
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
    const step = this.view.scale * this.frame.scale;
    this.#place(this.left + x / step, this.top + y / step, this.scale);
  }

  zoom(factor, x, y) {
    const scale = Math.min(100, Math.max(0.01, this.scale * factor));
    const { width, height } = this.view.screen;
    const centre = this.frame.inside(this.view.toPicture(x ?? width / 2, y ?? height / 2));
    const ratio = scale / this.scale;
    const left = centre.x - (centre.x - this.left) * ratio;
    const top = centre.y - (centre.y - this.top) * ratio;
    this.#place(left, top, scale);
  }

  get place() {
    return { left: this.left, top: this.top, scale: this.scale };
  }

  draw(context, view, damage) {
    const { soft } = this;
    this.pyramid.draw(context, { ...this.frame.placement(this, view), soft }, damage);
  }

  #place(left, top, scale) {
    Object.assign(this, { left, top, scale });
    this.emit("change");
  }
}
