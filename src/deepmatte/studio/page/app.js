/**
 * The page's beginning: makes the parts and connects them.
 */

import { LARGEST_BRUSH } from "./model/settings.js";
import { Controls } from "./ui/controls.js";
import { Cursor, Magnifier, PAINTING, followDivider } from "./canvas/cursor.js";
import { Dialogs } from "./ui/dialogs.js";
import { Downloads } from "./ui/downloads.js";
import { Gestures } from "./ui/gestures.js";
import { Opening } from "./ui/opening.js";
import { KeyboardPointer } from "./ui/keyboard_pointer.js";
import { Painter } from "./ui/painter.js";
import { Studio } from "./studio.js";
import { all, find } from "./ui/find.js";
import { listenToKeys } from "./ui/keys.js";
import { makeCommands } from "./ui/commands.js";
import { followSteps } from "./ui/steps.js";
import { followTray } from "./ui/tray.js";
import { returnFocus } from "./ui/focus.js";
import { showRecents } from "./ui/recents.js";
import { watchToken } from "./model/session.js";

const studio = new Studio(document);
const dialogs = new Dialogs();
const opening = new Opening(studio, dialogs);
const downloads = new Downloads(studio);
const painter = new Painter(studio, find("box"), () => dialogs.askAgain());
const cursor = new Cursor(studio, all(".brush"), new Magnifier(studio, find("magnifier")));
const { settings, stage, view } = studio;

const gestures = new Gestures([stage.canvas, studio.marks.canvas], {
  begin: (point, event) => painter.begin(point, event),
  move: (points) => painter.move(points),
  end: () => painter.end(),
  cancel: () => painter.cancel(),
  hover: (point) => {
    cursor.hover(point);
    painter.hover(point);
  },
  resize: resizer(),
  scales: () => ["place", "subject"].includes(settings.tool),
  moved: (panning) => (panning ? view : (moved()[settings.tool] ?? view)),
});
const pointer = new KeyboardPointer(studio, painter, cursor);
const commands = makeCommands(studio, { opening, downloads, dialogs, gestures, pointer });
const controls = new Controls(studio, commands);
returnFocus(stage.canvas);
listenToKeys(studio, commands, (name) => controls.run(name), gestures, pointer);
followDivider(studio, find("divider"));
stage.beforeFrame = () => painter.paint();

/** What each tool moves that does not move the photo. */
function moved() {
  const { backdrop, frame } = studio.project?.layers ?? {};
  return { place: backdrop, subject: frame };
}

/** The wheel's notches, of which a trackpad sends fractions, to whole pixels of brush. */
function resizer() {
  let exact = settings.size;
  return (notches) => {
    if (!PAINTING.includes(settings.tool)) return false;
    const size = settings.size;
    if (Math.round(exact) !== size) exact = size;
    exact = Math.max(1, Math.min(LARGEST_BRUSH, exact * 1.1 ** notches));
    if (Math.abs(notches) >= 1 && Math.round(exact) === size) exact = size + Math.sign(notches);
    settings.set("size", Math.max(1, Math.round(exact)));
    return true;
  };
}

function hasFiles(event) {
  return [...(event.dataTransfer?.types ?? [])].includes("Files");
}

addEventListener("dragover", (event) => {
  event.preventDefault();
  if (!hasFiles(event)) return;
  document.body.classList.add("dropping");
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dropping");
});
addEventListener("drop", (event) => {
  document.body.classList.remove("dropping");
  event.preventDefault();
  take(event.dataTransfer, "dropped");
});
addEventListener("paste", (event) => {
  if (event.target instanceof HTMLInputElement) return;
  take(event.clipboardData, "pasted");
});

/** Answers whatever came: files are opened, for anything else there is a sentence. */
function take(data, how) {
  const files = [...(data?.files ?? [])];
  if (files.length) opening.files(files);
  else studio.messages.notice(`Only photos and projects can be ${how} here.`);
}

settings.on("change", (name) => studio.project?.apply(name));
addEventListener("pagehide", () => studio.project?.close());
addEventListener("pageshow", ({ persisted }) => persisted && location.reload());

watchToken((token) => studio.server.setToken(token));
opening.begin();
const showKept = () => showRecents(find("recent"), (id) => opening.recent(id));
studio.on("closed", showKept);
showKept();
followSteps(studio, find("steps-menu"), gestures);
followTray(studio, find("tray"), (id) => opening.recent(id));

export { studio };
