/**
 * Opens project files as the studio's page does, for tools/fuzz.py.
 *
 * Takes a line of base64 for each file from the standard input, and answers each with a line of
 * JSON: "" if it was opened or refused in one sentence, or else what went wrong.
 */

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const page = new URL("../../src/deepmatte/studio/page/model/", import.meta.url);
const { readProject } = await import(new URL("project_file.js", page).href);
const { Refused } = await import(new URL("errors.js", page).href);
const { Settings } = await import(new URL("settings.js", page).href);
const { Trimap } = await import(new URL("trimap.js", page).href);

const LABELS = new Set([0, 128, 255]);
const MOST = 1_000_000; // pixels; the page opens no project whose size is not its picture's
const HTML = readFileSync(new URL("../index.html", page), "utf8");

async function open(text) {
  let content;
  try {
    content = await readProject({ name: "damaged.deepmatte", text: async () => text });
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (!error.message || error.message.includes("\n")) throw Error(`not one line: ${error}`);
    return;
  }
  const settings = new Settings();
  settings.share(content.settings);
  for (const [name, value] of Object.entries(settings.shared())) {
    if (!settable(name, value)) throw Error(`${name} became ${value}`);
  }
  await paint(content);
}

/** Whether a button or a slider of the page could have done it. */
function settable(name, value) {
  if (typeof value === "number") return Math.abs(value) <= 1000;
  if (typeof value === "boolean" || /^#[0-9a-f]{6}$/i.test(value)) return true;
  return value !== "" && HTML.includes(`name="${name}" value="${value}"`);
}

/** Does all steps, takes them back, and does them again. */
async function paint({ picture: { width, height }, steps, position }) {
  const size = width * height;
  if (!(Number.isInteger(width) && Number.isInteger(height) && size > 0 && size <= MOST)) return;
  const trimap = new Trimap(width, height);
  await trimap.restore(steps, position);
  while (trimap.history.undoable) await trimap.undo();
  while (trimap.history.redoable) await trimap.redo();
  for (const labels of [trimap.labels, trimap.base, trimap.committed]) {
    if (labels.length !== size || !labels.every((label) => LABELS.has(label))) {
      throw Error("labels that are none");
    }
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  let said = "";
  try {
    await open(Buffer.from(line, "base64").toString("utf8"));
  } catch (error) {
    said = String(error?.stack ?? error);
  }
  process.stdout.write(`${JSON.stringify(said)}\n`);
}
