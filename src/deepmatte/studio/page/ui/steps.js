/**
 * The list of what was done: a step that is clicked is where the trimap goes back, or on.
 */

const SHOWN = 40;

/**
 * @param {import("../studio.js").Studio} studio
 * @param {HTMLElement} menu
 * @param {import("./gestures.js").Gestures} gestures
 */
export function followSteps(studio, menu, gestures) {
  const past = () => studio.project?.trimap.history ?? { steps: [], position: 0 };
  const described = () => JSON.stringify([past().steps.map(({ name }) => name), past().position]);
  let shown = "";

  const show = () => {
    const { steps, position } = past();
    const first = Math.max(0, steps.length - SHOWN);
    const entries = steps.slice(first).map(({ name }, index) => entry(first + index + 1, name));
    if (first === 0) entries.unshift(entry(0, "Photo without marks"));
    const current = entries.find(({ dataset }) => Number(dataset.position) === position);
    current?.setAttribute("aria-current", "step");
    const focused = menu.contains(document.activeElement);
    menu.replaceChildren(...entries);
    if (focused) current?.focus();
    current?.scrollIntoView({ block: "nearest" });
    shown = described();
  };

  const entry = (position, name) => {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.position = String(position);
    button.textContent = position ? `${position}. ${name}` : name;
    button.title = "Go to this step";
    button.addEventListener("click", () => go(position));
    return button;
  };

  const go = async (position) => {
    menu.hidePopover();
    const { trimap } = studio.project;
    if (gestures.busy || trimap.waitingFor) return;
    while (trimap.history.position > position) await trimap.undo();
    while (trimap.history.position < position) await trimap.redo();
  };

  menu.addEventListener("toggle", ({ newState }) => newState === "open" && show());
  // A step may end, or a key undo one, while the list is open.
  studio.on("change", () => {
    if (menu.matches(":popover-open") && described() !== shown) show();
  });
}
