/**
 * The canvas: draws what the view asks for, only where something has changed, once a frame.
 */

import { Emitter } from "../model/emitter.js";
import { intersection, outward, union, whole } from "../model/rectangle.js";
import { clip } from "./tiles.js";

const CHECK = 12; // CSS pixels
const SEEN = new Set([
  ...["theme", "view", "behind", "colour", "second", "strength", "compare", "split"],
  ...["onion", "shadow", "sides"],
]);

/** Event "drawn", after each frame that drew anything. */
export class Stage extends Emitter {
  /** @type {import("./layers.js").Layers | null} */
  #layers = null;
  /** Further canvases with the same project: what is drawn again here is drawn again there. */
  mirrors = /** @type {Stage[]} */ ([]);
  /** Whether the photo alone is shown for a moment. */
  #peeking = false;
  /** Called before each frame is drawn. */
  beforeFrame = () => {};
  #damage = null;
  #requested = false;
  #scratch = new OffscreenCanvas(1, 1);

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {import("./view.js").View} view
   * @param {import("../model/settings.js").Settings} settings
   * @param {{shows: () => string, sizes?: boolean}} options shows: "marks", "cutout" or "matte";
   *   sizes: whether the view is of this canvas's size
   */
  constructor(canvas, view, settings, { shows, sizes = true }) {
    super();
    this.shows = shows;
    this.sizes = sizes;
    this.canvas = canvas;
    this.view = view;
    this.settings = settings;
    this.context = canvas.getContext("2d", { alpha: false });
    view.addEventListener("change", () => this.redraw());
    settings.on("change", (detail) => SEEN.has(detail) && this.redraw());
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", () => this.redraw());
    const observer = new ResizeObserver(([entry]) => this.#resize(entry));
    try {
      observer.observe(canvas, { box: "device-pixel-content-box" });
    } catch {
      observer.observe(canvas); // a browser that does not tell device pixels
    }
    this.#resize();
  }

  #resize(entry) {
    const ratio = devicePixelRatio || 1;
    const [width, height] = screenSize(this.canvas, ratio, entry);
    if (width === this.canvas.width && height === this.canvas.height && this.checks) return;
    Object.assign(this.canvas, { width, height });
    Object.assign(this.#scratch, { width, height });
    this.checks = this.context.createPattern(checkerboard(Math.round(CHECK * ratio)), "repeat");
    if (this.sizes) this.view.resize(width, height, ratio);
    else this.redraw();
    this.#frame(); // at once: a resized canvas is blank
  }

  get layers() {
    return this.#layers;
  }

  /** What is drawn, here and on the mirrors. */
  set layers(layers) {
    this.#layers = layers;
    for (const mirror of this.mirrors) mirror.layers = layers;
  }

  /** Shows the photo alone, or what the view asks for again. @param {boolean} on */
  peek(on) {
    if (this.#peeking === on) return;
    this.#peeking = on;
    this.redraw();
  }

  /** Draws everything again. */
  redraw() {
    this.#damage = whole(this.canvas.width, this.canvas.height);
    this.request();
    for (const mirror of this.mirrors) mirror.redraw();
  }

  /** Draws a part of the picture again. @param {import("../model/rectangle.js").Rectangle} part */
  invalidate(part) {
    const { left, top, right, bottom } = this.view.toScreen(part);
    const seen = outward({ left: left - 2, top: top - 2, right: right + 2, bottom: bottom + 2 });
    const inside = intersection(seen, whole(this.canvas.width, this.canvas.height));
    this.#damage = union(this.#damage, inside);
    this.request();
    for (const mirror of this.mirrors) mirror.invalidate(part);
  }

  request() {
    if (this.#requested) return;
    this.#requested = true;
    requestAnimationFrame(() => this.#frame());
  }

  #frame() {
    this.#requested = false;
    this.beforeFrame();
    const damage = this.#damage;
    this.#damage = null;
    if (!damage) return;
    if (this.canvas.clientWidth === 0) return; // it is not seen
    const { context, layers } = this;
    context.save();
    clip(context, damage);
    context.fillStyle = getComputedStyle(this.canvas).backgroundColor;
    context.fillRect(damage.left, damage.top, damage.right - damage.left, damage.bottom - damage.top);
    if (layers) this.#draw(damage);
    context.restore();
    if (layers?.overlay.incomplete) this.redraw();
    this.emit("drawn");
  }

  /** Whether marks are drawn over the photo, and not the result. */
  get showsMarks() {
    return !this.layers?.answered || this.shows() === "marks";
  }

  /** Whether marks are drawn over the photo, here or on a mirror that is seen. */
  get marksAreSeen() {
    const seen = this.mirrors.filter(({ canvas }) => canvas.clientWidth > 0);
    return [this, ...seen].some((stage) => stage.showsMarks);
  }

  /** Where before ends and after begins, in device pixels. */
  get splitAt() {
    return Math.round((this.canvas.width * this.settings.split) / 100);
  }

  #draw(damage) {
    if (this.#peeking) {
      this.#drawPhoto(damage);
      return;
    }
    if (this.showsMarks) {
      this.#drawPhoto(damage);
      this.context.globalAlpha = this.layers.begun ? this.settings.strength / 100 : 1;
      this.layers.overlay.draw(this.context, this.view, damage);
      this.context.globalAlpha = 1;
      return;
    }
    const { width, height } = this.canvas;
    const compare = this.settings.compare && !this.settings.sides;
    const before = { ...whole(width, height), right: compare ? this.splitAt : 0 };
    const after = { ...whole(width, height), left: compare ? this.splitAt : 0 };
    this.#within(intersection(damage, before), (part) => this.#drawPhoto(part));
    this.#within(intersection(damage, after), (part) => {
      if (this.shows() === "matte") this.#drawMatte(part);
      else this.#drawCutout(part);
    });
    this.layers.ink.draw(this.context, this.view, damage);
  }

