/**
 * The strip below the stage: the photos of this tab, of which one is open.
 */

import * as storage from "../model/storage.js";

/**
 * @param {import("../studio.js").Studio} studio
 * @param {HTMLElement} strip
 * @param {(id: string) => void} open
 */
export function followTray(studio, strip, open) {
  const { tray } = studio;
  const list = strip.querySelector("ul");
  let shown = "";

  const show = async () => {
    const { ids } = tray;
    strip.hidden = ids.length < 2;
    const now = JSON.stringify([ids, studio.project?.id, studio.project?.begun]);
    if (strip.hidden || now === shown) return;
    shown = now;
    const kept = await storage.recent().catch(() => []);
    if (shown !== now) return;
    const found = ids.map((id) => kept.find((stored) => stored.id === id)).filter(Boolean);
    list.replaceChildren(...found.map((stored) => item(stored)));
    const current = list.querySelector("[aria-current]");
    current?.scrollIntoView({ block: "nearest", inline: "nearest" });
  };

  const item = (stored) => {
    const { id, name } = stored;
    const current = id === studio.project?.id;
    const entry = document.createElement("li");
    const go = document.createElement("button");
    Object.assign(go, { type: "button", title: current ? `${name} is open` : `Open ${name}` });
    if (current) go.setAttribute("aria-current", "true");
    const begun = current ? studio.project.begun : stored.position > 0;
    const picture = document.createElement("img");
    picture.alt = "";
    if (stored.thumbnail) picture.src = URL.createObjectURL(stored.thumbnail);
    const words = document.createElement("span");
    words.textContent = begun ? `${name} ✓` : name;
    go.append(picture, words);
    go.addEventListener("click", () => current || open(id));
    entry.append(go);
    if (!current) entry.append(away(stored));
    return entry;
  };

  const away = ({ id, name, position }) => {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", textContent: "×", className: "plain" });
    button.title = `Remove ${name} from the row; its marks are kept`;
    button.setAttribute("aria-label", button.title);
    button.addEventListener("click", async () => {
      if (position === 0) await storage.remove(id);
      tray.remove(id);
    });
    return button;
  };

  tray.on("change", show);
  studio.on("change", show);
  show();
}
