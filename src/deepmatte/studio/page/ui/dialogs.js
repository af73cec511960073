/**
 * Questions that need an answer, and choosing files.
 */

export class Dialogs {
  /** @param {Document} page */
  constructor(page) {
    this.page = page;
    for (const dialog of page.querySelectorAll("dialog")) {
      dialog.addEventListener("click", (event) => {
        if (event.target === dialog) dialog.close("");
      });
    }
  }

  /** @param {string} accept @returns {Promise<File | null>} null: none was chosen */
  chooseFile(accept) {
    const input = this.page.getElementById("file");
    input.accept = accept;
    input.value = "";
    return new Promise((resolve) => {
      input.onchange = () => resolve(input.files[0] ?? null);
      input.oncancel = () => resolve(null);
      input.click();
    });
  }

  /** What a dropped picture is for. @returns {Promise<string>} "" for nothing */
  askUse(name) {
    this.page.getElementById("use-name").textContent = name;
    return this.#ask("use");
  }

  /** Asks for the picture of a project by its name. @returns {Promise<File | null>} */
  async askPicture({ name, width, height }) {
    this.page.getElementById("wanted-name").textContent = name;
    this.page.getElementById("wanted-size").textContent = `${width} × ${height} pixels`;
    const answer = await this.#ask("wanted");
    return answer === "choose" ? this.chooseFile("image/*") : null;
  }

  help() {
    const dialog = this.page.getElementById("help");
    if (dialog.open) dialog.close("");
    else dialog.showModal();
  }

  #ask(id) {
    const dialog = this.page.getElementById(id);
    dialog.returnValue = "";
    dialog.showModal();
    return new Promise((resolve) => {
      dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true });
    });
  }
}
