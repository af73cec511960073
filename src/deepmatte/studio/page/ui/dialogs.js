/**
 * Questions that need an answer, and choosing files.
 */

import { all, find } from "./find.js";

export class Dialogs {
  /** Answers a question with "" whose dialog was closed, but which was not told so yet. */
  #dropEarlier = () => {};

  constructor() {
    for (const dialog of all("dialog", HTMLDialogElement)) {
      dialog.addEventListener("click", (event) => {
        if (event.target === dialog) dialog.close("");
      });
    }
    find("export").addEventListener("input", () => this.#fitExport());
    this.#fitExport();
  }

  /** @param {string} accept @returns {Promise<File | null>} null: none was chosen */
  async chooseFile(accept) {
    const [file = null] = await this.chooseFiles(accept, false);
    return file;
  }

  /**
   * @param {string} accept
   * @param {boolean} multiple whether more than one may be chosen
   * @returns {Promise<File[]>}
   */
  chooseFiles(accept, multiple = true) {
    const input = find("file", HTMLInputElement);
    Object.assign(input, { accept, multiple, value: "" });
    return new Promise((resolve) => {
      input.onchange = () => resolve([...input.files]);
      input.oncancel = () => resolve([]);
      input.click();
    });
  }

  /** What a dropped picture is for. @returns {Promise<string>} "" for nothing */
  askUse(name) {
    find("use-name").textContent = name;
    return this.#ask("use");
  }

  /**
   * How something is to be saved.
   *
   * @param {boolean} several whether there is more than one photo
   * @returns {Promise<import("./downloads.js").Wanted | null>}
   */
  async askExport(several) {
    find("export-all").hidden = !several;
    if ((await this.#ask("export")) !== "save") return null;
    const form = find("export").querySelector("form");
    const said = new FormData(form);
    const [format, depth] = String(said.get("format")).split(" ");
    const wanted = { what: String(said.get("what")), format, all: several && said.has("all") };
    const query = {};
    if (depth) query.depth = depth;
    if (said.has("trim")) query.margin = said.get("margin") || 0;
    if (said.get("longest")) query.longest = said.get("longest");
    if (["jpg", "webp", "avif"].includes(format)) query.quality = said.get("quality") || 92;
    return { ...wanted, query };
  }

  /** Offers only what goes together. */
  #fitExport() {
    const form = find("export").querySelector("form");
    const { what, format, trim, margin } = /** @type {any} */ (form.elements);
    for (const option of format.options) {
      const { of } = option.dataset;
      option.disabled = option.hidden = Boolean(of) && !of.split(" ").includes(what.value);
    }
    if (format.selectedOptions[0].disabled) format.selectedIndex = 0;
    for (const label of all("label[data-of]", HTMLLabelElement, form)) {
      label.hidden = !label.dataset.of.split(" ").includes(format.value);
      for (const input of all("input", HTMLInputElement, label)) input.disabled = label.hidden;
    }
    margin.disabled = !trim.checked;
  }

  /** What another box is for. @returns {Promise<string>} "" for nothing */
  askAgain() {
    return this.#ask("again");
  }

  /** Asks for the picture of a project by its name. @returns {Promise<File | null>} */
  async askPicture({ name, width, height }) {
    find("wanted-name").textContent = name;
    find("wanted-size").textContent = `${width} × ${height} pixels`;
    const answer = await this.#ask("wanted");
    return answer === "choose" ? this.chooseFile("image/*") : null;
  }

  help() {
    const dialog = find("help", HTMLDialogElement);
    if (dialog.open) dialog.close("");
    else dialog.showModal();
  }

  #ask(id) {
    // Browsers tell late that a dialog was closed: it may be open again by then.
    this.#dropEarlier();
    const dialog = find(id, HTMLDialogElement);
    dialog.returnValue = "";
    dialog.showModal();
    return new Promise((resolve) => {
      const closed = () => {
        if (!dialog.open) answer(dialog.returnValue);
      };
      const answer = (value) => {
        dialog.removeEventListener("close", closed);
        resolve(value);
      };
      dialog.addEventListener("close", closed);
      this.#dropEarlier = () => answer("");
    });
  }
}
