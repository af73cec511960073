/**
 * The brush's circle, the magnifier, and the handle between before and after.
 */

import { Stage } from "./stage.js";
import { View } from "./view.js";

const ENLARGED = 3; // times, by the magnifier
const SHOWN = 900; // milliseconds in the middle of the stage after a change by slider or key

/** Tools with a brush. */
export const PAINTING = ["brush", "edge", "erase"];

export class Cursor {
  #place = null;
  #timer = 0;

  /**
   * @param {import("../studio.js").Studio} studio
   * @param {HTMLElement[]} circles one for each canvas
   * @param {Magnifier} magnifier
   */
  constructor(studio, circles, magnifier) {
    this.studio = studio;
    this.circles = circles;
    this.magnifier = magnifier;
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
    this.magnifier.follow(place);
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
    const paints = PAINTING.includes(settings.tool);
    const hidden = !this.#place || !paints || !project;
    for (const circle of this.circles) circle.hidden = hidden;
    if (hidden) return;
    const diameter = Math.max(2, (settings.size * view.scale) / view.ratio);
    const [x, y] = [this.#place.x / view.ratio, this.#place.y / view.ratio];
    for (const { style } of this.circles) {
      style.width = style.height = `${diameter}px`;
      style.transform = `translate(${x - diameter / 2}px, ${y - diameter / 2}px)`;
    }
  }
}

/** A part of the picture around the pointer, larger, in a corner of the stage. */
export class Magnifier {
  #view = new View();

  /** @param {import("../studio.js").Studio} studio @param {HTMLElement} element */
  constructor(studio, element) {
    this.studio = studio;
    this.element = element;
    const { stage, settings } = studio;
    const canvas = element.querySelector("canvas");
    this.stage = new Stage(canvas, this.#view, settings, { shows: () => stage.shows() });
    stage.mirrors.push(this.stage);
    settings.on("change", (name) => name === "magnifier" && this.follow(null));
  }

  /** @param {{x: number, y: number} | null} place of the pointer on the stage, in device pixels */
  follow(place) {
    const { project, settings, view } = this.studio;
    this.element.hidden = !place || !settings.magnifier || !project;
    if (this.element.hidden) return;
    const { x, y } = place;
    const aside = x > view.screen.width / 2 && y < view.screen.height / 2;
    this.element.classList.toggle("aside", aside);
    this.#view.picture = view.picture;
    const scale = Math.max(2 * view.ratio, ENLARGED * view.scale);
    this.#view.look(view.toPicture(x, y), scale);
    const circle = this.element.querySelector("i");
    circle.hidden = !PAINTING.includes(settings.tool);
    circle.style.width = circle.style.height = `${(settings.size * scale) / view.ratio}px`;
  }
}

/** The divider that is dragged between before and after. */
export function followDivider(studio, divider) {
  const { settings, stage } = studio;
  const show = () => {
    divider.hidden = stage.showsMarks || !settings.compare || settings.sides || !studio.project;
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
