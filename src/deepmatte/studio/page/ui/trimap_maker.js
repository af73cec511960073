/**
 * Whole trimaps, which the server makes: from a box, from strokes, from a file, with another band.
 */

import { UNKNOWN, BACKGROUND, FOREGROUND } from "../model/labels.js";
import { Refused } from "../model/errors.js";

export class TrimapMaker {
  #band = null; // what the slider started from, its last position, and the step that this made

  /** @param {import("../studio.js").Studio} studio */
  constructor(studio) {
    this.studio = studio;
  }

  fromBox({ left, top, right, bottom }) {
    const body = JSON.stringify({ left, top, right, bottom });
    return this.#make("Box", "Looking for the subject in your box", "box", {}, () => body);
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
      const missing = keep ? "also mark something to remove" : "also mark something to keep";
      this.studio.messages.notice(`Before the subject can be found, ${missing}.`);
      return null;
    }
    return this.#make("Strokes", "Looking for the subject from your strokes", "strokes", {}, () =>
      trimap.labels.slice(),
    );
  }

  /** @param {File} file @param {"trimap" | "mask"} kind */
  fromFile(file, kind) {
    const name = kind === "mask" ? "Mask" : "Trimap";
    return this.#make(name, `Reading the ${kind}`, "file", { kind, name: file.name }, () => file);
  }

  /** Back to the beginning: nothing is known. */
  clear() {
    const { trimap } = this.studio.project;
    if (trimap.waitingFor) return null;
    return trimap.replace(new Uint8Array(trimap.labels.length).fill(UNKNOWN), "nothing", "Clear");
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
      const moved = pixels && (await this.#make("Band", "Moving the edge", "band", { pixels }, from));
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
  async #make(name, waitingFor, route, query, body) {
    const { project, messages, server } = this.studio;
    const { trimap } = project;
    if (trimap.waitingFor) return false;
    trimap.waitingFor = waitingFor;
    const controller = new AbortController();
    const done = messages.busy(waitingFor, () => controller.abort());
    try {
      const response = await project.live.withPicture((id) =>
        server.call(`pictures/${id}/trimap/${route}`, {
          method: "POST",
          query,
          body: body(),
          signal: controller.signal,
        }),
      );
      const labels = new Uint8Array(await response.arrayBuffer());
      await trimap.replace(labels, "trimap", name);
      messages.clear();
      return true;
    } catch (error) {
      if (controller.signal.aborted) return false;
      if (!(error instanceof Refused)) throw error;
      messages.error(error.message);
      return false;
    } finally {
      done();
      trimap.waitingFor = null;
      this.studio.changed();
    }
  }
}
