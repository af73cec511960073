/**
 * Writes what the table of commands says into the page: hints on buttons and labels, the entries of
 * menus, the list of keys.
 */

import { all } from "./find.js";

/** @param {Record<string, import("./commands.js").Command>} commands */
export function furnish(commands) {
  for (const menu of all("[data-menu]")) {
    const names = menu.dataset.menu.split(/\s+/);
    menu.append(...names.map((name) => entry(name, commands[name])));
  }
  for (const list of all("[data-keys]")) {
    const names = list.dataset.keys.split(/\s+/);
    list.prepend(...names.flatMap((name) => line(commands[name])));
  }
  for (const element of all("[data-command], [data-hint]")) {
    const command = commands[element.dataset.command ?? element.dataset.hint];
    element.title = hint(command);
    const isButton = element.matches("button");
    if (isButton && !element.textContent.trim()) element.setAttribute("aria-label", command.label);
  }
}

const hint = ({ about, keys }) => (keys.length ? `${about} (${keys[0]})` : about);

/** An entry of a menu; "-" is a line between two. */
function entry(name, command) {
  if (name === "-") return document.createElement("hr");
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.command = name;
  const label = document.createElement("b");
  label.textContent = command.label;
  const about = document.createElement("small");
  about.textContent = command.about;
  button.append(label, about);
  return button;
}

/** A line of the list of keys. */
function line({ keys, label }) {
  const term = document.createElement("dt");
  for (const key of keys[0].split(" ")) {
    const cap = document.createElement("kbd");
    cap.textContent = key === "-" ? "−" : key;
    if (term.hasChildNodes()) term.append(" ");
    term.append(cap);
  }
  const does = document.createElement("dd");
  does.textContent = label;
  return [term, does];
}
