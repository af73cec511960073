/**
 * Gives the focus back to the stage, so that the space key pans and the arrow keys move.
 *
 * Who uses the mouse gets it back from every control, menu, dialog and chooser of files. Who goes
 * from control to control with the Tab key keeps it where it is.
 */

const KEEPS = "dialog, [popover], #empty";

/** @param {HTMLElement} stage */
export function returnFocus(stage) {
  const tabbing = (is) => document.body.classList.toggle("tabbing", is);
  addEventListener("keydown", (event) => event.key === "Tab" && tabbing(true), true);
  addEventListener("pointerdown", () => tabbing(false), true);

  const giveBack = () => {
    const open = document.querySelector("dialog[open], :popover-open");
    if (open || document.body.classList.contains("tabbing")) return;
    stage.focus({ preventScroll: true });
  };
  document.addEventListener("pointerup", ({ target }) => {
    if (!(target instanceof Element)) return;
    const control = target.closest("label, button, [role=slider]");
    if (!control || control.closest(KEEPS) || control.hasAttribute("popovertarget")) return;
    setTimeout(giveBack);
  });
  const later = () => setTimeout(giveBack);
  // None of these bubbles, but all can be captured.
  document.addEventListener("toggle", ({ newState }) => newState === "closed" && later(), true);
  document.addEventListener("close", later, true);
  document.addEventListener("cancel", later, true); // a chooser of files
  document.addEventListener("change", ({ target }) => {
    if (target instanceof HTMLInputElement && ["color", "file"].includes(target.type)) later();
  }, true);
}
