/**
 * What the browser keeps: for each project its picture's file, its steps and their position, so
 * that a reload or a crash loses nothing.
 *
 * @typedef {{id: string, name: string, width: number, height: number, fingerprint: string,
 *   position: number, saved: number, settings?: object, thumbnail?: Blob, place?: object,
 *   waiting?: boolean, mask?: "trimap" | "mask" | null}} Stored `waiting`: it was never opened
 */

export const KEPT_PROJECTS = 60;

/** @returns {Promise<IDBDatabase>} */
const database = new Promise((resolve, reject) => {
  const request = indexedDB.open("deepmatte studio", 2);
  request.onupgradeneeded = ({ oldVersion }) => {
    if (oldVersion === 1) {
      request.transaction.objectStore("documents").name = "projects";
      return;
    }
    request.result.createObjectStore("projects", { keyPath: "id" });
    request.result.createObjectStore("files");
    request.result.createObjectStore("steps");
  };
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});
database.catch(() => {}); // told by whoever uses it

/** All steps of a project. */
const stepsOf = (id) => IDBKeyRange.bound([id], [id, []]);

/**
 * Runs `work` on the stores in one transaction: all of it is kept, or nothing.
 *
 * @param {"readonly" | "readwrite"} mode
 * @param {(stores: Record<"projects" | "files" | "steps", IDBObjectStore>) => any} work
 */
async function transaction(mode, work) {
  const stores = ["projects", "files", "steps"];
  const running = (await database).transaction(stores, mode);
  const done = new Promise((resolve, reject) => {
    running.oncomplete = resolve;
    running.onabort = running.onerror = () => reject(running.error);
  });
  const [projects, files, steps] = stores.map((name) => running.objectStore(name));
  const result = work({ projects, files, steps });
  await done;
  return result?.result ?? result;
}

/** Keeps a new project. @param {Stored} stored @param {Blob} file */
export function create(stored, file) {
  return transaction("readwrite", ({ projects, files }) => {
    projects.put(stored);
    files.put(file, [stored.id, "picture"]);
  });
}

/**
 * Forgets projects without any steps, and the oldest ones.
 *
 * @param {(id: string) => boolean} open
 * @returns {Promise<string[]>} the names of those that had steps
 */
export async function tidy(open) {
  const closed = (await recent()).filter(({ id }) => !open(id));
  const wanted = closed.filter(isWorthIt);
  const old = wanted.slice(KEPT_PROJECTS);
  for (const stored of closed) if (!isWorthIt(stored)) await remove(stored.id);
  for (const stored of old) await remove(stored.id);
  return old.map(({ name }) => name);
}

/** Whether there are strokes on it, or it waits for its turn. @param {Stored} stored */
export const isWorthIt = ({ position, waiting }) => position > 0 || Boolean(waiting);

/** Keeps a new step and forgets those that it replaces. */
export function keepStep(stored, index, step) {
  return transaction("readwrite", ({ projects, steps }) => {
    steps.delete(IDBKeyRange.bound([stored.id, index], [stored.id, []]));
    steps.put(step, [stored.id, index]);
    projects.put(stored);
  });
}

/** Keeps all steps at once, those of an opened project file. */
export function keepSteps(stored, all) {
  return transaction("readwrite", ({ projects, steps }) => {
    steps.delete(stepsOf(stored.id));
    for (const [index, step] of all.entries()) steps.put(step, [stored.id, index]);
    projects.put(stored);
  });
}

/** Keeps a changed position or other settings. */
export function keep(stored) {
  return transaction("readwrite", ({ projects }) => projects.put(stored));
}

/** Keeps a further file of a project, such as the background picture; null forgets it. */
export function keepFile(id, name, file) {
  return transaction("readwrite", ({ files }) => {
    if (file) files.put(file, [id, name]);
    else files.delete([id, name]);
  });
}

/** @returns {Promise<Blob | undefined>} */
export function loadFile(id, name) {
  return transaction("readonly", ({ files }) => files.get([id, name]));
}

/** @returns {Promise<{stored: Stored, file: Blob, steps: object[]} | null>} */
export async function load(id) {
  const found = await transaction("readonly", ({ projects, files, steps }) => ({
    stored: projects.get(id),
    file: files.get([id, "picture"]),
    steps: steps.getAll(stepsOf(id)),
  }));
  const { stored, file, steps } = found;
  return stored.result && file.result
    ? { stored: stored.result, file: file.result, steps: steps.result }
    : null;
}

/** All projects, the newest first. @returns {Promise<Stored[]>} */
export async function recent() {
  const all = await transaction("readonly", ({ projects }) => projects.getAll());
  return all.sort((one, other) => other.saved - one.saved);
}

export function remove(id) {
  return transaction("readwrite", ({ projects, files, steps }) => {
    projects.delete(id);
    files.delete(IDBKeyRange.bound([id], [id, []]));
    steps.delete(stepsOf(id));
  });
}
