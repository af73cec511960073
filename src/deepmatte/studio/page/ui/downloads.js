/**
 * Getting results out: downloads and the clipboard.
 */

import * as storage from "../model/storage.js";
import { Refused } from "../model/errors.js";
import { abortable } from "../model/slices.js";
import { projectFile, projectName } from "../model/project_file.js";

/**
 * @typedef {{what: string, format: string, all: boolean, query: Record<string, any>}} Wanted
 * @typedef {"done" | "refused" | "cancelled"} Outcome what became of something that was waited for
 */

/** Settings of the chosen background, but for a picture of one's own: each project has another. */
const BACKING = ["behind", "colour", "second", "blur"];
/** Milliseconds between two downloads: of more than ten a second Chromium drops the rest. */
const PACE = 150;

export class Downloads {
  /** @param {import("../studio.js").Studio} studio */
  constructor(studio) {
    this.studio = studio;
  }

  /** @param {"cutout" | "alpha" | "foreground" | "trimap"} kind @param {string} format */
  save(kind, format) {
    return this.#deliver((signal) => this.#fetch({ kind, format }, signal), save);
  }

  /** The subject on the background that is shown. */
  composite(format) {
    return this.#deliver((signal) => this.#composite({ format }, signal), save);
  }

  /** @param {Wanted} wanted */
  saveAs({ what, format, query }) {
    const whole = { format, ...query };
    if (what === "composite") {
      return this.#deliver((signal) => this.#composite(whole, signal), save);
    }
    return this.#deliver((signal) => this.#fetch({ kind: what, ...whole }, signal), save);
  }

  /**
   * The same of every photo of the row that has a cut-out, one after the other; then what was open
   * is open again.
   *
   * @param {import("./opening.js").Opening} opening
   * @param {Wanted} wanted
   */
  async all(opening, wanted) {
    const { studio } = this;
    const { settings, tray } = studio;
    const open = studio.project.id;
    const backing = BACKING.map((name) => [name, settings[name]]);
    /** @type {Record<Outcome, number>} */
    const count = { done: 0, refused: 0, cancelled: 0 };
    await opening.taken;
    const show = async (id) => studio.project?.id === id ? "done" : opening.recent(id);
    for (const id of await this.#touched()) {
      let outcome = await show(id);
      if (outcome === "done") {
        if (!studio.project.begun) continue;
        if (backing[0][1] !== "picture") for (const [name, value] of backing) settings.set(name, value);
        outcome = await this.saveAs(wanted);
      }
      count[outcome]++;
      if (outcome === "cancelled") break;
    }
    let told = `Saved ${count.done} of ${tray.ids.length} photos.`;
    if (!count.cancelled) {
      await show(open);
      const untouched = tray.ids.length - count.done - count.refused;
      if (untouched) told += ` Without a cut-out: ${untouched}.`;
    }
    studio.messages.notice(told);
  }

  /** The photos of the row that have strokes, or a trimap that waits with them. */
  async #touched() {
    const { project, tray } = this.studio;
    const kept = await storage.recent().catch(() => []);
    const has = ({ position, mask }) => position > 0 || Boolean(mask);
    return tray.ids.filter((id) =>
      project.id === id ? project.begun : kept.some((stored) => stored.id === id && has(stored)),
    );
  }

  project() {
    const { project } = this.studio;
    save(projectFile(project), projectName(project.name));
  }

  /** Puts the cut-out on the clipboard. */
  copy() {
    return this.#deliver(async (signal) => {
      const cutout = this.#fetch({ kind: "cutout", format: "png" }, signal);
      const blob = cutout.then((response) => response.blob());
      blob.catch(() => {}); // a clipboard that refuses at once does not wait for it
      try {
        await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
      } catch {
        await cutout; // its own failure comes first
        throw new Refused("This browser does not allow the page to use the clipboard.");
      }
      this.studio.messages.notice("The cut-out is on the clipboard.");
      return null;
    });
  }

  #fetch(wanted, signal) {
    const cut = wanted.kind === "cutout";
    const query = { ...wanted, ...(cut ? shadowOf(this.studio.settings) : {}) };
    return this.#call((id) => [`pictures/${id}/download`, { query, signal }], signal);
  }

  #composite(query, signal) {
    const { settings, project } = this.studio;
    const { behind, colour, second, blur } = settings;
    const method = "POST";
    query = { ...query, ...shadowOf(settings), ...subjectOf(project) };
    if (behind !== "picture" || !project.layers.backdrop.ready) {
      const own = { gradient: `${colour}:${second}`, blur: `blur:${blur}` };
      const plain = { black: "#000000", white: "#ffffff", colour };
      const background = own[behind] ?? plain[behind] ?? "#ffffff";
      const type = "application/json";
      const body = new Blob([JSON.stringify({ background })], { type });
      return this.#call((id) => [`pictures/${id}/composite`, { method, query, body, signal }], signal);
    }
    const { left, top, scale } = project.layers.backdrop.place;
    const place = { left: left.toFixed(4), top: top.toFixed(4), scale: scale.toFixed(8) };
    const placed = { ...query, ...place };
    // Whatever the file's type: only a colour is sent as JSON.
    const body = new Blob([project.layers.backdrop.file], { type: "application/octet-stream" });
    const options = { method, query: placed, body, signal };
    return this.#call((id) => [`pictures/${id}/composite`, options], signal);
  }

  /**
   * Calls a route of the picture once the server has all of its labels.
   *
   * @param {(id: string) => [string, object]} route
   * @param {AbortSignal} signal
   */
  #call(route, signal) {
    const { project, server } = this.studio;
    return project.live.withPicture(async () => {
      await project.live.sent(signal);
      return server.call(...route(project.live.id));
    });
  }

  /** @returns {Promise<Outcome>} */
  async #deliver(work, deliver = null) {
    const { messages } = this.studio;
    const controller = new AbortController();
    const done = messages.busy("Finishing the cut-out at full size", () => controller.abort());
    try {
      const response = await abortable(work(controller.signal), controller.signal);
      if (response) await deliver(await response.blob(), nameOf(response));
      return "done";
    } catch (error) {
      if (controller.signal.aborted) return "cancelled";
      if (!(error instanceof Refused)) throw error;
      messages.error(error.message);
      return "refused";
    } finally {
      done();
    }
  }
}

/** The shadow as it is seen. */
const shadowOf = ({ shadow }) => (shadow ? { shadow: shadow / 100 } : {});

/** Where the subject was moved to, if it was. */
function subjectOf(project) {
  const subject = project.layers.frame.subject;
  if (!subject) return {};
  const { left, top, scale } = subject;
  const [x, y] = [left.toFixed(4), top.toFixed(4)];
  return { subject_left: x, subject_top: y, subject_scale: scale.toFixed(8) };
}

/** The name in a Content-Disposition header, RFC 6266. */
function nameOf(response) {
  const header = response.headers.get("Content-Disposition") ?? "";
  const extended = /filename\*=utf-8''([^;]+)/i.exec(header);
  if (extended) return decodeURIComponent(extended[1]);
  return /filename="([^"]+)"/i.exec(header)?.[1] ?? "cutout.png";
}

let turn = Promise.resolve();

/** Downloads a file, in its turn. @param {Blob} blob @param {string} name */
export function save(blob, name) {
  const started = turn.then(() => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  });
  turn = started.then(() => new Promise((resolve) => setTimeout(resolve, PACE)));
  return started;
}
