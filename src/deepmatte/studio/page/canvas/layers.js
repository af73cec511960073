/**
 * Everything that is drawn of a project: photo, marks, result, background.
 */

import { Emitter } from "../model/emitter.js";
import { union } from "../model/rectangle.js";
import { Backdrop } from "./backdrop.js";
import { Frame } from "./frame.js";
import { Overlay } from "./overlay.js";
import { Pyramid } from "./tiles.js";

/** Event "first": there is a result to show. */
export class Layers extends Emitter {
  /** Whether there is a result to show. */
  answered = false;
  /** @type {import("../model/rectangle.js").Rectangle | null} */
  #inked = null;

  /**
   * @param {import("./stage.js").Stage} stage
   * @param {import("../model/trimap.js").Trimap} trimap
   * @param {Pyramid} photo
   */
  constructor(stage, trimap, photo) {
    super();
    this.stage = stage;
    this.trimap = trimap;
    this.photo = photo;
    this.result = new Pyramid(trimap.width, trimap.height);
    this.frame = new Frame(trimap, stage.view);
    this.backdrop = new Backdrop(trimap, stage.view, this.frame);
    /** The photo's own background, blurred. */
    this.surroundings = new Backdrop(trimap, stage.view, this.frame, true);
    /** What the subject casts; it lies in the photo and moves with the subject. */
    this.shadow = new Backdrop(trimap, stage.view, new Frame(trimap, stage.view), true);
    for (const each of [this.frame, this.backdrop, this.surroundings, this.shadow]) {
      each.on("change", () => stage.redraw());
    }
    this.ink = new Overlay(trimap, { besides: trimap.committed, strong: true });
    this.reset();
  }

  /** Whether there is a trimap, and not only strokes on an untouched photo. */
  get begun() {
    return this.trimap.history.begun;
  }

  /** There is a trimap now, or none any more: what was shown does not hold. */
  reset() {
    this.overlay = new Overlay(this.trimap, { unknown: this.begun, strong: !this.begun });
    this.answered = false;
    this.result.clear();
    this.clearInk();
    this.stage.redraw();
  }

  /** The labels in a part have been painted: shows it in the next frame. */
  showMarks(part) {
    const { stage } = this;
    if (stage.marksAreSeen) this.overlay.update(part, stage.view);
    else this.overlay.clear();
    if (!stage.showsMarks) {
      this.ink.update(part, stage.view);
      this.#inked = union(this.#inked, part);
    }
    stage.invalidate(part);
  }

  /** The labels in a part have been changed otherwise. */
  updateMarks(part) {
    this.overlay.update(part, this.stage.view);
    this.stage.invalidate(part);
  }

  /** Takes in pixels of the result, see the event "pixels" of `Live`. */
  show({ image, left, top, fresh, current }) {
    const { stage } = this;
    if (fresh) this.result.clear();
    this.result.write(image, left, top);
    if (current) this.clearInk();
    if (!this.answered || fresh) {
      this.answered = true;
      this.emit("first");
      stage.redraw();
    } else {
      stage.invalidate({ left, top, right: left + image.width, bottom: top + image.height });
    }
    if (current) {
      stage.addEventListener("drawn", () => performance.mark("answer drawn"), { once: true });
    }
  }

  /** Strokes over the result go once it has followed them. */
  clearInk() {
    this.ink.clear();
    if (this.#inked) this.stage.invalidate(this.#inked);
    this.#inked = null;
  }
}
