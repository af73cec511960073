/**
 * Whole trimaps, which the server makes: from a box, from strokes, from a file, with another band.
 */

import { UNKNOWN, BACKGROUND, FOREGROUND } from "../model/labels.js";
import { Refused } from "../model/errors.js";
import { WrongSize } from "../server/calls.js";
import { abortable } from "../model/slices.js";

export class TrimapMaker {
  #band = null; // what the slider started from, its last position, and the step that this made

  /** @param {import("../studio.js").Studio} studio */
  constructor(studio) {
    this.studio = studio;
  }

  /** @param {import("../model/rectangle.js").Rectangle} box */
  async fromBox(box) {
    const { settings } = this.studio;
    const made = await this.#boxed(box, "Box");
    // What comes next is painting, whether the box has helped or not.
    settings.set("tool", "brush");
    settings.set("label", "foreground");
    return made;
  }

  /** Adds what is found in a box to what there is. @param {import("../model/rectangle.js").Rectangle} box */
  addBox(box) {
    const { labels } = this.studio.project.trimap;
    const before = labels.slice();
    const join = (made) => made.map((label, index) => Math.max(label, before[index]));
    return this.#boxed(box, "Box added", join);
  }

  #boxed({ left, top, right, bottom }, name, join = undefined) {
    const body = JSON.stringify({ left, top, right, bottom });
    const text = "Looking for the subject in your box";
    return this.#make(name, text, "box", {}, () => body, join);
  }

  /** What the segmenter takes for the subject. */
  fromSubject() {
    return this.#make("Subject", "Looking for the subject", "subject", {}, () => undefined);
  }

  /** The photo's own transparency. */
  fromAlpha() {
    return this.#make("Transparency", "Reading the transparency", "alpha", {}, () => undefined);
  }

  /** Without small holes in the subject, or small specks beside it. @param {string} what */
  clean(what) {
    const { trimap } = this.studio.project;
    const name = { holes: "Holes filled", islands: "Specks removed" }[what];
    return this.#make(name, "Cleaning up the marks", "clean", { what }, () => trimap.labels.slice());
  }

  /** Whether there are strokes of both kinds to grow a trimap from. */
  get canGrow() {
    const { trimap } = this.studio.project;
    return !trimap.history.begun && this.#strokes().every(Boolean);
  }

  /** Whether anything is marked to be kept, and to be removed. @returns {[boolean, boolean]} */
  #strokes() {
    const { labels } = this.studio.project.trimap;
    return [labels.includes(FOREGROUND), labels.includes(BACKGROUND)];
  }

  fromStrokes() {
    const { trimap } = this.studio.project;
    const [keep, remove] = this.#strokes();
    if (!keep || !remove) {
      const missing = keep ? "Remove" : "Keep";
      this.studio.messages.notice(`To find the subject, paint some ${missing} too.`);
      return null;
    }
    return this.#make("Strokes", "Looking for the subject from your strokes", "strokes", {}, () =>
      trimap.labels.slice(),
    );
  }

  /**
   * @param {File} file
   * @param {"trimap" | "mask" | "alpha"} kind
   * @param {boolean} resize brings another size to the photo's; else the user is asked
   */
  async fromFile(file, kind, resize = false) {
    const name = { trimap: "Trimap", mask: "Mask", alpha: "Alpha" }[kind];
    const query = { kind, name: file.name, resize: Number(resize) };
    try {
      return await this.#make(name, `Reading the ${kind}`, "file", query, () => file);
    } catch (error) {
      if (!(error instanceof WrongSize)) throw error;
      const run = () => this.fromFile(file, kind, true);
      this.studio.messages.error(error.message, { label: "Resize it to fit", run });
      return false;
    }
  }

  /** Back to the beginning: nothing is known. */
  clear() {
    const { trimap } = this.studio.project;
    if (trimap.waitingFor) return null;
    return trimap.replace(new Uint8Array(trimap.labels.length).fill(UNKNOWN), "nothing", "Start over");
  }

  /**
   * Widens (or narrows) the unknown band by some pixels on each side, always from where it was
   * when the slider was first moved: the slider's last position is the only step.
   */
  async band(pixels) {
    const { trimap, live } = this.studio.project;
    const { history } = trimap;
    if (trimap.waitingFor || pixels === this.bandPixels) return;
    if (!this.#bandHolds) this.#band = { from: trimap.labels.slice(), step: history.undoable };
    const band = this.#band;
    live.held = true;
    try {
      if (band.pixels) await trimap.undo();
      const from = () => band.from;
      const moved = pixels && (await this.#make("Band width", "Changing the band", "band", { pixels }, from));
      band.pixels = moved ? pixels : 0;
      band.step = history.undoable;
    } finally {
      live.release();
      this.studio.changed();
    }
  }

  /** By how many pixels the slider has moved the trimap as it is. */
  get bandPixels() {
    return this.#bandHolds ? (this.#band.pixels ?? 0) : 0;
  }

  /** Whether nothing has been done since the slider was moved. */
  get #bandHolds() {
    const { project } = this.studio;
    return this.#band !== null && project?.trimap.history.undoable === this.#band.step;
  }

  /** @returns {Promise<boolean>} whether there is a new trimap */
  async #make(name, waitingFor, route, query, body, join = (made) => made) {
    const { project, messages, server } = this.studio;
    const { trimap } = project;
    if (trimap.waitingFor) {
      messages.notice(`One moment: ${trimap.waitingFor.toLowerCase()}.`);
      return false;
    }
    trimap.waitingFor = waitingFor;
    const controller = new AbortController();
    const done = messages.busy(waitingFor, () => controller.abort());
    try {
      const { signal } = controller;
      const answer = project.live.withPicture((id) =>
        server.call(`pictures/${id}/trimap/${route}`, { method: "POST", query, body: body(), signal }),
      );
      const response = await abortable(answer, signal);
      const labels = new Uint8Array(await response.arrayBuffer());
      await trimap.replace(join(labels), "trimap", name);
      messages.clear();
      return true;
    } catch (error) {
      if (controller.signal.aborted) return false;
      if (!(error instanceof Refused) || error instanceof WrongSize) throw error;
      messages.error(error.message);
      return false;
    } finally {
      done();
      trimap.waitingFor = null;
      this.studio.changed();
    }
  }
}
