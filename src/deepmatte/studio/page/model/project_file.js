/**
 * The project as one file: which picture, all steps, the settings. The picture itself stays where
 * it is and is asked for by name.
 *
 * @typedef {{name: string, width: number, height: number, fingerprint: string}} Wanted the picture
 */

import { Refused } from "./errors.js";

const FORMAT = "deepmatte studio project";
const VERSION = 1;
export const SUFFIX = ".deepmatte";

/** @param {import("../project.js").Project} project @returns {Blob} */
export function projectFile(project) {
  const { name, width, height, fingerprint } = project.photo;
  const { history } = project.trimap;
  const steps = history.steps.map((step) => ({ ...step, runs: encode(step.runs) }));
  const content = {
    format: FORMAT,
    version: VERSION,
    picture: { name, width, height, fingerprint },
    settings: project.studio.settings.shared(),
    position: history.position,
    steps,
  };
  return new Blob([JSON.stringify(content)], { type: "application/json" });
}

/** The name that a file is saved under. */
export const projectName = (pictureName) => pictureName.replace(/\.[^.]+$/, "") + SUFFIX;

export const isProject = (file) => file.name.toLowerCase().endsWith(SUFFIX);

/**
 * @param {File} file
 * @returns {Promise<{picture: Wanted, settings: object, position: number, steps: object[]}>}
 * @throws {Refused} it is no project, or damaged
 */
export async function readProject(file) {
  let content;
  try {
    content = JSON.parse(await file.text());
  } catch {
    throw new Refused(`${file.name} is not a project of this studio.`);
  }
  if (content?.format !== FORMAT) {
    throw new Refused(`${file.name} is not a project of this studio.`);
  }
  if (content.version !== VERSION) {
    throw new Refused(`${file.name} was saved by another version of the studio.`);
  }
  try {
    const { picture, settings, position } = content;
    const steps = content.steps.map((step) => checked(step, picture));
    if (!(Number.isInteger(position) && position >= 0 && position <= steps.length)) throw Error();
    if (typeof picture.name !== "string") throw Error();
    return { picture, settings, position, steps };
  } catch {
    throw new Refused(`${file.name} is damaged: its steps do not fit its photo.`);
  }
}

/** A step whose runs cover just its rectangle, which lies in the picture. */
function checked({ kind, name, rectangle, runs }, picture) {
  const { left, top, right, bottom } = rectangle;
  const whole = [left, top, right, bottom, picture.width, picture.height].every(Number.isInteger);
  const inside = 0 <= left && left < right && right <= picture.width;
  const upright = 0 <= top && top < bottom && bottom <= picture.height;
  const step = { kind, name: String(name), rectangle: { left, top, right, bottom } };
  step.runs = decode(runs);
  const pixels = countOf(step.runs);
  const covered = pixels === (right - left) * (bottom - top) || step.runs.length === 0;
  const known = ["marks", "trimap", "nothing"].includes(kind);
  if (!(whole && inside && upright && covered && known)) throw Error();
  return step;
}

function countOf(runs) {
  let pixels = 0;
  for (let at = 0; at < runs.length; ) {
    const first = runs[at++];
    if ((first & 15) > 8 && (first & 15) !== 15) return -1;
    pixels += (first >> 4) & 7;
    for (let more = first & 128, shift = 3; more; shift += 7) {
      if (at >= runs.length) return -1;
      pixels += (runs[at] & 127) * 2 ** shift;
      more = runs[at++] & 128;
    }
  }
  return pixels;
}

function encode(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return btoa(text);
}

const decode = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
