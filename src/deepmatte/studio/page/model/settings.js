/**
 * What the user has chosen; kept in the browser from one visit to the next.
 */

import { Emitter } from "./emitter.js";

const KEY = "deepmatte studio settings";

export const LARGEST_BRUSH = 1000; // pixels

const KEPT = ["theme", "edges", "behind", "colour", "second", "blur", "strength", "split"];
/** What is done to the edge of the matte. */
export const REFINING = ["smooth", "feather", "shift", "contrast", "decontaminate"];
/** What a project file holds. */
const SHARED = [
  ...["size", "view", "behind", "colour", "second", "blur", "strength", "compare", "split"],
  ...["shadow", "sides"],
  ...REFINING,
];

/** The words that a setting may be, or the lowest and highest number. */
const ALLOWED = {
  theme: ["auto", "light", "dark"],
  view: ["marks", "cutout", "matte"],
  behind: ["checks", "black", "white", "colour", "gradient", "blur", "picture"],
};
const RANGES = {
  shadow: [0, 100],
  size: [1, LARGEST_BRUSH],
  blur: [0.5, 12],
  smooth: [0, 20],
  feather: [0, 20],
  shift: [-100, 100],
  contrast: [0, 100],
  decontaminate: [0, 100],
  strength: [0, 100],
  split: [0, 100],
};
const COLOUR = /^#[0-9a-f]{6}$/i;

/** Event "change" (detail: the setting's name). */
export class Settings extends Emitter {
  theme = "auto"; // "auto", "light", "dark"
  tool = "box"; // "box", "brush", "edge", "erase", "fill", "lasso", "move", "place", "subject"
  label = "foreground"; // "foreground", "background", "unknown"
  edges = true; // whether Keep and Remove look for the edge around a stroke
  size = 40; // the brush's diameter in pixels of the photo
  view = "marks"; // "marks", "cutout", "matte"
  behind = "checks"; // "checks", "black", "white", "colour", "gradient", "blur", "picture"
  colour = "#00b140";
  second = "#1d3557"; // the gradient's colour at the bottom
  blur = 3; // of the photo's own background, percent of its longer side
  smooth = 0; // pixels, and so the next
  feather = 0;
  shift = 0; // of the edge, percent, and so the next two
  contrast = 0;
  decontaminate = 100;
  shadow = 0; // how dark it is below the subject, percent
  strength = 80; // of the marks, percent
  onion = 0; // how much of the photo shines through where it is cut away, percent
  sides = false; // marks on the left, the result on the right
  magnifier = false; // whether what is beneath the pointer is seen larger in a corner
  compare = false;
  split = 50; // where before ends and after begins, percent of the screen

  constructor() {
    super();
    Object.assign(this, this.#known(stored(), KEPT));
  }

  set(name, value) {
    if (this[name] === value) return;
    this[name] = value;
    // A background that is not seen is not moved either, nor is a subject on none.
    const seen = this.view === "cutout";
    if (this.tool === "place" && !(seen && this.behind === "picture")) this.tool = "brush";
    if (this.tool === "subject" && !(seen && this.behind !== "checks")) this.tool = "brush";
    this.emit("change", name);
    if (KEPT.includes(name)) {
      try {
        localStorage.setItem(KEY, JSON.stringify(pick(this, KEPT)));
      } catch {
        // A browser that keeps nothing only costs the convenience.
      }
    }
  }

  /** What is done to the edge, by name. */
  refinement() {
    return pick(this, REFINING);
  }

  /** Leaves the edge as it is. */
  unrefine() {
    for (const name of REFINING) this.set(name, asItIs(name));
  }

  /** Whether anything is done to the edge. */
  get refines() {
    return REFINING.some((name) => this[name] !== asItIs(name));
  }

  /** For a project file. */
  shared() {
    return pick(this, SHARED);
  }

  /** Takes over what a project file holds, as far as it makes sense. */
  share(values) {
    for (const [name, value] of Object.entries(this.#known(values, SHARED))) this.set(name, value);
  }

  /** Those values that have a known name and that the page could have set itself. */
  #known(values, names) {
    const fits = (name) => {
      const value = values?.[name];
      if (typeof value !== typeof this[name]) return false;
      if (name in RANGES) return value >= RANGES[name][0] && value <= RANGES[name][1];
      if (name in ALLOWED) return ALLOWED[name].includes(value);
      return typeof value === "boolean" || COLOUR.test(value);
    };
    return pick(values ?? {}, names.filter(fits));
  }
}

const asItIs = (name) => (name === "decontaminate" ? 100 : 0);

const pick = (from, names) => Object.fromEntries(names.map((name) => [name, from[name]]));

function stored() {
  try {
    return JSON.parse(localStorage.getItem(KEY));
  } catch {
    return {};
  }
}
