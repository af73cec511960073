/**
 * The box: drawn around the subject, and adjusted by its handles as long as nothing else was done.
 */

import { LABELS } from "../model/labels.js";
import { intersection, outward } from "../model/rectangle.js";

const SMALLEST = 6; // pixels of the picture
const NEAR = 12; // CSS pixels from a handle that still hold it

/** Where the handles are: -1 left or top, 0 in the middle, 1 right or bottom. */
const HANDLES = [[-1, -1], [0, -1], [1, -1], [-1, 0], [1, 0], [-1, 1], [0, 1], [1, 1]];
/** What the pointer looks like over a handle, by the product of its two numbers. */
const CURSORS = { "-1": "nesw", 1: "nwse" };

/**
 * @typedef {import("../model/rectangle.js").Rectangle} Rectangle
 * @typedef {{x: number, y: number}} Point
 */

export class BoxTool {
  /** The one that is being drawn. @type {{from: Point, to: Point, use: string | null} | null} */
  #drawn = null;
  /** The one whose handle is held. @type {{box: Rectangle, handle: number[]} | null} */
  #held = null;
  /** The box that made the newest step. @type {{box: Rectangle, step: object} | null} */
  #last = null;
  /** What is waited for. @type {Rectangle | null} */
  #asked = null;

  /**
   * @param {import("../studio.js").Studio} studio
   * @param {HTMLElement} element
   * @param {() => Promise<string>} askAgain what another box is for
   */
  constructor(studio, element, askAgain) {
    this.studio = studio;
    this.element = element;
    this.askAgain = askAgain;
    studio.view.on("change", () => this.#show());
    studio.on("change", () => this.#show());
    studio.settings.on("change", () => this.#show());
  }

  get active() {
    return Boolean(this.#drawn ?? this.#held);
  }

  /** @param {Point} place in the picture @param {Point} point on the screen */
  begin(place, point, event) {
    const box = this.#adjustable;
    const handle = box && this.#handleAt(point, box);
    if (handle) this.#held = { box: { ...box }, handle };
    else {
      const use = event.altKey ? "subtract" : event.shiftKey ? "add" : null;
      this.#drawn = { from: place, to: place, use };
    }
    this.#show();
  }

  /** @param {Point} place */
  move(place) {
    if (this.#drawn) this.#drawn.to = place;
    if (this.#held) {
      const { box, handle } = this.#held;
      const [right, down] = handle;
      if (right) box[right < 0 ? "left" : "right"] = place.x;
      if (down) box[down < 0 ? "top" : "bottom"] = place.y;
    }
    this.#show();
  }

  async end() {
    const box = this.#inPicture();
    const use = this.#held ? "replace" : this.#drawn.use;
    this.#drawn = this.#held = null;
    const smaller = box && Math.min(box.right - box.left, box.bottom - box.top);
    this.#asked = box;
    if (smaller >= SMALLEST) await this.#use(box, use);
    else this.studio.messages.notice("Drag a box around the whole subject: press, move, let go.");
    this.#asked = null;
    this.#show();
  }

  cancel() {
    this.#drawn = this.#held = null;
    this.#show();
  }

  /** @param {Point | null} point on the screen */
  hover(point) {
    const box = this.#adjustable;
    const handle = point && box && this.#handleAt(point, box);
    const [right, down] = handle ?? [0, 0];
    const shape = CURSORS[right * down] ?? (right ? "ew" : down ? "ns" : "");
    document.body.dataset.handle = shape;
  }

  /** The last box, while it may still be adjusted. */
  get #adjustable() {
    const { project, settings } = this.studio;
    const holds = this.#last && project?.trimap.history.undoable === this.#last.step;
    return settings.tool === "box" && holds ? this.#last.box : null;
  }

  /** @param {Point} point @param {Rectangle} box */
  #handleAt({ x, y }, box) {
    const { view } = this.studio;
    const { left, top, right, bottom } = view.toScreen(box);
    const away = (/** @type {number[]} */ [across, down]) => Math.hypot(
      x - (left + right + across * (right - left)) / 2,
      y - (top + bottom + down * (bottom - top)) / 2,
    );
    const nearest = HANDLES.reduce((one, other) => (away(other) < away(one) ? other : one));
    return away(nearest) <= NEAR * view.ratio ? nearest : null;
  }

  #show() {
    const { view } = this.studio;
    const box = this.active ? this.#asDrawn() : (this.#asked ?? this.#adjustable);
    this.element.hidden = !box;
    if (!box) return;
    this.element.classList.toggle("adjustable", this.#held !== null || box === this.#adjustable);
    const { left, top, right, bottom } = view.toScreen(box);
    const { style } = this.element;
    style.left = `${left / view.ratio}px`;
    style.top = `${top / view.ratio}px`;
    style.width = `${(right - left) / view.ratio}px`;
    style.height = `${(bottom - top) / view.ratio}px`;
  }

  #asDrawn() {
    const { from, to } = this.#drawn ?? corners(this.#held.box);
    return this.#inPicture() ?? around(from, to);
  }

  /** @returns {Rectangle | null} */
  #inPicture() {
    const { from, to } = this.#drawn ?? corners(this.#held.box);
    return intersection(this.studio.project.trimap.area, outward(around(from, to)));
  }

  /** A first box finds the subject; of a further one the user says what it is for. */
  async #use(box, use) {
    const { maker, project } = this.studio;
    const { begun, history } = project.trimap;
    const painted = begun && history.baseIndex < history.position - 1;
    const asked = use ?? (painted ? await this.askAgain() : "replace");
    if (begun && asked === "add") return maker.addBox(box);
    if (begun && asked === "subtract") return this.#remove(box);
    if (!asked) return null;
    const made = await maker.fromBox(box);
    if (made) this.#last = { box, step: history.undoable };
    return made;
  }

  #remove({ left, top, right, bottom }) {
    const { trimap, layers } = this.studio.project;
    const { labels, width } = trimap;
    for (let y = top; y < bottom; y++) {
      labels.fill(LABELS.background, y * width + left, y * width + right);
    }
    const rectangle = { left, top, right, bottom };
    layers.showMarks(rectangle);
    return trimap.commit("marks", "Box subtracted", rectangle);
  }
}

const corners = ({ left, top, right, bottom }) => ({
  from: { x: left, y: top },
  to: { x: right, y: bottom },
});

const around = (one, other) => ({
  left: Math.min(one.x, other.x),
  top: Math.min(one.y, other.y),
  right: Math.max(one.x, other.x),
  bottom: Math.max(one.y, other.y),
});
