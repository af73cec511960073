/**
 * Keep and Remove over what was found look for the subject's edge again, around the stroke; the
 * edge brush looks for it beneath the stroke.
 */

import { BACKGROUND, FOREGROUND, UNKNOWN, cut } from "../model/labels.js";
import { Refused } from "../model/errors.js";
import { intersection } from "../model/rectangle.js";
import { nextFrame } from "../model/slices.js";

const AROUND = 0.25; // of the photo's side, on each side of the stroke
const SMALL = 2_000_000; // pixels of a photo that is looked at as a whole
const PATIENCE = 20_000; // milliseconds after which the stroke stays what it is
/** Starts that were found and not given: only these are looked at again. */
const FOUND = new Set(["Box", "Box added", "Strokes", "Subject", "Band width", "Holes filled", "Specks removed"]);

/**
 * @typedef {{window: import("../model/rectangle.js").Rectangle, before: Uint8Array,
 *   after: Uint8Array, stroke: Uint8Array, mark: "keep" | "remove" | "edge"}} Look
 */

export class EdgeFinder {
  /** @param {import("../studio.js").Studio} studio */
  constructor(studio) {
    this.studio = studio;
  }

  /**
   * What is to be looked at; before the stroke is committed.
   *
   * @param {{rectangle: import("../model/rectangle.js").Rectangle, spans: number[][],
   *   label: number, edge: boolean}} stroke
   * @returns {Look | null} null: this stroke marks what it covers, and nothing else
   */
  prepare({ rectangle, spans, label, edge }) {
    const { project, settings, server } = this.studio;
    const { trimap } = project;
    const { history, width, height } = trimap;
    const start = history.steps[history.baseIndex];
    const again = settings.edges && label !== UNKNOWN && start && FOUND.has(start.name);
    if (!(edge ? history.begun : again) || server.state !== "ok") return null;
    const whole = width * height <= SMALL;
    const around = whole ? Math.max(width, height) : Math.round(AROUND * Math.sqrt(width * height));
    const window = intersection(trimap.area, {
      left: rectangle.left - around,
      top: rectangle.top - around,
      right: rectangle.right + around,
      bottom: rectangle.bottom + around,
    });
    const before = cut(trimap.committed, width, window);
    const after = cut(trimap.labels, width, window);
    const stroke = new Uint8Array(before.length).fill(BACKGROUND);
    const columns = window.right - window.left;
    for (const [y, start, end] of spans) {
      const row = (y - window.top) * columns - window.left;
      stroke.fill(FOREGROUND, row + start, row + end);
    }
    const mark = edge ? "edge" : label === FOREGROUND ? "keep" : "remove";
    return { window, before, after, stroke, mark };
  }

  /**
   * @param {Look} look
   * @param {Promise<import("../model/history.js").Step | null>} made the stroke's step
   * @param {() => boolean} painting whether another stroke is under way
   */
  async look({ window, before, after, stroke, mark }, made, painting) {
    const { project, server } = this.studio;
    const { left, top, right, bottom } = window;
    const query = { left, top, width: right - left, height: bottom - top, mark };
    const body = new Blob(/** @type {BlobPart[]} */ ([before, stroke]));
    const signal = AbortSignal.timeout(PATIENCE);
    try {
      const step = await made;
      if (!step) return;
      const response = await project.live.withPicture((id) =>
        server.call(`pictures/${id}/trimap/again`, { method: "POST", query, body, signal }),
      );
      if (response.status === 204) return;
      const found = new Uint8Array(await response.arrayBuffer());
      while (painting()) await nextFrame();
      const { history } = project.trimap;
      const undone = !history.steps.slice(0, history.position).includes(step);
      if (undone || project.trimap.waitingFor || project.live.closed) return;
      await project.trimap.amend(step, window, after, found);
    } catch (error) {
      // The stroke itself is painted; that it stays as it is, is no error.
      if (!signal.aborted && !(error instanceof Refused)) throw error;
    }
  }
}
