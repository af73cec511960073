/**
 * Opening photos, projects, trimaps and backgrounds, however they come: dropped, pasted, chosen,
 * the sample, the one named on the command line, or what this tab had open before.
 */

import * as session from "../model/session.js";
import * as storage from "../model/storage.js";
import { Pyramid } from "../canvas/tiles.js";
import { Project } from "../project.js";
import { Refused } from "../model/errors.js";
import { abortable, inSlices } from "../model/slices.js";
import { isProject, readProject } from "../model/project_file.js";
import { paired } from "../model/pairing.js";
import { fingerprint, inMemory, mayBePhoto, thumbnailOf } from "../model/photo_file.js";

/** @typedef {import("./downloads.js").Outcome} Outcome */

const BRUSH_SHARE = 0.03; // of the photo's side

export class Opening {
  /** Until all of the files that came last are open, or wait in the row. @type {Promise<any>} */
  taken = Promise.resolve();

  /** @param {import("../studio.js").Studio} studio @param {import("./dialogs.js").Dialogs} dialogs */
  constructor(studio, dialogs) {
    this.studio = studio;
    this.dialogs = dialogs;
  }

  /** What this tab had open, or else the photo named on the command line. */
  async begin() {
    await this.#guard("Starting", async (signal) => {
      const id = session.openProject();
      if (id && (await this.#resume(id, signal))) return;
      const { picture } = await (await this.studio.server.call("start", { signal })).json();
      if (picture) await this.#openKnown(picture, signal);
    });
    await this.#askForSegmenter();
  }

