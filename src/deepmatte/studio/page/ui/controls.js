/**
 * Buttons, sliders and lines of text around the stage: they show the state and change it.
 */

import { REFINING } from "../model/settings.js";
import { all, find } from "./find.js";
import { fillLibrary } from "./library.js";
import { furnish } from "./furnish.js";

const EXPLAINED = {
  box: "Drag a box around the whole subject. Drag its handles to adjust it.",
  foreground: "Paint over what you want to keep.",
  background: "Paint over what you want to remove.",
  unknown: "Paint over hair, fur, glass and blurred edges.",
  erase: "Paint over marks to erase them.",
  fill: "Click into an enclosed area to mark all of it.",
  lasso: "Draw around an area to mark all of it.",
  move: "Drag to move the photo. With any other tool, hold the space key and drag.",
  edge: "Paint along an edge that lies in the wrong place.",
  subject: "Drag to move the subject, wheel or pinch to scale it. Esc ends.",
  place: "Drag to move the background, wheel or pinch to scale it. Esc ends.",
};

/** Sliders that count pixels; the others count percent. */
const PIXELS = ["size", "smooth", "feather"];

/** Settings of what is seen behind the subject. */
const BACKING = ["colour", "second", "behind", "blur", "shadow", "onion"];

const REST = 300; // milliseconds without a move after which a slider is taken at its word

export class Controls {
  #moving = false; // the slider of the band, and what is shown has not followed yet

  /**
   * @param {import("../studio.js").Studio} studio
   * @param {Record<string, import("./commands.js").Command>} commands
   */
  constructor(studio, commands) {
    this.studio = studio;
    this.commands = commands;
    this.found = {
      name: find("picture-name"),
      size: find("picture-size"),
      zoom: find("zoom"),
      brush: find("brush-size"),
      explained: find("explained"),
      status: find("status"),
      progress: find("progress", HTMLProgressElement),
      empty: find("empty"),
      start: find("start"),
      band: find("band", HTMLInputElement),
      bandValue: find("band-value"),
      strength: find("strength-field"),
      behind: find("behind-field"),
      more: find("more"),
      refine: find("refine"),
      second: all("[data-setting=second]")[0],
      place: find("place-field"),
      choose: find("choose"),
    };
    furnish(commands);
    fillLibrary(find("library"), studio.settings);
    new ResizeObserver(() => this.#cover()).observe(this.found.start);
    this.#bindCommands();
    this.#bindSettings();
    this.#bindBand();
    studio.addEventListener("change", () => this.#show());
    studio.settings.addEventListener("change", () => this.#show());
    studio.view.addEventListener("change", () => this.#showZoom());
    studio.server.addEventListener("state", () => this.#showProgress());
    this.#show();
  }

  /** Does a command if it makes sense now. @param {string} name */
  run(name) {
    const { needs, run } = this.commands[name];
    if (this.#makesSense(needs)) run();
  }

  /** @param {string} need see `Command` */
  #makesSense(need) {
    const { project, maker } = this.studio;
    if (need === "nothing") return true;
    if (!project) return false;
    const { history } = project.trimap;
    const holds = {
      project: () => true,
      cutout: () => history.begun,
      segmenter: () => this.studio.segmenter,
      transparent: () => project.transparent,
      undo: () => history.undoable,
      redo: () => history.redoable,
      strokes: () => maker.canGrow,
      backdrop: () => project.layers.backdrop.ready,
      backed: () => history.begun && this.studio.settings.behind !== "checks",
      moved: () => project.layers.frame.subject !== null,
      placing: () => ["place", "subject"].includes(this.studio.settings.tool),
    };
    return Boolean(holds[need]());
  }

  #bindCommands() {
    for (const button of all("[data-command]", HTMLButtonElement)) {
      button.addEventListener("click", () => {
        /** @type {HTMLElement} */ (button.closest("[popover]"))?.hidePopover();
        this.run(button.dataset.command);
      });
    }
  }

  /** Inputs named after a setting. */
  #bindSettings() {
    const { settings } = this.studio;
    for (const input of all("[data-setting]", HTMLInputElement)) {
      const name = input.dataset.setting;
      const read = {
        radio: () => input.value,
        checkbox: () => input.checked,
        range: () => fromSlider(name, Number(input.value)),
        color: () => input.value,
      }[input.type];
      if (name === "colour") input.addEventListener("click", () => this.run("viewColour"));
      input.addEventListener("input", () => {
        settings.set(name, read());
        if (name === "label" && !["fill", "lasso"].includes(settings.tool)) settings.set("tool", "brush");
        if (BACKING.includes(name)) settings.set("view", "cutout");
        if (name === "second") settings.set("behind", "gradient");
        if (REFINING.includes(name) && settings.view === "marks") settings.set("view", "cutout");
        if (name === "compare" && settings.view === "marks") settings.set("view", "cutout");
      });
    }
  }

  #bindBand() {
    const { band } = this.found;
    const { maker } = this.studio;
    let timer = 0;
    band.addEventListener("input", () => {
      const pixels = Number(band.value);
      this.#showBand(pixels);
      this.#moving = true;
      clearTimeout(timer);
      timer = setTimeout(async () => {
        await maker.band(pixels);
        if (Number(band.value) === pixels) this.#moving = false;
        this.#show();
      }, REST);
    });
  }

  #show() {
    const { project, settings, maker } = this.studio;
    const { found } = this;
    const begun = Boolean(project?.begun);
    document.documentElement.dataset.theme = settings.theme;
    document.body.dataset.tool = settings.tool;
    document.body.dataset.label = settings.label;
    document.body.dataset.behind = settings.behind;
    found.empty.hidden = Boolean(project);
    found.start.hidden = !project || begun;
    this.#cover();
    for (const button of all("[data-command]", HTMLButtonElement)) {
      button.disabled = !this.#makesSense(this.commands[button.dataset.command].needs);
    }
    for (const field of all("fieldset[data-needs]", HTMLFieldSetElement)) {
      field.disabled = !this.#makesSense(field.dataset.needs);
    }
    for (const part of all("[data-only]")) part.hidden = !this.#makesSense(part.dataset.only);
    this.#showSettings();
    for (const text of all("[data-value]")) {
      const name = text.dataset.value;
      text.textContent = `${settings[name]} ${PIXELS.includes(name) ? "px" : "%"}`;
    }
    found.more.hidden = !project || settings.view !== "cutout";
    found.refine.classList.toggle("chosen", settings.refines);
    document.body.toggleAttribute("data-sides", settings.sides && begun);
    found.second.hidden = settings.behind !== "gradient";
    found.strength.hidden = !project || settings.view !== "marks";
    found.behind.hidden = settings.view !== "cutout";
    found.choose.classList.toggle("main", !project?.layers.backdrop.ready);
    found.place.hidden = settings.view !== "cutout" || settings.behind !== "picture";
    found.brush.textContent = `${settings.size} px`;
    this.#showZoom();
    const { name, width, height } = project?.photo ?? { name: "deepmatte studio" };
    found.name.textContent = name;
    found.size.textContent = project ? `${width} × ${height}` : "";
    document.title = project ? `${name} – deepmatte studio` : name;
    if (!this.#moving) {
      found.band.value = String(maker.bandPixels);
      this.#showBand(maker.bandPixels);
    }
    const painting = settings.tool === "brush" ? settings.label : settings.tool;
    found.explained.textContent = project ? EXPLAINED[painting] : "";
    this.#showProgress();
  }

  #cover() {
    this.studio.view.cover(this.found.start.offsetHeight);
  }

