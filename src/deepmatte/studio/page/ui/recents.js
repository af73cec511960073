/**
 * On the empty page: what the browser has kept of earlier work.
 */

import * as session from "../model/session.js";
import * as storage from "../model/storage.js";

/** @param {HTMLElement} section @param {(id: string) => void} open */
export async function showRecents(section, open) {
  const kept = await storage.recent().catch(() => []);
  const elsewhere = await session.openElsewhere();
  const free = kept.filter((stored) => storage.isWorthIt(stored) && !elsewhere(stored.id));
  const items = free.map((stored) => item(stored, open, section));
  section.querySelector("ul").replaceChildren(...items);
  section.hidden = items.length === 0;
}

function item(stored, open, section) {
  const entry = document.createElement("li");
  const go = document.createElement("button");
  Object.assign(go, { type: "button", title: `Continue with ${stored.name} where you left it` });
  go.addEventListener("click", () => open(stored.id));
  const picture = document.createElement("img");
  picture.alt = "";
  if (stored.thumbnail) picture.src = URL.createObjectURL(stored.thumbnail);
  const name = document.createElement("span");
  name.textContent = stored.name;
  const when = document.createElement("small");
  when.textContent = new Date(stored.saved).toLocaleString([], {
    dateStyle: "short",
    timeStyle: "short",
  });
  go.append(picture, name, when);
  const forget = document.createElement("button");
  Object.assign(forget, { type: "button", textContent: "×", className: "plain" });
  forget.title = `Delete the marks on ${stored.name}; the photo's file stays`;
  forget.setAttribute("aria-label", forget.title);
  forget.addEventListener("click", async () => {
    await storage.remove(stored.id);
    showRecents(section, open);
  });
  entry.append(go, forget);
  return entry;
}
