/**
 * The tools: what a drag on the stage does to the trimap.
 */

import { BoxTool } from "./box_tool.js";
import { EdgeFinder } from "./edge_finder.js";
import { BACKGROUND, FOREGROUND, LABELS, UNKNOWN } from "../model/labels.js";
import { union } from "../model/rectangle.js";
import { snap, sweep } from "../model/brush.js";
import { Lasso } from "./lasso.js";
import { fill } from "../model/fill.js";
import { inSlices } from "../model/slices.js";

/** Tools that move something and mark nothing. */
const MOVING = ["move", "place", "subject"];
/** What Alt makes of a mark; null: it is taken back. */
const OPPOSITE = { foreground: "background", background: "foreground", unknown: null };
/** What strokes are called in the list of steps. */
const NAMES = { [FOREGROUND]: "Keep", [BACKGROUND]: "Remove", [UNKNOWN]: "Find out" };
const LEAST_PRESSURE = 0.1;
const OPEN_SHARE = 0.3; // of the photo, that an area which is not enclosed has

export class Painter {
  #stroke = null;
  /** @type {Lasso} */
  #lasso;
  /** @type {BoxTool} */
  #box;
  #lastPoint = null;

  /**
   * @param {import("../studio.js").Studio} studio
   * @param {HTMLElement} boxElement
   * @param {() => Promise<string>} askAgain what another box is for
   */
  constructor(studio, boxElement, askAgain) {
    this.edges = new EdgeFinder(studio);
    this.#box = new BoxTool(studio, boxElement, askAgain);
    this.#lasso = new Lasso(studio);
    this.studio = studio;
  }

  /** Starts the tool at a point of the screen. @returns {boolean} false: it moves the picture */
  begin(point, event) {
    const { project, settings, messages } = this.studio;
    if (!project || MOVING.includes(settings.tool)) return false;
    if (project.trimap.waitingFor) {
      messages.notice(`One moment: ${project.trimap.waitingFor.toLowerCase()}.`);
      return true;
    }
    const place = this.studio.view.toPicture(point.x, point.y);
    if (settings.tool === "box") this.#box.begin(place, point, event);
    else if (settings.tool === "fill") this.#fill(place);
    else if (settings.tool === "lasso") this.#lasso.begin(place, LABELS[settings.label]);
    else {
      const edge = settings.tool === "edge";
      const marked = event.altKey ? OPPOSITE[settings.label] : settings.label;
      const label = edge ? "unknown" : marked;
      const erasing = settings.tool === "erase" || event.button === 5 || label === null;
      const last = event.shiftKey ? this.#lastPoint : null;
      const marks = { erasing, edge: edge && !erasing, label: LABELS[label] };
      this.#stroke = { ...marks, queue: [], last, rectangle: null, spans: [] };
      this.move([point]);
    }
    return true;
  }

