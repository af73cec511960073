/**
 * Drawing with the keyboard: a crosshair that arrow keys move, and a space key that presses.
 */

import { find } from "./find.js";

const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const STEP = 12; // CSS pixels; with Shift four times as many, with Alt one

export class KeyboardPointer {
  /** Whether arrow keys move the crosshair. */
  active = false;
  /** Whether the space key has pressed and not let go. */
  down = false;
  #point = { x: 0, y: 0, pressure: 1 };

  /**
   * @param {import("../studio.js").Studio} studio
   * @param {import("./painter.js").Painter} painter
   * @param {import("../canvas/cursor.js").Cursor} cursor
   */
  constructor(studio, painter, cursor) {
    this.studio = studio;
    this.painter = painter;
    this.cursor = cursor;
    this.crosshair = find("crosshair");
    this.place = find("place");
    studio.stage.canvas.addEventListener("pointerdown", () => this.#end());
    studio.on("change", () => studio.project || this.#end());
  }

  toggle() {
    if (this.active) return this.#end();
    const { width, height } = this.studio.view.screen;
    this.active = true;
    this.#point = { x: width / 2, y: height / 2, pressure: 1 };
    this.studio.stage.canvas.focus({ preventScroll: true });
    this.#show();
    this.studio.messages.notice(
      "Arrow keys move the crosshair (with Shift: faster). Space presses and releases. Esc ends.",
    );
    return null;
  }

  /** @param {KeyboardEvent} event @returns {boolean} whether it was one for the crosshair */
  take(event) {
    if (!this.active || event.ctrlKey || event.metaKey) return false;
    if (WAYS[event.key]) this.#move(WAYS[event.key], event);
    else if (event.key === " ") this.#press();
    else if (event.key === "Escape") this.#escape();
    else return false;
    return true;
  }

  #move([right, down], event) {
    const { view } = this.studio;
    const { width, height } = view.screen;
    const step = (event.altKey ? 1 : event.shiftKey ? 4 * STEP : STEP) * view.ratio;
    this.#point.x = Math.max(0, Math.min(width, this.#point.x + right * step));
    this.#point.y = Math.max(0, Math.min(height, this.#point.y + down * step));
    if (this.down) this.painter.move([{ ...this.#point }]);
    this.#show();
  }

  #press() {
    if (this.down) {
      this.painter.end();
      this.down = false;
    } else this.down = this.painter.begin({ ...this.#point }, { button: 0 });
    this.#show();
  }

  #escape() {
    if (!this.down) return this.#end();
    this.painter.cancel();
    this.down = false;
    return this.#show();
  }

  #end() {
    if (this.down) this.painter.cancel();
    this.active = this.down = false;
    this.crosshair.hidden = true;
    this.place.textContent = "";
  }

  #show() {
    const { view } = this.studio;
    const { x, y } = this.#point;
    this.crosshair.hidden = false;
    this.crosshair.style.left = `${x / view.ratio}px`;
    this.crosshair.style.top = `${y / view.ratio}px`;
    this.cursor.hover(this.#point);
    const at = view.toPicture(x, y);
    const where = `${Math.round(at.x)} across, ${Math.round(at.y)} down`;
    this.place.textContent = this.down ? `Pressed at ${where}` : where;
  }
}
