/**
 * What the page says: notices that go by themselves, errors that stay, what is being waited for.
 */

const SHOWN = 7000; // milliseconds
const PATIENCE = 250; // milliseconds before waiting is worth a word
const STATES = {
  gone: "The studio does not answer. Your marks are safe, and you can go on painting. If you closed"
    + " the studio, run “deepmatte studio” again; then the cut-out follows.",
  locked: "The studio was restarted. Open the address that it printed, in this tab or another."
    + " Your marks are safe.",
  keyless: "This address is incomplete. Open the whole address that “deepmatte studio” printed. It"
    + " ends in “#token=…”.",
};
const MOST_NOTICES = 2;

export class Messages {
  #said = new Set();
  #waiting = new Set();

  /** @param {Document} page */
  constructor(page) {
    this.notices = page.getElementById("notices");
    this.alerts = page.getElementById("alerts");
    this.banner = page.getElementById("banner");
    this.waiting = page.getElementById("waiting");
    this.noteLine = page.getElementById("notes");
  }

  /** @param {string} text @param {{label: string, run: () => void} | null} action */
  notice(text, action = null) {
    const same = [...this.notices.children].find((note) => note.firstChild.textContent === text);
    same?.remove();
    const note = this.#add(this.notices, text, action);
    while (this.notices.children.length > MOST_NOTICES) this.notices.firstChild.remove();
    setTimeout(() => note.remove(), action ? 3 * SHOWN : SHOWN);
  }

  /**
   * An error stays until it is closed, or something else goes wrong.
   *
   * @param {string} text
   * @param {{label: string, run: () => void} | null} action
   */
  error(text, action = null) {
    this.alerts.replaceChildren();
    this.#add(this.alerts, text, action);
  }

  /** A notice that is not said twice. */
  once(text) {
    if (this.#said.has(text)) return;
    this.#said.add(text);
    this.notice(text);
  }

  /** Forgets errors: something has been made anew. */
  clear() {
    this.alerts.replaceChildren();
    this.notes([]);
  }

  /** Forgets everything: another project is open, and what was said is not about it. */
  forget() {
    this.clear();
    this.notices.replaceChildren();
  }

  /** What the user should know of this result. @param {string[]} sentences */
  notes(sentences) {
    this.noteLine.textContent = sentences.join(" ");
    this.noteLine.hidden = sentences.length === 0;
  }

  /** @param {"ok" | "gone" | "locked" | "keyless"} state of the server */
  server(state) {
    this.banner.textContent = STATES[state] ?? "";
    this.banner.hidden = state === "ok";
  }

  /**
   * Says what is waited for, if it lasts.
   *
   * @param {string} text
   * @param {(() => void) | null} cancel
   * @returns {() => void} ends it
   */
  busy(text, cancel = null) {
    const entry = { text, cancel };
    this.#waiting.add(entry);
    const timer = setTimeout(() => this.#showWaiting(), PATIENCE);
    return () => {
      clearTimeout(timer);
      this.#waiting.delete(entry);
      this.#showWaiting();
    };
  }

  /** Cancels what is waited for. @returns {boolean} whether there was anything */
  cancel() {
    const entry = [...this.#waiting].findLast(({ cancel }) => cancel);
    entry?.cancel();
    return Boolean(entry);
  }

  #showWaiting() {
    const entry = [...this.#waiting].at(-1);
    this.waiting.hidden = !entry;
    if (!entry) return;
    this.waiting.querySelector("span").textContent = `${entry.text}…`;
    const button = this.waiting.querySelector("button");
    button.hidden = !entry.cancel;
    button.onclick = () => entry.cancel();
  }

  #add(list, text, action) {
    const note = document.createElement("div");
    note.className = "note";
    const words = document.createElement("p");
    words.textContent = text;
    note.append(words);
    if (action) {
      const run = () => {
        note.remove();
        action.run();
      };
      note.append(button(action.label, "", run));
    }
    const close = button("×", "Close this message", () => note.remove());
    close.className = "plain";
    note.append(close);
    list.append(note);
    return note;
  }
}

function button(label, title, run) {
  const element = document.createElement("button");
  Object.assign(element, { type: "button", textContent: label, title, onclick: run });
  if (label === "×") element.setAttribute("aria-label", title);
  return element;
}
