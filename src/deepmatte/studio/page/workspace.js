/**
 * An open project with everything that is drawn of it, and the server's part in it.
 */

import * as storage from "./storage.js";
import { union } from "./rectangle.js";
import { Backdrop } from "./backdrop.js";
import { Live } from "./live.js";
import { Overlay } from "./overlay.js";
import { Pyramid } from "./tiles.js";
import { nextFrame } from "./slices.js";

const CALM = 150; // milliseconds
const SHARE_OF_FRAME = 8; // milliseconds for taking in results before painting has its turn

export class Workspace {
  /** Whether there is a result to show. */
  answered = false;
  /** Whether the first result is to be shown by itself, without being asked for. */
  reveals = false;
  #begun = null;
  #inked = null;
  #frameStarted = 0;
  #keeping = Promise.resolve();
  #timer = 0;

  /**
   * @param {import("./studio.js").Studio} studio
   * @param {import("./project.js").Project} project
   * @param {Pyramid} photo
   * @param {string} id of the picture on the server
   * @param {Blob | null} thumbnail
   */
  constructor(studio, project, photo, id, thumbnail) {
    Object.assign(this, { studio, project, photo, thumbnail });
    this.result = new Pyramid(project.width, project.height);
    this.backdrop = new Backdrop(project, studio.view);
    this.ink = new Overlay(project, { besides: project.committed, strong: true });
    this.live = new Live(project, studio.server, () => this.#upload(), () => this.#breathe());
    this.live.id = id;
    this.#follow();
    this.#begin();
  }

  get begun() {
    return this.project.history.begun;
  }

  close() {
    this.live.close();
    const { id } = this.live;
    this.studio.server.leave(`pictures/${id}`);
  }

  /** The labels in a part have changed: shows it in the next frame. */
  showMarks(part) {
    const { stage, view } = this.studio;
    if (stage.showsMarks) this.overlay.update(part, view);
    else {
      this.overlay.clear();
      this.ink.update(part, view);
      this.#inked = union(this.#inked, part);
    }
    stage.invalidate(part);
  }

  #follow() {
    const { project, live, studio } = this;
    project.addEventListener("change", ({ detail }) => this.#change(detail));
    project.addEventListener("history", ({ detail }) => this.keep(detail.step));
    live.addEventListener("pixels", ({ detail }) => this.#take(detail));
    live.addEventListener("state", () => this.#progress());
    live.addEventListener("notes", ({ detail }) => studio.messages.notes(detail));
    live.addEventListener("error", ({ detail }) => studio.messages.error(detail));
    this.backdrop.addEventListener("change", () => {
      studio.stage.redraw();
      this.keepSoon();
    });
  }

  #change({ rectangle, painted }) {
    if (this.begun !== this.#begun) this.#begin();
    else if (!painted) {
      this.overlay.update(rectangle, this.studio.view);
      this.studio.stage.invalidate(rectangle);
    }
    this.live.touch(rectangle);
    this.studio.changed();
  }

  /** There is a trimap now, or none any more. */
  #begin() {
    this.#begun = this.reveals = this.begun;
    this.overlay = new Overlay(this.project, { unknown: this.begun, strong: !this.begun });
    this.answered = false;
    this.result.clear();
    this.#clearInk();
    this.studio.stage.redraw();
  }

  #take({ image, left, top, fresh, current }) {
    if (fresh) this.result.clear();
    this.result.write(image, left, top);
    const { stage } = this.studio;
    if (current) this.#clearInk();
    if (!this.answered || fresh) {
      this.answered = true;
      this.#reveal();
      stage.redraw();
      this.studio.changed();
    } else {
      stage.invalidate({ left, top, right: left + image.width, bottom: top + image.height });
    }
    if (current) {
      stage.addEventListener("drawn", () => performance.mark("answer drawn"), { once: true });
    }
  }

  /** The marks have been looked at long enough: the first cut-out shows itself. */
  #reveal() {
    if (this.reveals && this.studio.settings.view === "marks") {
      this.studio.settings.set("view", "cutout");
      this.studio.settings.set("tool", "brush");
      this.studio.messages.once(
        "Something is missing, or too much? Paint over it: Keep, Remove, or Find out for hair.",
      );
    }
    this.reveals = false;
  }

  #clearInk() {
    this.ink.clear();
    if (this.#inked) this.studio.stage.invalidate(this.#inked);
    this.#inked = null;
  }

  #progress() {
    if (this.live.state === "done") this.#clearInk();
    this.studio.changed();
  }

  /** Keeps each frame's share of the work bounded while results come in. */
  async #breathe() {
    const now = performance.now();
    if (now - this.#frameStarted < SHARE_OF_FRAME) return;
    await nextFrame();
    this.#frameStarted = performance.now();
  }

  async #upload() {
    const { name, file } = this.project;
    const { server } = this.studio;
    const query = { name };
    const response = await server.call("pictures", { method: "POST", query, body: file });
    return (await response.json()).id;
  }

  /** What the browser keeps of it, besides the picture and the steps. */
  get stored() {
    const { id, name, width, height, fingerprint, history } = this.project;
    const { thumbnail, backdrop } = this;
    const settings = this.studio.settings.shared();
    const place = backdrop.ready ? backdrop.place : null;
    const position = history.position;
    const saved = Date.now();
    return { id, name, width, height, fingerprint, position, saved, settings, thumbnail, place };
  }

  /** Keeps the newest step, or only the position and settings. */
  keep(step = null) {
    const { history } = this.project;
    const index = history.position - 1;
    const write = step
      ? () => storage.keepStep(this.stored, index, step)
      : () => storage.keep(this.stored);
    return this.keeping(write);
  }

  /** Keeps settings once they have not been changed for a moment. */
  keepSoon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.live.closed || this.keep(), CALM);
  }

  /** Writes one thing after the other, and says so if the browser refuses. */
  keeping(write) {
    this.#keeping = this.#keeping.then(write).catch(() => {
      this.studio.messages.once(
        "This browser keeps nothing here; save the project to have your strokes again later.",
      );
    });
    return this.#keeping;
  }
}
