/**
 * Whole trimaps, which the server makes: from a box, from strokes, from a file, with another band.
 */

import { UNKNOWN, BACKGROUND, FOREGROUND } from "./labels.js";
import { Refused } from "./server.js";

export class Trimaps {
  #band = null; // what the slider started from, its last position, and the step that this made

  /** @param {import("./studio.js").Studio} studio */
  constructor(studio) {
    this.studio = studio;
  }

  fromBox({ left, top, right, bottom }) {
    const body = JSON.stringify({ left, top, right, bottom });
    return this.#make("Box", "Looking for the subject in your box", "box", {}, () => body);
  }

  /** Whether there are strokes of both kinds to grow a trimap from. */
  get canGrow() {
    const { project } = this.studio.workspace;
    return !project.history.begun && this.#strokes().every(Boolean);
  }

  /** Whether anything is marked to be kept, and to be removed. @returns {[boolean, boolean]} */
  #strokes() {
    const { labels } = this.studio.workspace.project;
    return [labels.includes(FOREGROUND), labels.includes(BACKGROUND)];
  }

  fromStrokes() {
    const { project } = this.studio.workspace;
    const [keep, remove] = this.#strokes();
    if (!keep || !remove) {
      const missing = keep ? "also mark something to remove" : "also mark something to keep";
      this.studio.messages.notice(`Before the subject can be found, ${missing}.`);
      return null;
    }
    return this.#make("Strokes", "Looking for the subject from your strokes", "strokes", {}, () =>
      project.labels.slice(),
    );
  }

  /** @param {Blob} file @param {"trimap" | "mask"} kind */
  fromFile(file, kind) {
    const name = kind === "mask" ? "Mask" : "Trimap";
    return this.#make(name, `Reading the ${kind}`, "file", { kind, name: file.name }, () => file);
  }

  /** Back to the beginning: nothing is known. */
  clear() {
    const { project } = this.studio.workspace;
    if (project.waitingFor) return null;
    return project.replace(new Uint8Array(project.labels.length).fill(UNKNOWN), "nothing", "Clear");
  }

  /**
   * Widens (or narrows) the unknown band by some pixels on each side, always from where it was
   * when the slider was first moved: the slider's last position is the only step.
   */
  async band(pixels) {
    const { project, live } = this.studio.workspace;
    const { history } = project;
    if (project.waitingFor || pixels === this.bandPixels) return;
    if (!this.#bandHolds) this.#band = { from: project.labels.slice(), step: history.undoable };
    const band = this.#band;
    live.held = true;
    try {
      if (band.pixels) await project.undo();
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
    const { workspace } = this.studio;
    return this.#band !== null && workspace?.project.history.undoable === this.#band.step;
  }

  /** @returns {Promise<boolean>} whether there is a new trimap */
  async #make(name, waitingFor, route, query, body) {
    const { workspace, messages, server } = this.studio;
    const { project } = workspace;
    if (project.waitingFor) return false;
    project.waitingFor = waitingFor;
    const controller = new AbortController();
    const done = messages.busy(waitingFor, () => controller.abort());
    try {
      const response = await workspace.live.withPicture((id) =>
        server.call(`pictures/${id}/trimap/${route}`, {
          method: "POST",
          query,
          body: body(),
          signal: controller.signal,
        }),
      );
      const labels = new Uint8Array(await response.arrayBuffer());
      await project.replace(labels, "trimap", name);
      messages.clear();
      return true;
    } catch (error) {
      if (controller.signal.aborted) return false;
      if (!(error instanceof Refused)) throw error;
      messages.error(error.message);
      return false;
    } finally {
      done();
      project.waitingFor = null;
      this.studio.changed();
    }
  }
}
