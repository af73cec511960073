/**
 * Who this tab is: the token of the server's run and the project that is open here.
 */

const TOKEN = "token";
const PROJECT = "project";
const WAIT_FOR_LOCK = 1500; // milliseconds; a reloaded page may ask before its old self let go

const channel = new BroadcastChannel("deepmatte studio");

/**
 * Watches for tokens: in this tab's address, now or later, or seen by another tab.
 *
 * @param {(token: string) => void} found
 */
export function watchToken(found) {
  const take = () => {
    const token = new URLSearchParams(location.hash.slice(1)).get("token");
    if (!token) return false;
    history.replaceState(null, "", location.pathname);
    sessionStorage.setItem(TOKEN, token);
    channel.postMessage(token);
    found(token);
    return true;
  };
  addEventListener("hashchange", take);
  channel.onmessage = ({ data }) => {
    sessionStorage.setItem(TOKEN, data);
    found(data);
  };
  if (!take()) found(sessionStorage.getItem(TOKEN) ?? "");
}

/** The id of the project that was open in this tab, or null. */
export const openProject = () => sessionStorage.getItem(PROJECT);

let release = () => {};

/**
 * Makes a project this tab's own.
 *
 * @returns {Promise<boolean>} false: it is open in another tab
 */
export async function claim(id) {
  const held = await lock(id);
  if (!held) return false;
  release();
  release = held;
  sessionStorage.setItem(PROJECT, id);
  return true;
}

/** Lets the project go. */
export function leave() {
  release();
  release = () => {};
  sessionStorage.removeItem(PROJECT);
}

const lockName = (id) => `deepmatte studio ${id}`;

/** @returns {Promise<(() => void) | null>} what releases the lock */
function lock(id) {
  return new Promise((resolve) => {
    const options = { signal: AbortSignal.timeout(WAIT_FOR_LOCK) };
    navigator.locks
      .request(lockName(id), options, () => new Promise((done) => resolve(() => done(null))))
      .catch(() => resolve(null));
  });
}

/** The ids of projects that are open in some tab. @returns {Promise<(id: string) => boolean>} */
export async function openElsewhere() {
  const { held } = await navigator.locks.query();
  const names = new Set(held.map(({ name }) => name));
  return (id) => names.has(lockName(id));
}
