/**
 * Opening pictures, projects, trimaps and backgrounds, however they come: dropped, pasted, chosen,
 * the sample, the one named on the command line, or what this tab had open before.
 */

import * as session from "./session.js";
import * as storage from "./storage.js";
import { Project, fingerprint } from "./project.js";
import { Pyramid } from "./tiles.js";
import { Refused } from "./server.js";
import { Workspace } from "./workspace.js";
import { inSlices } from "./slices.js";
import { isProject, readProject } from "./project_file.js";

const THUMBNAIL = 96; // pixels
const BRUSH_SHARE = 0.03; // of the picture's side

export class Opening {
  /** @param {import("./studio.js").Studio} studio @param {import("./dialogs.js").Dialogs} dialogs */
  constructor(studio, dialogs) {
    Object.assign(this, { studio, dialogs });
  }

  /** What this tab had open, or else the picture named on the command line. */
  async begin() {
    await this.#guard("Starting", async () => {
      const id = session.openDocument();
      if (id && (await this.#resume(id))) return;
      const { picture } = await (await this.studio.server.call("start")).json();
      if (picture) await this.#openKnown(picture);
    });
  }

  /** @param {File[]} files dropped or pasted; with an open picture, the user says what for */
  async files(files) {
    const project = files.find(isProject);
    const picture = files.find((file) => file !== project);
    if (project) return this.project(project, picture);
    if (!picture) return null;
    if (!this.studio.workspace) return this.picture(picture);
    const use = await this.dialogs.askUse(picture.name);
    if (use === "picture") return this.picture(picture);
    if (use === "backdrop") return this.backdrop(picture);
    return use && this.studio.trimaps.fromFile(picture, use);
  }

  picture(file) {
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

  /** Goes on with a document that the browser has kept. */
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
    const { workspace, settings } = this.studio;
    return this.#guard(`Opening ${file.name}`, async () => {
      const kept = await inMemory(file);
      await workspace.backdrop.open(kept).catch(() => {
        throw new Refused(`${file.name} is not a picture that this browser can read.`);
      });
      workspace.keeping(() => storage.keepFile(workspace.project.id, "backdrop", kept));
      if (settings.view === "marks") settings.set("view", "cutout");
      settings.set("behind", "picture");
      settings.set("tool", "place");
    });
  }

  /** The file of a project's picture: open already, kept, or chosen by the user. */
  async #pictureOf(wanted) {
    const open = this.studio.workspace?.project;
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
      if (session.openDocument() === id) session.leave();
      return false;
    }
    const { stored, file, steps } = kept;
    const known = await this.#upload(file, stored.name);
    await this.#show(known, file, { ...stored, steps, resumed: true });
    const { backdrop } = this.studio.workspace;
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
    const photo = new Pyramid(width, height);
    await inSlices(photo.fill(bitmap));
    const thumbnail = await thumbnailOf(bitmap);
    bitmap.close();
    const id = before.resumed ? before.id : crypto.randomUUID();
    const project = new Project({ id, name, width, height, file, fingerprint: mark });
    studio.settings.set("size", Math.max(3, Math.round(BRUSH_SHARE * Math.sqrt(width * height))));
    studio.settings.set("view", "marks");
    if (studio.settings.behind === "picture") studio.settings.set("behind", "checks");
    studio.settings.share(before.settings);
    if (!before.resumed) await session.claim(id);
    const workspace = new Workspace(studio, project, photo, known.id, thumbnail);
    studio.open(workspace);
    if (before.steps) await project.restore(before.steps, before.position);
    workspace.reveals = false;
    studio.settings.set("tool", project.history.begun ? "brush" : "box");
    workspace.keeping(async () => {
      await storage.create(workspace.stored, file);
      if (!before.resumed && before.steps) await storage.keepSteps(workspace.stored, before.steps);
      await storage.tidy(await session.openElsewhere());
    });
    this.#remark(known, photo);
    if (!before.steps) await this.#offerEarlier(mark, id);
  }

  #remark({ notes = [], width, height }, photo) {
    const { messages } = this.studio;
    for (const note of notes) messages.notice(note);
    if (photo.grid.finest === 0) return;
    const megapixels = Math.round((width * height) / 1e6);
    const size = { 1: "half", 2: "a quarter of its" }[photo.grid.finest] ?? "a fraction of its";
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
