/**
 * Events with a detail, for those who want to follow a part of the page.
 */

export class Emitter extends EventTarget {
  /**
   * @param {string} type
   * @param {(detail: any) => void} listener
   */
  on(type, listener) {
    this.addEventListener(type, (event) => listener(/** @type {CustomEvent} */ (event).detail));
  }

  /** @param {string} type @param {any} detail */
  emit(type, detail = null) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
