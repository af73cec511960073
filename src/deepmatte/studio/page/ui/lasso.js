/**
 * The lasso: marks all that a line goes around.
 */

import { find } from "./find.js";
import { within } from "../model/polygon.js";

export class Lasso {
  /** @type {{x: number, y: number}[]} pixels of the photo */
  #points = [];
  #label = 0;

  /** @param {import("../studio.js").Studio} studio */
  constructor(studio) {
    this.studio = studio;
    this.path = find("path", SVGSVGElement);
    studio.view.on("change", () => this.active && this.#show());
  }

  get active() {
    return this.#points.length > 0;
  }

  begin(place, label) {
    this.#points = [place];
    this.#label = label;
  }

  move(places) {
    this.#points.push(...places);
    this.#show();
  }

  end() {
    const { trimap, layers } = this.studio.project;
    const { labels, width, height } = trimap;
    const span = (y, start, end) => labels.fill(this.#label, y * width + start, y * width + end);
    const covered = within(this.#points, width, height, span);
    this.cancel();
    if (!covered) return null;
    layers.showMarks(covered);
    return trimap.commit("marks", "Lasso", covered);
  }

  cancel() {
    this.#points = [];
    this.path.setAttribute("hidden", "");
  }

  #show() {
    const { view } = this.studio;
    const points = this.#points.map(({ x, y }) => {
      return `${(x * view.scale + view.x) / view.ratio},${(y * view.scale + view.y) / view.ratio}`;
    });
    for (const line of this.path.children) line.setAttribute("points", points.join(" "));
    this.path.removeAttribute("hidden");
  }
}
