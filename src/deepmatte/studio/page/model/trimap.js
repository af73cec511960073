/**
 * The trimap that is painted, and everything that was done to it.
 *
 * Three arrays of labels, one byte a pixel each: as they are, as they were at the last step, and as
 * they were before the marks, to which the eraser goes back.
 */

import { Emitter } from "./emitter.js";
import { UNKNOWN } from "./labels.js";
import { union, whole } from "./rectangle.js";
import { History, apply, record } from "./history.js";
import { inSlices } from "./slices.js";

/**
 * Events: "change" (detail: rectangle, painted: whether the marks are on screen already) and
 * "history" (detail: step, the new one, if there is one).
 */
export class Trimap extends Emitter {
  /** One change after the other, whatever they wait for. */
  #turn = Promise.resolve();

  /** @param {number} width @param {number} height of the photo */
  constructor(width, height) {
    super();
    this.width = width;
    this.height = height;
    this.labels = new Uint8Array(width * height).fill(UNKNOWN);
    this.committed = this.labels.slice();
    this.base = this.labels.slice();
    this.history = new History();
    /** The name of what the whole trimap waits for; nothing can be painted meanwhile. */
    this.waitingFor = null;
  }

  /** Whether it is more than strokes on an untouched photo. */
  get begun() {
    return this.history.begun;
  }

  get area() {
    return whole(this.width, this.height);
  }

  /** Makes a step of what has been painted in a rectangle. */
  commit(kind, name, rectangle) {
    return this.#inTurn(async () => {
      const change = await inSlices(record(this.committed, this.labels, this.width, rectangle));
      if (!change) return null;
      const step = { kind, name, ...change };
      this.history.push(step);
      if (kind !== "marks") this.base.set(this.labels);
      this.#tell(step.rectangle, kind === "marks", step);
      return step;
    });
  }

  /**
   * Makes more of a step: other labels in a rectangle around it.
   *
   * A step that others have followed meanwhile stays, and what was found becomes a step of its own,
   * as far as nothing else has been painted there.
   *
   * @param {import("./history.js").Step} step
   * @param {import("./rectangle.js").Rectangle} rectangle
   * @param {Uint8Array} before the labels in it when they were looked at
   * @param {Uint8Array} found
   */
  amend(step, rectangle, before, found) {
    return this.#inTurn(async () => {
      const last = this.history.undoable === step;
      this.#take(rectangle, before, found);
      if (last) {
        await inSlices(apply(this.committed, this.width, step, true));
        this.history.position--;
      }
      const all = union(step.rectangle, rectangle);
      const change = await inSlices(record(this.committed, this.labels, this.width, all));
      if (!change) return this.#tell(all, false);
      const made = { kind: step.kind, name: step.name, ...change };
      this.history.push(made);
      return this.#tell(all, false, made);
    });
  }

  /** Labels that are still as they were become what was found. */
  #take({ left, top, right, bottom }, before, found) {
    for (let y = top, at = 0; y < bottom; y++) {
      for (let index = y * this.width + left; index < y * this.width + right; index++, at++) {
        if (this.labels[index] === before[at]) this.labels[index] = found[at];
      }
    }
  }

  /** Replaces the whole trimap, as one step. */
  async replace(labels, kind, name) {
    this.labels.set(labels);
    return (await this.commit(kind, name, this.area)) ?? this.#begin(kind, name);
  }

  /** A step without a difference still says that there is a trimap now. */
  #begin(kind, name) {
    return this.#inTurn(async () => {
      const rectangle = { left: 0, top: 0, right: 1, bottom: 1 };
      const step = { kind, name, rectangle, runs: new Uint8Array() };
      this.history.push(step);
      this.base.set(this.labels);
      this.#tell(rectangle, false, step);
      return step;
    });
  }

  undo() {
    return this.#inTurn(() => this.#move(this.history.undoable, true));
  }

  redo() {
    return this.#inTurn(() => this.#move(this.history.redoable, false));
  }

  /** Does the first steps of a stored history again, without making new ones. */
  restore(steps, position) {
    return this.#inTurn(async () => {
      this.history.steps = steps;
      this.labels.fill(UNKNOWN);
      for (const step of steps.slice(0, position)) {
        await inSlices(apply(this.labels, this.width, step, false));
      }
      this.history.position = position;
      this.committed.set(this.labels);
      await this.#rebase();
      this.#tell(this.area, false);
    });
  }

  async #move(step, back) {
    if (!step) return null;
    for (const labels of [this.labels, this.committed]) {
      await inSlices(apply(labels, this.width, step, back));
    }
    this.history.position += back ? -1 : 1;
    if (step.kind !== "marks") await this.#rebase();
    this.#tell(step.rectangle, false);
    return step;
  }

  /** What the eraser goes back to: the labels less the marks since the last whole trimap. */
  async #rebase() {
    this.base.set(this.labels);
    const { steps, position, baseIndex } = this.history;
    for (let index = position - 1; index > baseIndex; index--) {
      await inSlices(apply(this.base, this.width, steps[index], true));
    }
  }

  /** @param {() => Promise<any>} work @returns {Promise<any>} */
  #inTurn(work) {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {});
    return result;
  }

  #tell(rectangle, painted, step = null) {
    this.emit("history", { step });
    this.emit("change", { rectangle, painted });
  }
}