  async #askForSegmenter() {
    const { subject } = await (await this.studio.server.call("segmenter")).json();
    this.studio.segmenter = subject;
    this.studio.changed();
  }

  /**
   * Answers whatever was dropped or pasted.
   *
   * @param {File[]} files with an open project, the user says what a single one is for
   */
  files(files) {
    const taking = this.#take(files);
    this.taken = taking.catch(() => {});
    return taking;
  }

  async #take(files) {
    const { messages, project } = this.studio;
    const [saved, ...more] = files.filter(isProject);
    for (const { name } of more) messages.notice(`${name} was not opened: only one project can be open.`);
    const pictures = files.filter((file) => !isProject(file) && (files.length === 1 || mayBePhoto(file)));
    if (saved) return this.project(saved, pictures[0] ?? null);
    const [first, ...others] = paired(pictures);
    if (!first) return this.#remarkStrangers(files);
    if (project && pictures.length === 1) return this.#useOf(first.photo);
    await this.photo(first.photo);
    if (first.mask && this.studio.project?.name === first.photo.name) {
      await this.studio.maker.fromFile(first.mask, first.kind);
    }
    let waiting = 0;
    for (const each of others) if ((await this.#wait(each)) === "done") waiting++;
    const photos = waiting === 1 ? "photo is" : "photos are";
    if (waiting) messages.notice(`${waiting} more ${photos} in the row below.`);
    return this.#remarkStrangers(files);
  }

  /** Says which of several files were not opened, as they are no photos. @param {File[]} files */
  #remarkStrangers(files) {
    const names = files.filter((file) => !isProject(file) && !mayBePhoto(file)).map(({ name }) => name);
    if (files.length < 2 || !names.length) return null;
    const why = names.length > 1 ? "were not opened: they are not photos" : "was not opened: it is not a photo";
    return this.studio.messages.notice(`${names.join(", ")} ${why}.`);
  }

  async #useOf(picture) {
    /** @type {any} */
    const use = await this.dialogs.askUse(picture.name);
    if (use === "picture") return this.photo(picture);
    if (use === "backdrop") return this.backdrop(picture);
    return use && this.studio.maker.fromFile(picture, use);
  }

  /** Keeps a photo, perhaps with its trimap, until its turn comes. */
  #wait({ photo, mask, kind }) {
    return this.#guard(`Adding ${photo.name}`, async (signal) => {
      const file = await inMemory(photo);
      const bitmap = await createImageBitmap(file).catch(() => null);
      const thumbnail = bitmap && (await thumbnailOf(bitmap));
      bitmap?.close();
      const id = crypto.randomUUID();
      const stored = { id, name: photo.name, width: 0, height: 0, fingerprint: "", position: 0 };
      signal.throwIfAborted();
      await storage.create(
        { ...stored, saved: Date.now(), thumbnail, waiting: true, mask: mask ? kind : null },
        file,
      );
      if (mask) await storage.keepFile(id, "mask", await inMemory(mask));
      this.studio.tray.add(id);
    });
  }

  photo(file) {
    return this.#guard(`Opening ${file.name}`, async (signal) => {
      const kept = await inMemory(file);
      const known = await this.#upload(kept, file.name, signal);
      await this.#show(known, kept, {}, signal);
    });
  }

  sample() {
    return this.#guard("Opening the sample", async (signal) => {
      const file = await (await this.studio.server.call("sample", { signal })).blob();
      await this.#show(await this.#upload(file, "fur.jpg", signal), file, {}, signal);
    });
  }

  /** Back to the start page. */
  leave() {
    session.leave();
    this.studio.close();
    this.studio.emit("closed");
  }

  /** Goes on with a project that the browser has kept. @returns {Promise<Outcome>} */
  recent(id) {
    return this.#guard("Opening", async (signal) => {
      if (!(await this.#resume(id, signal))) {
        throw new Refused("This photo is open in another tab, or its file is gone.");
      }
    });
  }

  /** @param {File} file @param {File | null} picture dropped along with it */
  project(file, picture = null) {
    return this.#guard(`Opening ${file.name}`, async (signal) => {
      const content = await readProject(file);
      /** @type {any} a file that the browser has kept has no name */
      const source = picture ?? (await this.#pictureOf(content.picture));
      if (!source) return;
      const kept = await inMemory(source);
      const name = source.name ?? content.picture.name;
      const known = await this.#upload(kept, name, signal);
      const { width, height } = content.picture;
      if (known.width !== width || known.height !== height) {
        throw new Refused(
          `${name} is ${known.width} × ${known.height} pixels; the project needs`
            + ` ${content.picture.name} with ${width} × ${height}.`,
        );
      }
      await this.#show(known, kept, content, signal);
    });
  }

  backdrop(file) {
    const { project, settings } = this.studio;
    return this.#guard(`Opening ${file.name}`, async (signal) => {
      const kept = await inMemory(file);
      const opening = project.layers.backdrop.open(kept).catch(() => {
        throw new Refused(`This browser cannot read ${file.name} as a picture.`);
      });
      await abortable(opening, signal);
      project.keeping(() => storage.keepFile(project.id, "backdrop", kept));
      if (settings.view === "marks") settings.set("view", "cutout");
      settings.set("behind", "picture");
      settings.set("tool", "place");
    });
  }

  /** The file of a project's photo: open already, kept, or chosen by the user. */
  async #pictureOf(wanted) {
    const open = this.studio.project?.photo;
    if (open?.fingerprint === wanted.fingerprint) return open.file;
    const kept = await storage.recent().catch(() => []);
    const same = kept.find((stored) => stored.fingerprint === wanted.fingerprint);
    if (same) return storage.loadFile(same.id, "picture");
    return this.dialogs.askPicture(wanted);
  }

  /** @returns {Promise<boolean>} false: it is in another tab, or no longer kept */
  async #resume(id, signal) {
    const kept = await storage.load(id).catch(() => null);
    if (!kept || !(await session.claim(id))) {
      if (session.openProject() === id) session.leave();
      return false;
    }
    const { stored, file, steps } = kept;
    const known = await this.#upload(file, stored.name, signal);
    const before = { ...stored, steps: stored.waiting ? null : steps, resumed: true };
    await this.#show(known, file, before, signal);
    const { backdrop } = this.studio.project.layers;
    const behind = await storage.loadFile(id, "backdrop");
    if (behind) await backdrop.open(behind, stored.place).catch(() => {});
    this.studio.project.layers.frame.subject = stored.subject ?? null;
    const mask = stored.mask && (await storage.loadFile(id, "mask"));
    if (mask) await this.studio.maker.fromFile(new File([mask], `its ${stored.mask}`), stored.mask);
    this.studio.changed();
    return true;
  }

  /** A copy of its own: another tab may open the same. */
  async #openKnown({ id, name }, signal) {
    const file = await (await this.studio.server.call(`pictures/${id}/file`, { signal })).blob();
    await this.#show(await this.#upload(file, name, signal), file, {}, signal);
  }

  async #upload(file, name, signal) {
    const { server } = this.studio;
    const query = { name };
    const response = await server.call("pictures", { method: "POST", query, body: file, signal });
    return response.json();
  }

  /** Shows a photo that the server has; `before` holds what was done to it already. */
  async #show(known, file, before, signal) {
    const { studio } = this;
    const { name, width, height } = known;
    const mark = await fingerprint(file);
    const seen = await studio.server.call(`pictures/${known.id}/view`, { signal });
    const bitmap = await createImageBitmap(await seen.blob()).catch(() => {
      throw new Refused(`${name} (${width} × ${height} pixels) is too large for this browser.`);
    });
    const pixels = new Pyramid(width, height);
    await inSlices(pixels.fill(bitmap), signal);
    const thumbnail = await thumbnailOf(bitmap);
    bitmap.close();
    signal.throwIfAborted();
    const id = before.resumed ? before.id : crypto.randomUUID();
    studio.settings.set("size", Math.max(3, Math.round(BRUSH_SHARE * Math.sqrt(width * height))));
    studio.settings.set("view", "marks");
    if (studio.settings.behind === "picture") studio.settings.set("behind", "checks");
    studio.settings.unrefine(); // what was done to one photo's edge is not meant for another's
    studio.settings.share(before.settings);
    if (!before.resumed) await session.claim(id);
    const photo = { id, name, width, height, file, fingerprint: mark, thumbnail };
    const project = new Project(studio, photo, pixels, known);
    studio.open(project);
    if (before.steps) await project.trimap.restore(before.steps, before.position);
    project.reveals = false;
    studio.settings.set("tool", project.begun ? "brush" : "box");
    project.keeping(async () => {
      await storage.create(project.stored, file);
      studio.tray.add(id);
      if (!before.resumed && before.steps) await storage.keepSteps(project.stored, before.steps);
      await this.#tidy();
    });
    this.#remark(known, pixels);
    if (!before.steps) await this.#offerEarlier(mark, id);
  }

  /** Forgets what nobody wants, and says so where strokes go with it. */
  async #tidy() {
    const elsewhere = await session.openElsewhere();
    const { tray, messages } = this.studio;
    const gone = await storage.tidy((id) => elsewhere(id) || tray.ids.includes(id));
    if (gone.length) {
      messages.notice(
        `The browser stores the marks of ${storage.KEPT_PROJECTS} photos. The oldest were deleted:`
          + ` ${gone.join(", ")}.`,
      );
    }
  }

  #remark({ notes = [], width, height }, pixels) {
    const { messages } = this.studio;
    for (const note of notes) messages.notice(note);
    if (pixels.grid.finest === 0) return;
    const megapixels = Math.round((width * height) / 1e6);
    const size = { 1: "half", 2: "a quarter of its" }[pixels.grid.finest] ?? "a fraction of its";
    messages.notice(
      `This photo has ${megapixels} megapixels. It is shown at ${size} size; marks and saved files`
        + " have the full size.",
    );
  }

  /** The same photo was worked on before: perhaps that is what the user is after. */
  async #offerEarlier(mark, id) {
    const elsewhere = await session.openElsewhere();
    const kept = await storage.recent().catch(() => []);
    const same = kept.find(
      (stored) => stored.fingerprint === mark && stored.id !== id && stored.position > 0,
    );
    if (!same || elsewhere(same.id)) return;
    const action = { label: "Continue", run: () => this.recent(same.id) };
    this.studio.messages.notice(`You have worked on ${same.name} before.`, action);
  }

  /**
   * Says what is going on, and what went wrong in a sentence; the user may give it up.
   *
   * @returns {Promise<Outcome>}
   */
  async #guard(text, work) {
    const { messages } = this.studio;
    const controller = new AbortController();
    const done = messages.busy(text, () => controller.abort());
    try {
      await abortable(work(controller.signal), controller.signal);
      messages.alerts.replaceChildren();
      return "done";
    } catch (error) {
      if (controller.signal.aborted) return "cancelled";
      if (!(error instanceof Refused)) throw error;
      messages.error(error.message);
      return "refused";
    } finally {
      done();
      this.studio.changed();
    }
  }
}