  #drawPhoto(damage) {
    this.layers.photo.draw(this.context, this.view, damage);
  }

  #drawCutout(damage) {
    const area = this.#onScreen(this.layers.frame.area);
    this.#within(intersection(damage, area), (part) => {
      const { context, layers, settings, view } = this;
      this.#drawBehind(part);
      if (settings.shadow && layers.shadow.ready) {
        context.globalAlpha = settings.shadow / 100;
        layers.shadow.draw(context, view, part);
      }
      context.globalAlpha = settings.onion / 100;
      if (settings.onion) layers.photo.draw(context, view, part);
      context.globalAlpha = 1;
      layers.result.draw(context, view, part);
    });
  }

  #drawBehind(part) {
    const { context, settings, layers, view } = this;
    const { behind } = settings;
    /** @type {[number, number, number, number]} */
    const rectangle = [part.left, part.top, part.right - part.left, part.bottom - part.top];
    this.checks.setTransform(new DOMMatrix().translate(Math.round(view.x), Math.round(view.y)));
    const fills = {
      checks: this.checks,
      black: "#000",
      white: "#fff",
      colour: settings.colour,
      gradient: this.#gradient(),
    };
    context.fillStyle = fills[behind] ?? (layers.backdrop.ready ? "#fff" : this.checks);
    context.fillRect(...rectangle);
    const pictures = { picture: layers.backdrop, blur: layers.surroundings };
    if (pictures[behind]?.ready) pictures[behind].draw(context, view, part);
  }

  /** From the first colour at the picture's top to the second at its bottom. */
  #gradient() {
    const { settings, view } = this;
    const { top, bottom } = view.toScreen(this.layers.frame.area);
    const gradient = this.context.createLinearGradient(0, top, 0, bottom);
    gradient.addColorStop(0, settings.colour);
    gradient.addColorStop(1, settings.second);
    return gradient;
  }

  /** Alpha as grey: white wherever the result is opaque. */
  #drawMatte(damage) {
    const { width, height } = this.view.picture;
    const area = this.#onScreen(whole(width, height));
    this.#within(intersection(damage, area), (part) => {
      /** @type {[number, number, number, number]} */
      const rectangle = [part.left, part.top, part.right - part.left, part.bottom - part.top];
      const scratch = this.#scratch.getContext("2d");
      scratch.save();
      clip(scratch, part);
      this.layers.result.draw(scratch, this.view, part);
      scratch.globalCompositeOperation = "source-in";
      scratch.fillStyle = "#fff";
      scratch.fillRect(...rectangle);
      scratch.restore();
      this.context.fillStyle = "#000";
      this.context.fillRect(...rectangle);
      this.context.drawImage(this.#scratch, ...rectangle, ...rectangle);
    });
  }

  /** A part of the picture on the screen, rounded as its tiles are. */
  #onScreen(part) {
    const { left, top, right, bottom } = this.view.toScreen(part);
    return {
      left: Math.round(left),
      top: Math.round(top),
      right: Math.round(right),
      bottom: Math.round(bottom),
    };
  }

  #within(part, draw) {
    if (!part) return;
    const { context } = this;
    context.save();
    context.beginPath();
    context.rect(part.left, part.top, part.right - part.left, part.bottom - part.top);
    context.clip();
    draw(part);
    context.restore();
  }
}

/**
 * The canvas's size in device pixels: what the browser says, unless that is not in device pixels at
 * all, as where a browser plays a phone.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {number} ratio
 * @param {ResizeObserverEntry | undefined} entry
 * @returns {[number, number]}
 */
function screenSize(canvas, ratio, entry) {
  const exact = entry?.devicePixelContentBoxSize?.[0];
  const across = Math.max(1, Math.round(canvas.clientWidth * ratio));
  const down = Math.max(1, Math.round(canvas.clientHeight * ratio));
  if (!exact || Math.abs(exact.inlineSize - across) > 2 * ratio) return [across, down];
  return [Math.max(1, exact.inlineSize), Math.max(1, exact.blockSize)];
}

/** Two by two checks, to be repeated. */
function checkerboard(side) {
  const canvas = new OffscreenCanvas(2 * side, 2 * side);
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, 2 * side, 2 * side);
  context.fillStyle = "#dcdcdc";
  context.fillRect(side, 0, side, side);
  context.fillRect(0, side, side, side);
  return canvas;
}
