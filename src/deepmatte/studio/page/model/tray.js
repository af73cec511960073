/**
 * The projects that this tab has opened or still waits to open, in their order.
 */

import { Emitter } from "./emitter.js";

const KEY = "tray";

/** Event "change". */
export class Tray extends Emitter {
  /** @type {string[]} */
  ids = JSON.parse(sessionStorage.getItem(KEY) ?? "[]");

  /** @param {string} id */
  add(id) {
    if (!this.ids.includes(id)) this.#set([...this.ids, id]);
  }

  /** @param {string} id */
  remove(id) {
    this.#set(this.ids.filter((each) => each !== id));
  }

  #set(ids) {
    this.ids = ids;
    sessionStorage.setItem(KEY, JSON.stringify(ids));
    this.emit("change");
  }
}
