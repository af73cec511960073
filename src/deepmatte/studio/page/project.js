/**
 * The open project: a photo, its trimap and what is drawn of both, with the server's part in it and
 * the browser's copy.
 */

import * as storage from "./model/storage.js";
import { Layers } from "./canvas/layers.js";
import { Live } from "./server/live.js";
import { REFINING } from "./model/settings.js";
import { Refused } from "./model/errors.js";
import { Trimap } from "./model/trimap.js";
import { nextFrame } from "./model/slices.js";

const CALM = 150; // milliseconds
const SHARE_OF_FRAME = 8; // milliseconds for taking in results before painting has its turn

/**
 * @typedef {{id: string, name: string, width: number, height: number, file: Blob,
 *   fingerprint: string, thumbnail: Blob | null}} Photo the file that a project is about; `id` is
 *   the project's
 */

export class Project {
  /** Whether the first result is to be shown by itself, without being asked for. */
  reveals = false;
  /** @type {boolean | null} */
  #begun = null;
  #frameStarted = 0;
  /** @type {Promise<unknown>} */
  #keeping = Promise.resolve();
  #timer = 0;

  /**
   * @param {import("./studio.js").Studio} studio
   * @param {Photo} photo
   * @param {import("./canvas/tiles.js").Pyramid} pixels of the photo
   * @param {{id: string, alpha?: boolean}} picture the server's, and whether it is transparent
   */
  constructor(studio, photo, pixels, picture) {
    this.studio = studio;
    this.photo = photo;
    this.trimap = new Trimap(photo.width, photo.height);
    this.layers = new Layers(studio.stage, this.trimap, pixels);
    this.live = new Live(
      this.trimap,
      studio.server,
      () => this.#upload(),
      () => this.#breathe(),
      () => studio.settings.refinement(),
    );
    this.live.id = picture.id;
    this.transparent = Boolean(picture.alpha);
    this.#follow();
    this.#begin();
  }

  get id() {
    return this.photo.id;
  }

  get name() {
    return this.photo.name;
  }

  /** Whether there is a trimap, and not only strokes on an untouched photo. */
  get begun() {
    return this.trimap.history.begun;
  }

  /** Follows a setting. @param {string} name */
  apply(name) {
    this.keepSoon();
    if (REFINING.includes(name) && this.begun) this.live.refresh();
    if (["behind", "blur"].includes(name)) this.#surround();
    if (name === "shadow") this.#shade();
  }

  /** The photo's own background, blurred, as the server makes it of the matte. */
  async #surround() {
    if (this.studio.settings.behind !== "blur") return;
    const percent = this.studio.settings.blur;
    const made = await this.#made("surroundings", { percent });
    if (made) await this.layers.surroundings.open(await made.blob());
  }

  /** The shadow that the subject casts: it may lie outside of the photo. */
  async #shade() {
    if (!this.studio.settings.shadow) return;
    const made = await this.#made("shadow", {});
    if (!made) return;
    const [left, top, scale] = made.headers.get("X-Place").split(" ").map(Number);
    await this.layers.shadow.open(await made.blob(), { left, top, scale });
  }

  /** What the server makes of the matte once it is up to date; null: it has none now. */
  async #made(what, query) {
    const { server, messages } = this.studio;
    if (this.live.state !== "done" || this.live.closed) return null;
    try {
      return await this.live.withPicture((id) => server.call(`pictures/${id}/${what}`, { query }));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      messages.error(error.message);
      return null;
    }
  }

  close() {
    this.live.close();
    this.studio.server.leave(`pictures/${this.live.id}`);
  }

  #follow() {
    const { trimap, live, layers, studio } = this;
    trimap.on("change", (detail) => this.#change(detail));
    trimap.on("history", (detail) => this.keep(detail.step));
    live.on("pixels", (detail) => layers.show(detail));
    live.addEventListener("state", () => this.#progress());
    live.on("notes", (detail) => studio.messages.notes(detail));
    live.on("error", (detail) => studio.messages.error(detail));
    layers.addEventListener("first", () => this.#reveal());
    for (const placed of [layers.backdrop, layers.frame]) {
      placed.on("change", () => {
        this.keepSoon();
        studio.changed();
      });
    }
  }

  #change({ rectangle, painted }) {
    if (this.begun !== this.#begun) this.#begin();
    else if (!painted) this.layers.updateMarks(rectangle);
    this.live.touch(rectangle);
    this.studio.changed();
  }

  /** There is a trimap now, or none any more. */
  #begin() {
    if (this.#begun) this.#beginAgain();
    this.#begun = this.reveals = this.begun;
    this.layers.reset();
  }

  /** Undo has gone back to the untouched photo: so do the tool and the hint. */
  #beginAgain() {
    const { settings, messages } = this.studio;
    settings.set("view", "marks");
    settings.set("tool", "box");
    messages.forget();
  }

  /** The marks have been looked at long enough: the first cut-out shows itself. */
  #reveal() {
    if (this.reveals && this.studio.settings.view === "marks") {
      this.studio.settings.set("view", "cutout");
      this.studio.settings.set("tool", "brush");
      this.studio.messages.notice(
        "Part missing? Paint Keep over it. Too much? Paint Remove. Hair? Paint Find out.",
      );
    }
    this.reveals = false;
    this.studio.changed();
  }

  #progress() {
    if (this.live.state === "done") {
      this.layers.clearInk();
      this.#surround();
      this.#shade();
    }
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
    const { name, file } = this.photo;
    const { server } = this.studio;
    const query = { name };
    const response = await server.call("pictures", { method: "POST", query, body: file });
    return (await response.json()).id;
  }

  /** What the browser keeps of it, besides the photo's file and the steps. */
  get stored() {
    const { id, name, width, height, fingerprint, thumbnail } = this.photo;
    const { backdrop, frame } = this.layers;
    const settings = this.studio.settings.shared();
    const place = backdrop.ready ? backdrop.place : null;
    const position = this.trimap.history.position;
    const saved = Date.now();
    const photo = { id, name, width, height, fingerprint, thumbnail };
    return { ...photo, position, saved, settings, place, subject: frame.subject };
  }

  /** Keeps the newest step, or only the position and settings. */
  keep(step = null) {
    const index = this.trimap.history.position - 1;
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
        "This browser cannot store your marks. Save the project to keep them.",
      );
    });
    return this.#keeping;
  }
}