  #showBand(pixels) {
    this.found.bandValue.textContent = bandText(pixels);
    this.found.band.setAttribute("aria-valuetext", bandText(pixels));
  }

  #showZoom() {
    const { project, view } = this.studio;
    this.found.zoom.textContent = project ? `${Math.round(100 * view.scale)} %` : "–";
  }

  #showSettings() {
    const { settings } = this.studio;
    for (const input of all("[data-setting]", HTMLInputElement)) {
      const value = settings[input.dataset.setting];
      if (input.type === "radio") input.checked = input.value === value;
      else if (input.type === "checkbox") input.checked = value;
      else if (input.type === "range") {
        input.value = String(toSlider(input.dataset.setting, value));
        const unit = PIXELS.includes(input.dataset.setting) ? "pixels" : "percent";
        input.setAttribute("aria-valuetext", `${value} ${unit}`);
      }
      else input.value = String(value);
    }
  }

  #showProgress() {
    const { project, stage, server } = this.studio;
    const { status, progress } = this.found;
    const { state, share } = project?.live ?? { state: "idle", share: null };
    const waiting = server.state !== "ok";
    const working = state === "working" && !waiting;
    stage.canvas.setAttribute("aria-busy", String(working));
    progress.hidden = !working;
    if (share === null) progress.removeAttribute("value");
    else progress.value = share;
    if (!project) status.textContent = "";
    else if (!project.begun) status.textContent = "Nothing is cut out yet";
    else if (waiting) status.textContent = "Waiting for the studio";
    else if (working && share !== null) status.textContent = `Working: ${Math.floor(100 * share)} %`;
    else if (working) status.textContent = "Working…";
    else if (state === "done") status.textContent = "The cut-out is up to date";
    else status.textContent = "";
  }
}

const bandText = (pixels) => (pixels > 0 ? `+${pixels} px` : pixels < 0 ? `−${-pixels} px` : "0 px");

/** The brush slider is logarithmic: as fine for small brushes as for large ones. */
const fromSlider = (name, value) => (name === "size" ? Math.round(10 ** value) : value);
const toSlider = (name, value) => (name === "size" ? Math.log10(value) : value);
