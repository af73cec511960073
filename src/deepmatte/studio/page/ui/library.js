/**
 * Plain backgrounds to choose from: colours, and gradients from the first at the top to the second.
 */

/** @type {[string, string, (string | null)?][]} a name, a colour, and a second one of a gradient */
const LIBRARY = [
  ["White", "#ffffff"],
  ["Light grey", "#e6e6e6"],
  ["Middle grey", "#8c8c8c"],
  ["Charcoal", "#2b2b2d"],
  ["Passport blue", "#d9e4ee"],
  ["Cream", "#f3ead9"],
  ["Screen green", "#00b140"],
  ["Studio grey", "#d8d8d8", "#7d7d80"],
  ["Studio white", "#ffffff", "#dcdcdc"],
  ["Dusk", "#2e3f66", "#d98f6c"],
  ["Sky", "#5aa0dd", "#dcefff"],
  ["Sand", "#efe0c4", "#b99768"],
];

/** @param {HTMLElement} library @param {import("../model/settings.js").Settings} settings */
export function fillLibrary(library, settings) {
  library.append(...LIBRARY.map(([name, colour, second]) => {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", title: name });
    button.setAttribute("aria-label", name);
    button.style.background = `linear-gradient(${colour}, ${second ?? colour})`;
    button.addEventListener("click", () => {
      settings.set("colour", colour);
      if (second) settings.set("second", second);
      settings.set("behind", second ? "gradient" : "colour");
      settings.set("view", "cutout");
    });
    return button;
  }));
}
