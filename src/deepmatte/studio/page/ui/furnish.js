/**
 * Writes what the table of commands says into the page: hints on buttons and labels, the entries of
 * menus, the list of keys.
 */

/**
 * @param {Document} page
 * @param {Record<string, import("./commands.js").Command>} commands
 */
export function furnish(page, commands) {
  for (const menu of page.querySelectorAll("[data-menu]")) {
    const names = menu.dataset.menu.split(/\s+/);
    menu.append(...names.map((name) => entry(page, name, commands[name])));
  }
  for (const list of page.querySelectorAll("[data-keys]")) {
    const names = list.dataset.keys.split(/\s+/);
    list.prepend(...names.flatMap((name) => line(page, commands[name])));
  }
  for (const element of page.querySelectorAll("[data-command], [data-hint]")) {
    const command = commands[element.dataset.command ?? element.dataset.hint];
    element.title = hint(command);
    const isButton = element.matches("button");
    if (isButton && !element.textContent.trim()) element.setAttribute("aria-label", command.label);
  }
}

const hint = ({ about, keys }) => (keys.length ? `${about} (${keys[0]})` : about);

/** An entry of a menu; "-" is a line between two. */
function entry(page, name, command) {
  if (name === "-") return page.createElement("hr");
  const button = page.createElement("button");
  button.type = "button";
  button.dataset.command = name;
  const label = page.createElement("b");
  label.textContent = command.label;
  const about = page.createElement("small");
  about.textContent = command.about;
  button.append(label, about);
  return button;
}

/** A line of the list of keys. */
function line(page, { keys, label }) {
  const term = page.createElement("dt");
  for (const key of keys[0].split(" ")) {
    const cap = page.createElement("kbd");
    cap.textContent = key === "-" ? "−" : key;
    if (term.hasChildNodes()) term.append(" ");
    term.append(cap);
  }
  const does = page.createElement("dd");
  does.textContent = label;
  return [term, does];
}
