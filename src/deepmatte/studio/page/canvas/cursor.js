/**
 * The brush's circle, and the handle between before and after.
 */

const SHOWN = 900; // milliseconds in the middle of the stage after a change by slider or key

export class Cursor {
  #place = null;
  #timer = 0;

  /** @param {import("../studio.js").Studio} studio @param {HTMLElement} circle */
  constructor(studio, circle) {
    this.studio = studio;
    this.circle = circle;
    studio.view.addEventListener("change", () => this.#draw());
    studio.settings.on("change", (detail) => {
      if (detail === "size" && !this.#place) this.#flash();
      else this.#draw();
    });
  }

  /** @param {{x: number, y: number} | null} place in device pixels; null: not over the stage */
  hover(place) {
    this.#place = place;
    this.#draw();
  }

  #flash() {
    if (!this.studio.project) return;
    const { width, height } = this.studio.view.screen;
    this.#place = { x: width / 2, y: height / 2 };
    this.#draw();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.hover(null), SHOWN);
  }

  #draw() {
    const { settings, view, project } = this.studio;
    const paints = ["brush", "erase"].includes(settings.tool);
    this.circle.hidden = !this.#place || !paints || !project;
    if (this.circle.hidden) return;
    const diameter = Math.max(2, (settings.size * view.scale) / view.ratio);
    const [x, y] = [this.#place.x / view.ratio, this.#place.y / view.ratio];
    const { style } = this.circle;
    style.width = style.height = `${diameter}px`;
    style.transform = `translate(${x - diameter / 2}px, ${y - diameter / 2}px)`;
  }
}

/** The divider that is dragged between before and after. */
export function followDivider(studio, divider) {
  const { settings, stage } = studio;
  const show = () => {
    divider.hidden = stage.showsMarks || !settings.compare || !studio.project;
    divider.style.left = `${settings.split}%`;
    divider.setAttribute("aria-valuenow", String(Math.round(settings.split)));
  };
  settings.addEventListener("change", show);
  studio.addEventListener("change", show);
  const move = (split) => settings.set("split", Math.max(0, Math.min(100, split)));
  divider.addEventListener("pointerdown", (event) => {
    divider.setPointerCapture(event.pointerId);
    event.preventDefault();
    divider.focus();
  });
  divider.addEventListener("pointermove", (event) => {
    if (!divider.hasPointerCapture(event.pointerId)) return;
    const { left, width } = stage.canvas.getBoundingClientRect();
    move((100 * (event.clientX - left)) / width);
  });
  divider.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -2, ArrowRight: 2, Home: -100, End: 100 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    move(settings.split + step);
  });
  show();
}
