/**
 * Opening pictures, projects, trimaps and backgrounds, however they come: dropped, pasted, chosen,
 * the sample, the one named on the command line, or what this tab had open before.
 */

import * as session from "../model/session.js";
import * as storage from "../model/storage.js";
import { Pyramid } from "../canvas/tiles.js";
import { Refused } from "../model/errors.js";
import { Project } from "../project.js";
import { inSlices } from "../model/slices.js";
import { isProject, readProject } from "../model/project_file.js";

const THUMBNAIL = 96; // pixels
const BRUSH_SHARE = 0.03; // of the picture's side

export class Opening {
  /** @param {import("../studio.js").Studio} studio @param {import("./dialogs.js").Dialogs} dialogs */
  constructor(studio, dialogs) {
    this.studio = studio;
    this.dialogs = dialogs;
  }

  /** What this tab had open, or else the picture named on the command line. */
  async begin() {
    await this.#guard("Starting", async () => {
      const id = session.openProject();
      if (id && (await this.#resume(id))) return;
      const { picture } = await (await this.studio.server.call("start")).json();
      if (picture) await this.#openKnown(picture);
    });
  }

  /** @param {File[]} files dropped or pasted; with an open picture, the user says what for */
  async files(files) {
    const saved = files.find(isProject);
    const picture = files.find((file) => file !== saved);
    if (saved) return this.project(saved, picture);
    if (!picture) return null;
    if (!this.studio.project) return this.photo(picture);
    /** @type {any} */
    const use = await this.dialogs.askUse(picture.name);
    if (use === "picture") return this.photo(picture);
    if (use === "backdrop") return this.backdrop(picture);
    return use && this.studio.maker.fromFile(picture, use);
  }

