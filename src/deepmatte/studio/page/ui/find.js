/**
 * Elements of the page, of the kind that they are expected to be.
 */

/**
 * @template {Element} [T=HTMLElement]
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 */
export function find(id, kind = /** @type {any} */ (HTMLElement)) {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new TypeError(`There is no ${kind.name} #${id}.`);
  return element;
}

/**
 * @template {Element} [T=HTMLElement]
 * @param {string} selector
 * @param {new () => T} kind
 * @param {ParentNode} within
 * @returns {T[]}
 */
export function all(selector, kind = /** @type {any} */ (HTMLElement), within = document) {
  const found = [...within.querySelectorAll(selector)];
  return /** @type {T[]} */ (found.filter((element) => element instanceof kind));
}
