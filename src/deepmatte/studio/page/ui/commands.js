/**
 * Everything that a button, a menu or a key can do: one table with what each command needs to make
 * sense, its keys, its label and what is said about it. Buttons, menus, hints and the list of keys
 * in the help are made of it.
 */

import { LARGEST_BRUSH } from "../model/settings.js";

const PHOTOS = "image/*,.heic,.heif,.avif,.tif,.tiff,.exr,.jxl,.dng,.nef,.nrw,.cr2,.cr3,.arw,.sr2"
  + ",.raf,.orf,.rw2,.rwl,.pef,.srw,.3fr,.x3f";

/**
 * @typedef {"nothing" | "project" | "segmenter" | "transparent" | "cutout" | "undo" | "redo" | "strokes" | "backdrop" | "backed" | "moved"} Need
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
    openPhoto: command("nothing", "Ctrl O", "Photo…", "JPEG, PNG, WebP, TIFF, AVIF; one or more",
      async () => {
        const files = await dialogs.chooseFiles(PHOTOS);
        if (files.length > 1) await opening.files(files);
        else if (files.length) await opening.photo(files[0]);
      }),
    openProject: command("nothing", "", "Project…", "A .deepmatte file that was saved here",
      choose(".deepmatte", (file) => opening.project(file))),
    startPage: command("project", "", "Start page", "All photos that this browser has kept",
      () => opening.leave()),
    sample: command("nothing", "", "Sample photo", "A drawn animal with fur, to try things out",
      () => opening.sample()),

    // The trimap
    loadTrimap: command("project", "", "Load a trimap…",
      "White is kept, black is removed, grey is found out",
      choose(PHOTOS, (file) => maker.fromFile(file, "trimap"))),
    loadMask: command("project", "", "Load a mask, grow from its edges…",
      "Black and white from another program",
      choose(PHOTOS, (file) => maker.fromFile(file, "mask"))),
    fillHoles: command("cutout", "", "Fill holes", "Small holes in the subject are kept",
      () => maker.clean("holes")),
    dropIslands: command("cutout", "", "Drop islands", "Small specks beside the subject are removed",
      () => maker.clean("islands")),
    startOver: command("project", "", "Start over", "Forgets the marks; undo brings them back",
      () => maker.clear()),
    findSubject: command("segmenter", "", "Subject", "Looks for the subject by itself",
      () => maker.fromSubject()),
    fromAlpha: command("transparent", "", "its own transparency",
      "Starts from the transparency that the photo has already", () => maker.fromAlpha()),
    grow: command("strokes", "Enter", "find the subject",
      "Finds the subject from your strokes; needs a stroke of each kind",
      () => maker.fromStrokes()),
    undo: command("undo", "Ctrl Z", "Undo", "Undo",
      () => gestures.busy || pointer.down || studio.project.trimap.undo()),
    redo: command("redo", "Ctrl Shift Z, Ctrl Y", "Redo", "Redo",
      () => gestures.busy || pointer.down || studio.project.trimap.redo()),

    // Marks and tools
    keep: command("project", "F", "Keep (foreground)",
      "Foreground: paint over what you want to keep", mark("foreground")),
    remove: command("project", "B", "Remove (background)",
      "Background: paint over what shall go", mark("background")),
    findOut: command("project", "U", "Find out (unknown)",
      "Unknown: hair, fur, glass, blurred edges; the studio finds out how much of each pixel"
        + " belongs to the subject", mark("unknown")),
    swap: command("project", "X", "Swap Keep and Remove", "Keep becomes Remove, and back",
      () => mark(settings.label === "foreground" ? "background" : "foreground")()),
    box: command("project", "M", "Box",
      "Drag it around the subject, and the studio looks for the subject in it", tool("box")),
    brush: command("project", "P", "Brush", "Paint marks. Shift click draws a straight line",
      tool("brush")),
    edgeBrush: command("cutout", "R", "Edge",
      "Paint along an edge: it is looked for beneath the brush, with a band of Find out along it",
      tool("edge")),
    erase: command("project", "E", "Eraser",
      "Takes back your marks; what was there before them returns", tool("erase")),
    fill: command("project", "G", "Fill", "Click into an enclosed area to mark all of it",
      tool("fill")),
    lasso: command("project", "L", "Lasso", "Draw around an area to mark all of it", tool("lasso")),
    move: command("project", "H", "Move", "Drag to move the photo; so does the space key",
      tool("move")),
    pointer: command("project", "K", "Draw with the keyboard",
      "Arrow keys move a crosshair, the space key presses and lets go, Esc ends",
      () => pointer.toggle()),
    edges: command("project", "A", "Find edges",
      "Keep and Remove look for the edge around the stroke; off: they mark just what they cover",
      () => settings.set("edges", !settings.edges)),
    smaller: command("project", "[", "Smaller brush", "A smaller brush", resize(1 / 1.15)),
    larger: command("project", "]", "Larger brush", "A larger brush", resize(1.15)),

    // Looking
    unrefine: command("cutout", "", "Reset", "The edge as the network found it",
      () => settings.unrefine()),
    fit: command("project", "0, Ctrl 0", "Fit", "Show the whole photo", () => view.fit()),
    actual: command("project", "Z", "100 %",
      "One pixel of the photo on one of the screen; again: the whole photo",
      () => view.toggleActualSize()),
    twice: command("project", "9", "200 %", "Two pixels of the screen for one of the photo",
      () => view.zoomTo(2)),
    zoomIn: command("project", "+, =, Ctrl +, Ctrl =", "Zoom in", "Larger; also Ctrl wheel, pinch",
      () => view.zoomStep(1)),
    zoomOut: command("project", "-, Ctrl -", "Zoom out", "Smaller; also Ctrl wheel, pinch",
      () => view.zoomStep(-1)),
    viewMarks: command("cutout", "1", "Marks", "The photo with your marks over it",
      result("marks")),
    viewChecks: command("cutout", "2", "Cut-out on checks", "Checkerboard: transparent",
      result("cutout", "checks")),
    viewBlack: command("cutout", "3", "Cut-out on black", "Black", result("cutout", "black")),
    viewWhite: command("cutout", "4", "Cut-out on white", "White", result("cutout", "white")),
    viewColour: command("cutout", "5", "Cut-out on a colour", "A colour of your choice",
      result("cutout", "colour")),
    viewGradient: command("cutout", "", "Cut-out on a gradient", "A gradient of two colours",
      result("cutout", "gradient")),
    viewBlur: command("cutout", "", "Cut-out on its own background, blurred",
      "The photo's own background, blurred", result("cutout", "blur")),
    viewPicture: command("cutout", "6", "Cut-out on a picture", "A picture of your own",
      result("cutout", "picture")),
    viewMatte: command("cutout", "7", "Matte",
      "Alpha: white is kept, black is removed, grey is partly there", result("matte")),
    compare: command("cutout", "S", "Compare", "Before on the left, after on the right", () => {
      settings.set("compare", !settings.compare);
      if (settings.view === "marks") settings.set("view", "cutout");
    }),
    sides: command("cutout", "D", "Both",
      "Your marks on the left, the result on the right; paint on either",
      () => settings.set("sides", !settings.sides)),
    magnifier: command("project", "N", "Magnifier",
      "What is beneath the pointer, larger, in a corner",
      () => settings.set("magnifier", !settings.magnifier)),
    chooseBackdrop: command("cutout", "", "Choose…", "Choose a background picture from your files",
      choose("image/*", (file) => opening.backdrop(file))),
    placeBackdrop: command("backdrop", "", "Place", "Drag to move the background", tool("place")),
    fitBackdrop: command("backdrop", "", "Cover", "Cover the photo with the background",
      () => studio.project.layers.backdrop.fit()),
    placeSubject: command("backed", "", "Move the subject",
      "Drag to move the subject before its background, wheel or pinch to scale it; Esc ends",
      tool("subject")),
    resetSubject: command("moved", "", "Put it back", "The subject where and as large as it was",
      () => {
        studio.project.layers.frame.subject = null;
        view.fit();
      }),
    donePlacing: command("project", "", "Done", "Ends placing the background", tool("brush")),

    // Saving
    saveCutoutPng: command("cutout", "", "Cut-out, PNG", "Transparent, for any program",
      () => downloads.save("cutout", "png")),
    saveCutoutWebp: command("cutout", "", "Cut-out, WebP", "Transparent, smaller, for the web",
      () => downloads.save("cutout", "webp")),
    saveAs: command("cutout", "Ctrl Shift S", "Save as…",
      "Cropped to the subject, smaller, in 16 bits, in layers (ORA, PSD)",
      async () => {
        const wanted = await dialogs.askExport(studio.tray.ids.length > 1);
        if (wanted?.all) await downloads.all(opening, wanted);
        else if (wanted) await downloads.saveAs(wanted);
      }),
    copy: command("cutout", "Ctrl C", "Copy the cut-out", "To paste it elsewhere",
      () => downloads.copy()),
    saveCompositeJpg: command("cutout", "", "On the chosen background, JPEG", "A finished picture",
      () => downloads.composite("jpg")),
    saveCompositePng: command("cutout", "", "On the chosen background, PNG",
      "A finished picture, without loss", () => downloads.composite("png")),
    saveAlpha: command("cutout", "", "Matte", "PNG: white is kept, grey is partly there",
      () => downloads.save("alpha", "png")),
    saveForeground: command("cutout", "", "Foreground colours",
      "PNG: without the background's spill, not cut out",
      () => downloads.save("foreground", "png")),
    saveTrimap: command("cutout", "", "Trimap", "PNG: your marks as black, grey, white",
      () => downloads.save("trimap", "png")),
    saveProject: command("project", "Ctrl S", "Project", "Marks and settings, to go on later",
      () => downloads.project()),

    // The page
    theme: command("nothing", "", "Light or dark page", "Light or dark page",
      () => settings.set("theme", otherTheme(settings.theme))),
    help: command("nothing", "?", "Help", "How it works, and all keys", () => dialogs.help()),
  };
}

/** The opposite of what is seen; as the system has it, where that is the same. */
function otherTheme(theme) {
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const other = (theme === "auto" ? system : theme) === "dark" ? "light" : "dark";
  return other === system ? "auto" : other;
}
