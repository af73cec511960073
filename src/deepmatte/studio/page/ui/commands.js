/**
 * Everything that a button, a menu or a key can do: one table with what each command needs to make
 * sense, its keys, its label and what is said about it. Buttons, menus, hints and the list of keys
 * in the help are made of it.
 */

import { LARGEST_BRUSH } from "../model/settings.js";

const PHOTOS = "image/*,.heic,.heif,.avif,.tif,.tiff,.exr,.jxl,.dng,.nef,.nrw,.cr2,.cr3,.arw,.sr2"
  + ",.raf,.orf,.rw2,.rwl,.pef,.srw,.3fr,.x3f";

/**
 * @typedef {"nothing" | "project" | "segmenter" | "transparent" | "cutout" | "undo" | "redo" | "strokes" | "backdrop" | "backed" | "moved" | "placing"} Need
 * @typedef {object} Command
 * @property {Need} needs
 * @property {string[]} keys such as "F" or "Ctrl Shift Z"; the first one is shown
 * @property {string} label
 * @property {string} about a hint in one sentence
 * @property {() => unknown} run
 */

/**
 * @param {import("../studio.js").Studio} studio
 * @param {{opening: import("./opening.js").Opening, downloads: import("./downloads.js").Downloads,
 *   dialogs: import("./dialogs.js").Dialogs, gestures: import("./gestures.js").Gestures,
 *   pointer: import("./keyboard_pointer.js").KeyboardPointer}} parts
 * @returns {Record<string, Command>}
 */
