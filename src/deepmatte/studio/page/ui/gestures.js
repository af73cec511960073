/**
 * Mouse, pen and fingers on the stage: what is painting, what is panning and zooming.
 *
 * One finger or the main button uses the tool; two fingers, the middle button or the space key move
 * the picture. Once a pen has been seen, a single finger moves the picture too, so that the hand
 * may rest on the screen.
 */

const SECOND_FINGER = 350; // milliseconds in which a second finger turns a stroke into a pinch
const GESTURE_END = 200; // milliseconds without wheel events

/**
 * @typedef {{x: number, y: number, pressure: number}} Point in device pixels of the stage
 * @typedef {{pan: (x: number, y: number) => void,
 *   zoom: (factor: number, x: number, y: number) => void}} Movable
 * @typedef {object} Handlers
 * @property {(point: Point, event: PointerEvent) => boolean} begin whether the tool takes it
 * @property {(points: Point[]) => void} move
 * @property {() => void} end
 * @property {() => void} cancel
 * @property {(point: Point | null) => void} hover
 * @property {(notches: number) => boolean} resize by the wheel; false: not by this tool
 * @property {() => boolean} scales whether the wheel alone zooms what is moved
 * @property {(panning: boolean) => Movable} moved what panning and zooming move
 */

export class Gestures {
  /** Whether the space key is held: then dragging pans. */
  panning = false;
  #pointers = new Map();
  #mode = null; // "tool", "pan", "pinch"
  /** @type {HTMLElement} */
  #element;
  #began = 0;
  #penSeen = false;
  #wheel = { last: 0, pans: false };

  /**
   * @param {HTMLElement[]} elements that show the picture in the same way
   * @param {Handlers} handlers
   */
  constructor(elements, handlers) {
    this.handlers = handlers;
    this.#element = this.first = elements[0];
    for (const element of elements) this.#listenTo(element);
  }

  /** @param {HTMLElement} element */
  #listenTo(element) {
    const { handlers } = this;
    const listen = (name, listener) => element.addEventListener(name, listener);
    listen("pointerdown", (event) => this.#down(event));
    listen("pointermove", (event) => this.#move(event));
    listen("pointerup", (event) => this.#up(event, false));
    listen("pointercancel", (event) => this.#up(event, true));
    listen("pointerleave", () => this.#mode || handlers.hover(null));
    element.addEventListener("wheel", (event) => this.#turn(event), { passive: false });
  }

  get busy() {
    return this.#mode !== null;
  }

  /** Gives up what is being drawn. */
  cancel() {
    if (this.#mode === "tool") this.handlers.cancel();
    this.#mode = null;
  }

  /** The place of an event on the canvas beneath it, or on which the gesture began. */
  #point(event) {
    if (!this.#mode) this.#element = event.currentTarget;
    const ratio = devicePixelRatio || 1;
    const { left, top } = this.#element.getBoundingClientRect();
    const pressure = event.pointerType === "pen" ? event.pressure : 1;
    return { x: (event.clientX - left) * ratio, y: (event.clientY - top) * ratio, pressure };
  }

  #down(event) {
    const touch = event.pointerType === "touch";
    if (!touch && this.#mode) return;
    if (event.pointerType === "pen") this.#penSeen = true;
    const point = this.#point(event);
    const young = performance.now() - this.#began < SECOND_FINGER;
    if (touch && this.#pointers.size === 1) {
      if (this.#mode === "tool" && !young) return;
      if (this.#mode === "tool") this.handlers.cancel();
      this.#pointers.set(event.pointerId, point);
      this.#mode = "pinch";
    } else if (this.#pointers.size === 0) {
      this.#mode = this.#modeFor(event, point);
      if (!this.#mode) return;
      this.#pointers.set(event.pointerId, point);
      this.#began = performance.now();
    } else return;
    this.#element.setPointerCapture(event.pointerId);
    event.preventDefault();
    this.first.focus({ preventScroll: true });
  }

  #modeFor(event, point) {
    const restingHand = event.pointerType === "touch" && this.#penSeen;
    if (event.button === 1 || this.panning || restingHand) return "pan";
    const eraser = event.pointerType === "pen" && event.button === 5;
    if (event.button !== 0 && !eraser) return null;
    return this.handlers.begin(point, event) ? "tool" : "pan";
  }

  #move(event) {
    const before = this.#pointers.get(event.pointerId);
    const point = this.#point(event);
    if (!this.#mode || !before) {
      if (event.pointerType !== "touch") this.handlers.hover(point);
      return;
    }
    this.#pointers.set(event.pointerId, point);
    if (this.#mode === "tool") {
      const events = event.getCoalescedEvents?.() ?? [];
      this.handlers.move((events.length ? events : [event]).map((each) => this.#point(each)));
      this.handlers.hover(point);
    } else if (this.#mode === "pan") {
      this.handlers.moved(this.panning).pan(point.x - before.x, point.y - before.y);
      this.handlers.hover(point);
    } else this.#pinch(event.pointerId, before, point);
  }

  #pinch(id, before, point) {
    const other = [...this.#pointers].find(([key]) => key !== id)?.[1];
    if (!other) return;
    const distance = (from) => Math.max(1, Math.hypot(from.x - other.x, from.y - other.y));
    const moved = this.handlers.moved(this.panning);
    moved.pan((point.x - before.x) / 2, (point.y - before.y) / 2);
    const centre = { x: (point.x + other.x) / 2, y: (point.y + other.y) / 2 };
    moved.zoom(distance(point) / distance(before), centre.x, centre.y);
  }

  #up(event, cancelled) {
    if (!this.#pointers.delete(event.pointerId)) return;
    if (this.#mode === "tool") {
      if (cancelled && performance.now() - this.#began < SECOND_FINGER) this.handlers.cancel();
      else this.handlers.end();
    }
    this.#mode = this.#mode === "pinch" && this.#pointers.size ? "pan" : null;
    if (event.pointerType === "touch") this.handlers.hover(null);
  }

  #turn(event) {
    event.preventDefault();
    const unit = [1, 16, 400][event.deltaMode];
    const [right, down] = [event.deltaX * unit, event.deltaY * unit];
    const { x, y } = this.#point(event);
    if (event.ctrlKey || event.metaKey || this.handlers.scales()) {
      this.handlers.moved(this.panning).zoom(Math.exp(-down / (event.deltaMode ? 200 : 250)), x, y);
      return;
    }
    const now = performance.now();
    // A trackpad scrolls both ways, a wheel only one: the first event of a gesture decides.
    if (now - this.#wheel.last > GESTURE_END) this.#wheel.pans = right !== 0 || event.shiftKey;
    this.#wheel.last = now;
    const ratio = devicePixelRatio || 1;
    if (!this.#wheel.pans && this.handlers.resize(-down / 100)) return;
    const sideways = event.shiftKey && right === 0;
    this.handlers
      .moved(true)
      .pan(-(sideways ? down : right) * ratio, -(sideways ? 0 : down) * ratio);
  }
}
