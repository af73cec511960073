/**
 * Long work in short slices, so that painting goes on meanwhile.
 *
 * Long work is written as a generator that yields wherever it may pause.
 */

const SLICE = 8; // milliseconds; half of a frame

/** Lets input and drawing have their turn. */
function pause() {
  return /** @type {Promise<void>} */ (new Promise((resolve) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      channel.port1.close();
      resolve();
    };
    channel.port2.postMessage(null);
  }));
}

/** The next animation frame; in a hidden page, which has none, a moment later. */
export function nextFrame() {
  return /** @type {Promise<void>} */ (new Promise((resolve) => {
    const timer = setTimeout(resolve, 100);
    requestAnimationFrame(() => {
      clearTimeout(timer);
      resolve();
    });
  }));
}

/**
 * The result of something that cannot be ended, or an error as soon as nobody waits any more.
 *
 * @template T
 * @param {Promise<T>} work
 * @param {AbortSignal | undefined} signal
 * @returns {Promise<T>}
 */
export function abortable(work, signal) {
  if (!signal) return work;
  const given = new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  return Promise.race([work, given]);
}

/**
 * Runs a generator to its end, pausing every few milliseconds.
 *
 * @template T
 * @param {Generator<void, T>} work
 * @param {AbortSignal} [signal] ends it early
 * @returns {Promise<T>}
 */
export async function inSlices(work, signal) {
  let started = performance.now();
  for (;;) {
    signal?.throwIfAborted();
    const { done, value } = work.next();
    if (done) return value;
    if (performance.now() - started > SLICE) {
      await pause();
      started = performance.now();
    }
  }
}
