/**
 * Everything that a button or a key can do, by name.
 */

import { LARGEST_BRUSH } from "./painter.js";

const PICTURES = "image/*,.heic,.heif,.avif,.tif,.tiff";

/**
 * @param {import("./studio.js").Studio} studio
 * @param {{opening, downloads, dialogs, gestures}} parts
 * @returns {Record<string, () => void>}
 */
export function makeCommands(studio, { opening, downloads, dialogs, gestures }) {
  const { settings, trimaps, view } = studio;
  const choose = (accept, use) => async () => {
    const file = await dialogs.chooseFile(accept);
    if (file) await use(file);
  };
  const label = (name) => () => {
    settings.set("label", name);
    if (settings.tool !== "fill") settings.set("tool", "brush");
  };
  const tool = (name) => () => settings.set("tool", name);
  const result = (name, behind = null) => () => {
    settings.set("view", name);
    if (behind) settings.set("behind", behind);
  };
  const resize = (factor) => () => {
    const size = settings.size;
    const next = factor > 1 ? Math.max(size + 1, size * factor) : Math.min(size - 1, size * factor);
    settings.set("size", Math.max(1, Math.min(LARGEST_BRUSH, Math.round(next))));
  };
  return {
    openPicture: choose(PICTURES, (file) => opening.picture(file)),
    openProject: choose(".deepmatte", (file) => opening.project(file)),
    sample: () => opening.sample(),
    saveProject: () => downloads.project(),
    loadTrimap: choose(PICTURES, (file) => trimaps.fromFile(file, "trimap")),
    loadMask: choose(PICTURES, (file) => trimaps.fromFile(file, "mask")),
    startOver: () => trimaps.clear(),
    grow: () => trimaps.fromStrokes(),
    undo: () => gestures.busy || studio.workspace.project.undo(),
    redo: () => gestures.busy || studio.workspace.project.redo(),
    keep: label("foreground"),
    remove: label("background"),
    findOut: label("unknown"),
    swap: () => label(settings.label === "foreground" ? "background" : "foreground")(),
    box: tool("box"),
    brush: tool("brush"),
    erase: tool("erase"),
    fill: tool("fill"),
    move: tool("move"),
    smaller: resize(1 / 1.15),
    larger: resize(1.15),
    fit: () => view.fit(),
    actual: () => view.toggleActualSize(),
    zoomIn: () => view.zoomStep(1),
    zoomOut: () => view.zoomStep(-1),
    viewMarks: result("marks"),
    viewChecks: result("cutout", "checks"),
    viewBlack: result("cutout", "black"),
    viewWhite: result("cutout", "white"),
    viewColour: result("cutout", "colour"),
    viewPicture: result("cutout", "picture"),
    viewMatte: result("matte"),
    compare: () => {
      settings.set("compare", !settings.compare);
      if (settings.view === "marks") settings.set("view", "cutout");
    },
    chooseBackdrop: choose("image/*", (file) => opening.backdrop(file)),
    placeBackdrop: tool("place"),
    fitBackdrop: () => studio.workspace.backdrop.fit(),
    donePlacing: tool("brush"),
    saveCutoutPng: () => downloads.save("cutout", "png"),
    saveCutoutWebp: () => downloads.save("cutout", "webp"),
    saveAlpha: () => downloads.save("alpha", "png"),
    saveForeground: () => downloads.save("foreground", "png"),
    saveTrimap: () => downloads.save("trimap", "png"),
    saveCompositePng: () => downloads.composite("png"),
    saveCompositeJpg: () => downloads.composite("jpg"),
    copy: () => downloads.copy(),
    theme: () => settings.set("theme", otherTheme(settings.theme)),
    help: () => dialogs.help(),
  };
}


/** The opposite of what is seen; as the system has it, where that is the same. */
function otherTheme(theme) {
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const other = (theme === "auto" ? system : theme) === "dark" ? "light" : "dark";
  return other === system ? "auto" : other;
}
