/**
 * The parts of the page that know of each other: server, settings, view, stage, messages, and the
 * project that is open.
 */

import { find } from "./ui/find.js";
import { Emitter } from "./model/emitter.js";
import { Messages } from "./ui/messages.js";
import { Server } from "./server/calls.js";
import { Settings } from "./model/settings.js";
import { Stage } from "./canvas/stage.js";
import { Tray } from "./model/tray.js";
import { TrimapMaker } from "./ui/trimap_maker.js";
import { View } from "./canvas/view.js";

/** Event "change": something that the controls show may be different now. */
export class Studio extends Emitter {
  /** @type {import("./project.js").Project | null} */
  project = null;
  /** The segmenter that finds subjects by itself, null if there is none; undefined: not asked yet. */
  segmenter = undefined;
  #told = false;

  /** @param {Document} page */
  constructor(page) {
    super();
    this.messages = new Messages(page);
    this.server = new Server();
    this.settings = new Settings();
    this.maker = new TrimapMaker(this);
    this.tray = new Tray();
    this.view = new View();
    const { settings, view } = this;
    // Side by side, the marks have a place of their own.
    const shows = () =>
      settings.sides && settings.view === "marks" ? "cutout" : settings.view;
    this.stage = new Stage(find("stage", HTMLCanvasElement), view, settings, { shows });
    this.marks = new Stage(find("marks", HTMLCanvasElement), view, settings, {
      shows: () => "marks",
      sizes: false,
    });
    this.stage.mirrors.push(this.marks);
    this.server.addEventListener("state", () => this.messages.server(this.server.state));
  }

  /** Shows a project instead of the one before. */
  open(project) {
    this.project?.close();
    this.project = project;
    this.stage.layers = project.layers;
    this.messages.forget();
    this.emit("change"); // what the controls cover decides what is seen
    this.view.open(project.photo.width, project.photo.height);
  }

  /** Shows the start page; the project is kept. */
  close() {
    this.project?.close();
    this.project = null;
    this.stage.layers = null;
    this.messages.forget();
    this.stage.redraw();
    this.emit("change");
  }

  /** Has the controls look again, once before the next frame. */
  changed() {
    if (this.#told) return;
    this.#told = true;
    queueMicrotask(() => {
      this.#told = false;
      this.emit("change");
    });
  }
}
