/**
 * Which of the files that came together belong together: "cat.jpg" and "cat.trimap.png", or
 * "cat_mask.png".
 *
 * @typedef {{photo: File, mask: File | null, kind: "trimap" | "mask" | null}} Pair
 */

const NAMED = /^(.+?)[ ._-]*(trimap|mask|matte|alpha)s?$/i;

const stemOf = (file) => file.name.replace(/\.[^.]+$/, "");

/** @param {File[]} files @returns {Pair[]} each photo with what belongs to it */
export function paired(files) {
  const masks = new Map();
  for (const file of files) {
    const [, stem, word] = NAMED.exec(stemOf(file)) ?? [];
    const photo = files.find((each) => each !== file && stemOf(each) === stem);
    if (photo) masks.set(photo, { file, kind: word.toLowerCase() === "trimap" ? "trimap" : "mask" });
  }
  const taken = new Set([...masks.values()].map(({ file }) => file));
  return files
    .filter((file) => !taken.has(file))
    .map((photo) => ({
      photo,
      mask: masks.get(photo)?.file ?? null,
      kind: masks.get(photo)?.kind ?? null,
    }));
}
