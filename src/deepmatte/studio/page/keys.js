/**
 * The keyboard.
 */

/** Keys without a modifier, by what they type. The help in index.html lists them. */
const KEYS = {
  f: "keep",
  b: "remove",
  u: "findOut",
  x: "swap",
  m: "box",
  p: "brush",
  e: "erase",
  g: "fill",
  h: "move",
  "[": "smaller",
  "]": "larger",
  "+": "zoomIn",
  "=": "zoomIn",
  "-": "zoomOut",
  0: "fit",
  z: "actual",
  1: "viewMarks",
  2: "viewChecks",
  3: "viewBlack",
  4: "viewWhite",
  5: "viewColour",
  6: "viewPicture",
  7: "viewMatte",
  s: "compare",
  "?": "help",
};

/** With Ctrl, or with the command key of a Mac. */
const CONTROL_KEYS = {
  z: "undo",
  y: "redo",
  Z: "redo",
  o: "openPicture",
  s: "saveProject",
  c: "copy",
  0: "fit",
  "+": "zoomIn",
  "=": "zoomIn",
  "-": "zoomOut",
};

const ARROWS = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const STRIDE = 48; // CSS pixels

/**
 * @param {import("./studio.js").Studio} studio
 * @param {(name: string) => void} run does a command if it makes sense now
 * @param {import("./gestures.js").Gestures} gestures
 */
export function listenToKeys(studio, run, gestures) {
  const { stage, view, messages } = studio;

  addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]") || isTyping(event.target)) return;
    const onStage = event.target === stage.canvas || event.target === document.body;
    if (event.key === " " && onStage) {
      gestures.panning = true;
      event.preventDefault();
    } else if (event.key === "Escape") {
      if (gestures.busy) gestures.cancel();
      else messages.cancel() || run("donePlacing");
    } else if (ARROWS[event.key] && onStage) {
      const [right, down] = ARROWS[event.key];
      view.pan(right * STRIDE * view.ratio, down * STRIDE * view.ratio);
      event.preventDefault();
    } else {
      const name = commandOf(event, onStage);
      if (!name) return;
      event.preventDefault();
      run(name);
    }
  });
  // Keys are used all the time; only who goes from control to control has to see where the focus is.
  const tabbing = (is) => document.body.classList.toggle("tabbing", is);
  addEventListener("keydown", (event) => event.key === "Tab" && tabbing(true), true);
  addEventListener("pointerdown", () => tabbing(false), true);
  const release = () => (gestures.panning = false);
  addEventListener("keyup", (event) => event.key === " " && release());
  addEventListener("blur", release);
}

function commandOf(event, onStage) {
  if (event.key === "[" || event.key === "]") return KEYS[event.key]; // AltGr on many keyboards
  if (event.altKey) return null;
  // By Shift alone: with Caps Lock, letters are typed the other way round.
  const letter = /^[a-z]$/i.test(event.key);
  const typed = event.shiftKey ? event.key.toUpperCase() : event.key.toLowerCase();
  const key = letter ? typed : event.key;
  if (event.ctrlKey || event.metaKey) {
    if (key === "c" && String(getSelection())) return null;
    return CONTROL_KEYS[key] ?? null;
  }
  if (key === "Enter") return onStage ? "grow" : null;
  return KEYS[key] ?? KEYS[key.toLowerCase()] ?? null;
}

const isTyping = (target) =>
  target.matches?.("input:not([type=radio], [type=checkbox], [type=range]), textarea, select");