  /** @param {import("./gestures.js").Point[]} points */
  move(points) {
    const { view } = this.studio;
    const places = points.map((point) => ({ ...point, ...view.toPicture(point.x, point.y) }));
    if (this.#box.active) this.#box.move(places.at(-1));
    if (this.#lasso.active) this.#lasso.move(places);
    if (!this.#stroke) return;
    this.#stroke.queue.push(...places);
    this.studio.stage.request();
  }

  end() {
    if (this.#box.active) this.#box.end();
    if (this.#lasso.active) this.#lasso.end();
    if (!this.#stroke) return;
    this.paint();
    performance.mark("stroke end");
    const { erasing, rectangle, last } = this.#stroke;
    const { label, spans, edge } = this.#stroke;
    this.#stroke = null;
    this.#lastPoint = last;
    if (!rectangle) return;
    const { trimap } = this.studio.project;
    const name = erasing ? "Eraser" : edge ? "Edge brush" : NAMES[label];
    const look = erasing ? null : this.edges.prepare({ rectangle, spans, label, edge });
    const step = trimap.commit("marks", name, rectangle);
    if (look) this.edges.look(look, step, () => this.#stroke !== null);
  }

  cancel() {
    this.#lasso.cancel();
    this.#box.cancel();
    if (!this.#stroke) return;
    const { rectangle } = this.#stroke;
    this.#stroke = null;
    if (!rectangle) return;
    const { trimap, layers } = this.studio.project;
    for (let y = rectangle.top; y < rectangle.bottom; y++) {
      const start = y * trimap.width + rectangle.left;
      const end = y * trimap.width + rectangle.right;
      trimap.labels.set(trimap.committed.subarray(start, end), start);
    }
    layers.showMarks(rectangle);
  }

  /** The pointer is over the stage, or left it. @param {{x: number, y: number} | null} point */
  hover(point) {
    this.#box.hover(point);
  }

  /** Paints what the pointer has passed since the last frame. */
  paint() {
    const stroke = this.#stroke;
    if (!stroke?.queue.length) return;
    const { trimap, layers } = this.studio.project;
    const { width, height, labels, base } = trimap;
    const span = stroke.erasing
      ? (y, start, end) => {
          const row = y * width;
          labels.set(base.subarray(row + start, row + end), row + start);
        }
      : (y, start, end) => {
          labels.fill(stroke.label, y * width + start, y * width + end);
          stroke.spans.push([y, start, end]);
        };
    let painted = null;
    for (const { x, y, pressure } of stroke.queue) {
      const share = Math.max(LEAST_PRESSURE, pressure);
      const to = { x, y, diameter: Math.max(1, this.studio.settings.size * share) };
      for (const [one, other, diameter] of pieces(stroke.last ?? to, to)) {
        const from = { x: snap(one.x, diameter), y: snap(one.y, diameter) };
        const end = { x: snap(other.x, diameter), y: snap(other.y, diameter) };
        painted = union(painted, sweep(from, end, diameter, width, height, span));
      }
      stroke.last = to;
    }
    stroke.queue = [];
    if (!painted) return;
    stroke.rectangle = union(stroke.rectangle, painted);
    layers.showMarks(painted);
  }

  async #fill(place) {
    const { project, settings } = this.studio;
    const { trimap, layers } = project;
    const [x, y] = [Math.floor(place.x), Math.floor(place.y)];
    if (x < 0 || y < 0 || x >= trimap.width || y >= trimap.height) return;
    const label = LABELS[settings.label];
    const { labels, width, height, area } = trimap;
    trimap.waitingFor = "Filling";
    const controller = new AbortController();
    const done = this.studio.messages.busy("Filling", () => controller.abort());
    try {
      const found = await inSlices(fill(labels, width, height, x, y, label), controller.signal);
      if (!found) return;
      layers.showMarks(found.rectangle);
      await trimap.commit("marks", "Fill", found.rectangle);
      if (isOpen(found, area)) this.#remarkOpen(found.pixels / (width * height));
    } catch (error) {
      if (!controller.signal.aborted) throw error;
      labels.set(trimap.committed);
      layers.showMarks(area);
    } finally {
      done();
      trimap.waitingFor = null;
    }
  }

  /** A fill that ran out to the photo's edges was hardly meant. */
  #remarkOpen(share) {
    const { messages, project } = this.studio;
    const percent = Math.round(100 * share);
    const action = { label: "Undo", run: () => project.trimap.undo() };
    messages.notice(`That area was not enclosed: ${percent} % of the photo is filled.`, action);
  }
}

/** Whether an area reaches the photo's edges on all sides but one, or more. */
function isOpen({ rectangle, pixels }, area) {
  const sides = ["left", "top", "right", "bottom"];
  const touched = sides.filter((side) => rectangle[side] === area[side]).length;
  return touched >= 3 && pixels > OPEN_SHARE * area.right * area.bottom;
}

/**
 * A way on which the pen's pressure changes, as pieces of one whole diameter each.
 *
 * @returns {Generator<[{x: number, y: number}, {x: number, y: number}, number]>}
 */
function* pieces(from, to) {
  const diameters = [Math.round(from.diameter), Math.round(to.diameter)];
  const count = Math.abs(diameters[1] - diameters[0]) + 1;
  const at = (share) => ({
    x: from.x + (to.x - from.x) * share,
    y: from.y + (to.y - from.y) * share,
  });
  for (let index = 0; index < count; index++) {
    const diameter = diameters[0] + Math.sign(diameters[1] - diameters[0]) * index;
    yield [at(index / count), at((index + 1) / count), diameter];
  }
}
