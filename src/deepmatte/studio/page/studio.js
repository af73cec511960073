/**
 * The parts of the page that know of each other: server, settings, view, stage, messages, and the
 * workspace that is open.
 */

import { Messages } from "./messages.js";
import { Server } from "./server.js";
import { Settings } from "./settings.js";
import { Stage } from "./stage.js";
import { Trimaps } from "./trimaps.js";
import { View } from "./view.js";

/** Event "change": something that the controls show may be different now. */
export class Studio extends EventTarget {
  /** @type {import("./workspace.js").Workspace | null} */
  workspace = null;
  #told = false;

  /** @param {Document} page */
  constructor(page) {
    super();
    this.messages = new Messages(page);
    this.server = new Server();
    this.settings = new Settings();
    this.trimaps = new Trimaps(this);
    this.view = new View();
    this.stage = new Stage(page.getElementById("stage"), this.view, this.settings);
    this.server.addEventListener("state", () => this.messages.server(this.server.state));
  }

  /** Shows a workspace instead of the one before. */
  open(workspace) {
    this.workspace?.close();
    this.workspace = workspace;
    this.stage.layers = workspace;
    this.messages.clear();
    this.dispatchEvent(new Event("change")); // what the controls cover decides what is seen
    this.view.open(workspace.project.width, workspace.project.height);
  }

  /** Has the controls look again, once before the next frame. */
  changed() {
    if (this.#told) return;
    this.#told = true;
    queueMicrotask(() => {
      this.#told = false;
      this.dispatchEvent(new Event("change"));
    });
  }
}