  photo(file) {
    return this.#guard(`Opening ${file.name}`, async () => {
      const kept = await inMemory(file);
      const known = await this.#upload(kept, file.name);
      await this.#show(known, kept, {});
    });
  }

  sample() {
    return this.#guard("Opening the sample", async () => {
      const file = await (await this.studio.server.call("sample")).blob();
      await this.#show(await this.#upload(file, "fur.jpg"), file, {});
    });
  }

  /** Goes on with a project that the browser has kept. */
  recent(id) {
    return this.#guard("Opening", async () => {
      if (!(await this.#resume(id))) {
        throw new Refused("This picture is open in another tab, or its file is gone.");
      }
    });
  }

  /** @param {File} file @param {File | null} picture dropped along with it */
  project(file, picture = null) {
    return this.#guard(`Opening ${file.name}`, async () => {
      const content = await readProject(file);
      /** @type {any} a file that the browser has kept has no name */
      const source = picture ?? (await this.#pictureOf(content.picture));
      if (!source) return;
      const kept = await inMemory(source);
      const name = source.name ?? content.picture.name;
      const known = await this.#upload(kept, name);
      const { width, height } = content.picture;
      if (known.width !== width || known.height !== height) {
        throw new Refused(
          `${name} is ${known.width} × ${known.height} pixels, but the project was painted on`
            + ` ${content.picture.name} of ${width} × ${height}.`,
        );
      }
      await this.#show(known, kept, content);
    });
  }

  backdrop(file) {
    const { project, settings } = this.studio;
    return this.#guard(`Opening ${file.name}`, async () => {
      const kept = await inMemory(file);
      await project.layers.backdrop.open(kept).catch(() => {
        throw new Refused(`${file.name} is not a picture that this browser can read.`);
      });
      project.keeping(() => storage.keepFile(project.id, "backdrop", kept));
      if (settings.view === "marks") settings.set("view", "cutout");
      settings.set("behind", "picture");
      settings.set("tool", "place");
    });
  }

  /** The file of a project's picture: open already, kept, or chosen by the user. */
  async #pictureOf(wanted) {
    const open = this.studio.project?.photo;
    if (open?.fingerprint === wanted.fingerprint) return open.file;
    const kept = await storage.recent().catch(() => []);
    const same = kept.find((stored) => stored.fingerprint === wanted.fingerprint);
    if (same) return storage.loadFile(same.id, "picture");
    return this.dialogs.askPicture(wanted);
  }

  /** @returns {Promise<boolean>} false: it is in another tab, or no longer kept */
  async #resume(id) {
    const kept = await storage.load(id).catch(() => null);
    if (!kept || !(await session.claim(id))) {
      if (session.openProject() === id) session.leave();
      return false;
    }
    const { stored, file, steps } = kept;
    const known = await this.#upload(file, stored.name);
    await this.#show(known, file, { ...stored, steps, resumed: true });
    const { backdrop } = this.studio.project.layers;
    const behind = await storage.loadFile(id, "backdrop");
    if (behind) await backdrop.open(behind, stored.place).catch(() => {});
    this.studio.changed();
    return true;
  }

  /** A copy of its own: another tab may open the same. */
  async #openKnown({ id, name }) {
    const file = await (await this.studio.server.call(`pictures/${id}/file`)).blob();
    await this.#show(await this.#upload(file, name), file, {});
  }

  async #upload(file, name) {
    const { server } = this.studio;
    const response = await server.call("pictures", { method: "POST", query: { name }, body: file });
    return response.json();
  }

  /** Shows a picture that the server has; `before` holds what was done to it already. */
  async #show(known, file, before) {
    const { studio } = this;
    const { name, width, height } = known;
    const mark = await fingerprint(file);
    const view = await (await studio.server.call(`pictures/${known.id}/view`)).blob();
    const bitmap = await createImageBitmap(view).catch(() => {
      throw new Refused(`${name} (${width} × ${height} pixels) is too large for this browser.`);
    });
    const pixels = new Pyramid(width, height);
    await inSlices(pixels.fill(bitmap));
    const thumbnail = await thumbnailOf(bitmap);
    bitmap.close();
    const id = before.resumed ? before.id : crypto.randomUUID();
    studio.settings.set("size", Math.max(3, Math.round(BRUSH_SHARE * Math.sqrt(width * height))));
    studio.settings.set("view", "marks");
    if (studio.settings.behind === "picture") studio.settings.set("behind", "checks");
    studio.settings.share(before.settings);
    if (!before.resumed) await session.claim(id);
    const photo = { id, name, width, height, file, fingerprint: mark, thumbnail };
    const project = new Project(studio, photo, pixels, known.id);
    studio.open(project);
    if (before.steps) await project.trimap.restore(before.steps, before.position);
    project.reveals = false;
    studio.settings.set("tool", project.begun ? "brush" : "box");
    project.keeping(async () => {
      await storage.create(project.stored, file);
      if (!before.resumed && before.steps) await storage.keepSteps(project.stored, before.steps);
      await storage.tidy(await session.openElsewhere());
    });
    this.#remark(known, pixels);
    if (!before.steps) await this.#offerEarlier(mark, id);
  }

  #remark({ notes = [], width, height }, pixels) {
    const { messages } = this.studio;
    for (const note of notes) messages.notice(note);
    if (pixels.grid.finest === 0) return;
    const megapixels = Math.round((width * height) / 1e6);
    const size = { 1: "half", 2: "a quarter of its" }[pixels.grid.finest] ?? "a fraction of its";
    messages.notice(
      `A huge picture (${megapixels} megapixels): it is shown at ${size} size here;`
        + " marks and downloads have every pixel.",
    );
  }

  /** The same picture was worked on before: perhaps that is what the user is after. */
  async #offerEarlier(mark, id) {
    const elsewhere = await session.openElsewhere();
    const kept = await storage.recent().catch(() => []);
    const same = kept.find(
      (stored) => stored.fingerprint === mark && stored.id !== id && stored.position > 0,
    );
    if (!same || elsewhere(same.id)) return;
    const action = { label: "Go on with it", run: () => this.recent(same.id) };
    this.studio.messages.notice("You have worked on this picture before.", action);
  }

  /** Says what is going on, and what went wrong in a sentence. */
  async #guard(text, work) {
    const { messages } = this.studio;
    const done = messages.busy(text);
    try {
      await work();
      messages.alerts.replaceChildren();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      messages.error(error.message);
    } finally {
      done();
      this.studio.changed();
    }
  }
}

/** A copy that stays readable when the file on disk changes. */
async function inMemory(file) {
  try {
    return new Blob([await file.arrayBuffer()], { type: file.type });
  } catch {
    throw new Refused(`${file.name} cannot be read; if it is a folder, open a picture in it.`);
  }
}

async function thumbnailOf(bitmap) {
  const scale = Math.min(1, THUMBNAIL / Math.max(bitmap.width, bitmap.height));
  const width = Math.max(1, Math.round(bitmap.width * scale));
  const height = Math.max(1, Math.round(bitmap.height * scale));
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  return canvas.convertToBlob({ type: "image/jpeg", quality: 0.8 });
}

/** SHA-256 of a file, by which its photo is known again. */
async function fingerprint(file) {
  const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