export function makeCommands(studio, { opening, downloads, dialogs, gestures, pointer }) {
  const { settings, maker, view } = studio;
  const choose = (accept, use) => async () => {
    const file = await dialogs.chooseFile(accept);
    if (file) await use(file);
  };
  const mark = (name) => () => {
    settings.set("label", name);
    if (!["fill", "lasso"].includes(settings.tool)) settings.set("tool", "brush");
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
  const command = (needs, keys, label, about, run) => ({
    needs,
    keys: keys ? keys.split(", ") : [],
    label,
    about,
    run,
  });

  return {
    // Opening
    openPhoto: command("nothing", "Ctrl O", "Photo…", "One or more: JPEG, PNG, WebP, TIFF, RAW…",
      async () => {
        const files = await dialogs.chooseFiles(PHOTOS);
        if (files.length > 1) await opening.files(files);
        else if (files.length) await opening.photo(files[0]);
      }),
    openProject: command("nothing", "", "Project…", "A .deepmatte file that you saved",
      choose(".deepmatte", (file) => opening.project(file))),
    startPage: command("project", "", "Start page", "With the photos that you worked on",
      () => opening.leave()),
    sample: command("nothing", "", "Sample photo", "A drawn animal with fur, to try the tools",
      () => opening.sample()),

    // The trimap
    loadTrimap: command("project", "", "Load a trimap…",
      "White: keep, black: remove, grey: find out",
      choose(PHOTOS, (file) => maker.fromFile(file, "trimap"))),
    loadMask: command("project", "", "Load a mask…",
      "White: subject, black: background",
      choose(PHOTOS, (file) => maker.fromFile(file, "mask"))),
    fillHoles: command("cutout", "", "Fill holes", "Fills small holes in the subject",
      () => maker.clean("holes")),
    dropIslands: command("cutout", "", "Remove specks", "Removes small parts beside the subject",
      () => maker.clean("islands")),
    startOver: command("project", "", "Start over", "Removes all marks; undo brings them back",
      () => maker.clear()),
    findSubject: command("segmenter", "", "Select subject", "Finds the subject without a box or strokes",
      () => maker.fromSubject()),
    fromAlpha: command("transparent", "", "the photo's transparency",
      "Starts from the transparency that the photo has", () => maker.fromAlpha()),
    grow: command("strokes", "Enter", "Find the subject",
      "Finds the subject from your strokes; paint at least one Keep and one Remove",
      () => maker.fromStrokes()),
    undo: command("undo", "Ctrl Z", "Undo", "Undo",
      () => gestures.busy || pointer.down || studio.project.trimap.undo()),
    redo: command("redo", "Ctrl Shift Z, Ctrl Y", "Redo", "Redo",
      () => gestures.busy || pointer.down || studio.project.trimap.redo()),

    // Marks and tools
    keep: command("project", "F", "Keep (foreground)",
      "Paint over what you want to keep", mark("foreground")),
    remove: command("project", "B", "Remove (background)",
      "Paint over what you want to remove", mark("background")),
    findOut: command("project", "U", "Find out (unknown)",
      "Paint over hair, fur, glass and blurred edges; the studio finds out how opaque they are", mark("unknown")),
    swap: command("project", "X", "Swap Keep and Remove", "Swap Keep and Remove",
      () => mark(settings.label === "foreground" ? "background" : "foreground")()),
    box: command("project", "M", "Box",
      "Drag a box around the subject; the studio finds the subject in it", tool("box")),
    brush: command("project", "P", "Brush", "Paint marks; Shift click draws a straight line",
      tool("brush")),
    edgeBrush: command("cutout", "R", "Edge brush",
      "Paint along an edge; the studio finds it under the brush and puts a band of Find out there",
      tool("edge")),
    erase: command("project", "E", "Eraser",
      "Erase your marks; what was there before returns", tool("erase")),
    fill: command("project", "G", "Fill", "Click into an enclosed area to mark all of it",
      tool("fill")),
    lasso: command("project", "L", "Lasso", "Draw around an area to mark all of it", tool("lasso")),
    move: command("project", "H", "Move", "Drag to move the photo; or hold the space key and drag",
      tool("move")),
    pointer: command("project", "K", "Draw with the keyboard",
      "Arrow keys move a crosshair, Space presses and releases, Esc ends",
      () => pointer.toggle()),
    edges: command("project", "A", "Find edges",
      "On: Keep and Remove find the edge around the stroke; off: they mark only what they cover",
      () => settings.set("edges", !settings.edges)),
    smaller: command("project", "[", "Smaller brush", "A smaller brush", resize(1 / 1.15)),
    larger: command("project", "]", "Larger brush", "A larger brush", resize(1.15)),

    // Looking
    unrefine: command("cutout", "", "Reset", "Undo all changes to the edge",
      () => settings.unrefine()),
    fit: command("project", "0, Ctrl 0", "Fit", "Show the whole photo", () => view.fit()),
    actual: command("project", "Z", "100 %",
      "Show the photo at 100 %; again: the whole photo",
      () => view.toggleActualSize()),
    twice: command("project", "9", "200 %", "Show the photo at 200 %",
      () => view.zoomTo(2)),
    zoomIn: command("project", "+, =, Ctrl +, Ctrl =", "Zoom in", "Zoom in; also Ctrl wheel or pinch",
      () => view.zoomStep(1)),
    zoomOut: command("project", "-, Ctrl -", "Zoom out", "Zoom out; also Ctrl wheel or pinch",
      () => view.zoomStep(-1)),
    viewMarks: command("cutout", "1", "Marks", "The photo with your marks over it",
      result("marks")),
    viewChecks: command("cutout", "2", "Cut-out on checks", "Transparent, on a checkerboard",
      result("cutout", "checks")),
    viewBlack: command("cutout", "3", "Cut-out on black", "Black", result("cutout", "black")),
    viewWhite: command("cutout", "4", "Cut-out on white", "White", result("cutout", "white")),
    viewColour: command("cutout", "5", "Cut-out on a colour", "A colour of your choice",
      result("cutout", "colour")),
    viewGradient: command("cutout", "", "Cut-out on a gradient", "A gradient of two colours",
      result("cutout", "gradient")),
    viewBlur: command("cutout", "", "Cut-out on the blurred background",
      "The photo's own background, blurred", result("cutout", "blur")),
    viewPicture: command("cutout", "6", "Cut-out on a picture", "A picture of your own",
      result("cutout", "picture")),
    viewMatte: command("cutout", "7", "Matte",
      "The alpha matte: white is opaque, black is transparent", result("matte")),
    compare: command("cutout", "S", "Compare", "Left: before, right: after; drag the line between them", () => {
      settings.set("compare", !settings.compare);
      if (settings.view === "marks") settings.set("view", "cutout");
    }),
    sides: command("cutout", "D", "Side by side",
      "Left: marks, right: result; paint on either",
      () => settings.set("sides", !settings.sides)),
    magnifier: command("project", "N", "Magnifier",
      "Shows what is under the pointer three times as large",
      () => settings.set("magnifier", !settings.magnifier)),
    chooseBackdrop: command("cutout", "", "Choose…", "Choose a background picture from your files",
      choose("image/*", (file) => opening.backdrop(file))),
    placeBackdrop: command("backdrop", "", "Place", "Drag to move the background", tool("place")),
    fitBackdrop: command("backdrop", "", "Cover", "Make the background cover the whole photo",
      () => studio.project.layers.backdrop.fit()),
    placeSubject: command("backed", "", "Move the subject",
      "Drag to move the subject over the background, wheel or pinch to scale it; Esc ends",
      tool("subject")),
    resetSubject: command("moved", "", "Reset", "Puts the subject back to where it was, in its own size",
      () => {
        studio.project.layers.frame.subject = null;
        view.fit();
      }),
    donePlacing: command("placing", "", "Done", "Ends moving the background or the subject",
      tool("brush")),

    // Saving
    saveCutoutPng: command("cutout", "", "Cut-out, PNG", "Transparent, for any program",
      () => downloads.save("cutout", "png")),
    saveCutoutWebp: command("cutout", "", "Cut-out, WebP", "Transparent, a smaller file",
      () => downloads.save("cutout", "webp")),
    saveAs: command("cutout", "Ctrl Shift S", "Save as…",
      "Trim, resize, 16 bits, layers (ORA, PSD)",
      async () => {
        const wanted = await dialogs.askExport(studio.tray.ids.length > 1);
        if (wanted?.all) await downloads.all(opening, wanted);
        else if (wanted) await downloads.saveAs(wanted);
      }),
    copy: command("cutout", "Ctrl C", "Copy the cut-out", "To paste it into another program",
      () => downloads.copy()),
    saveCompositeJpg: command("cutout", "", "On the chosen background, JPEG", "As you see it",
      () => downloads.composite("jpg")),
    saveCompositePng: command("cutout", "", "On the chosen background, PNG",
      "As you see it, lossless", () => downloads.composite("png")),
    saveAlpha: command("cutout", "", "Matte", "PNG: white is opaque, black transparent",
      () => downloads.save("alpha", "png")),
    saveForeground: command("cutout", "", "Foreground colours",
      "PNG: opaque, without colour spill",
      () => downloads.save("foreground", "png")),
    saveTrimap: command("cutout", "", "Trimap", "PNG: your marks as white, black and grey",
      () => downloads.save("trimap", "png")),
    saveProject: command("project", "Ctrl S", "Project", "Marks and settings, without the photo",
      () => downloads.project()),

    // The page
    theme: command("nothing", "", "Light or dark page", "Switch between a light and a dark page",
      () => settings.set("theme", otherTheme(settings.theme))),
    help: command("nothing", "?", "Help", "How it works and all keys", () => dialogs.help()),
  };
}

/** The opposite of what is seen; as the system has it, where that is the same. */
function otherTheme(theme) {
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const other = (theme === "auto" ? system : theme) === "dark" ? "light" : "dark";
  return other === system ? "auto" : other;
}
