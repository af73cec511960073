/**
 * The keyboard.
 */

const ARROWS = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const PEEK = "q"; // held: the photo alone
const STRIDE = 48; // CSS pixels

/**
 * @param {import("../studio.js").Studio} studio
 * @param {Record<string, import("./commands.js").Command>} commands
 * @param {(name: string) => void} run does a command if it makes sense now
 * @param {import("./gestures.js").Gestures} gestures
 * @param {import("./keyboard_pointer.js").KeyboardPointer} pointer
 */
export function listenToKeys(studio, commands, run, gestures, pointer) {
  const { stage, view, messages } = studio;
  const named = new Map(
    Object.entries(commands).flatMap(([name, { keys }]) => keys.map((key) => [key, name])),
  );

  addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]") || isTyping(event.target)) return;
    const onStage = event.target === stage.canvas || event.target === document.body;
    if (onStage && pointer.take(event)) {
      event.preventDefault();
    } else if (event.key === " " && onStage) {
      gestures.panning = true;
      event.preventDefault();
    } else if (event.key.toLowerCase() === PEEK && !event.ctrlKey && !event.metaKey) {
      stage.peek(true);
    } else if (event.key === "Escape") {
      if (document.querySelector(":popover-open")) return; // the browser closes the menu
      if (gestures.busy) gestures.cancel();
      else if (!messages.cancel()) run("donePlacing");
    } else if (ARROWS[event.key] && onStage) {
      const [right, down] = ARROWS[event.key];
      view.pan(right * STRIDE * view.ratio, down * STRIDE * view.ratio);
      event.preventDefault();
    } else {
      const key = keyOf(event, onStage);
      const name = key && (named.get(key) ?? named.get(key.replace(/^Shift /, "")));
      if (!name) return;
      event.preventDefault();
      run(name);
    }
  });
  const release = () => {
    gestures.panning = false;
    stage.peek(false);
  };
  addEventListener("keyup", ({ key }) => [" ", PEEK].includes(key.toLowerCase()) && release());
  addEventListener("blur", release);
}

/** What was pressed, as `Command.keys` says it; null for what is the browser's. */
function keyOf(event, onStage) {
  if (event.key === "[" || event.key === "]") return event.key; // AltGr on many keyboards
  if (event.altKey) return null;
  const control = event.ctrlKey || event.metaKey;
  if (event.key === "Enter") return onStage && !control ? "Enter" : null;
  if (event.key.length > 1) return null;
  if (control && event.key.toLowerCase() === "c" && String(getSelection())) return null;
  const letter = /^[a-z]$/i.test(event.key);
  // By Shift alone: with Caps Lock, letters are typed the other way round.
  const shift = letter && event.shiftKey ? "Shift " : "";
  return (control ? "Ctrl " : "") + shift + (letter ? event.key.toUpperCase() : event.key);
}

const isTyping = (target) =>
  target.matches?.("input:is(:not([type]), [type=text], [type=number]), textarea, select");
