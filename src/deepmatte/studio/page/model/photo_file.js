/**
 * Files of photos: copies, thumbnails, and by what they are known again.
 */

import { Refused } from "./errors.js";

const THUMBNAIL = 96; // pixels

/** A kind that the browser does not know may be one of photos. @param {File} file */
export const mayBePhoto = ({ type }) => !type || type.startsWith("image/");

/** A copy that stays readable when the file on disk changes. */
export async function inMemory(file) {
  try {
    return new Blob([await file.arrayBuffer()], { type: file.type });
  } catch {
    throw new Refused(`${file.name} cannot be read. Is it a folder? Open a photo in it.`);
  }
}

export async function thumbnailOf(bitmap) {
  const scale = Math.min(1, THUMBNAIL / Math.max(bitmap.width, bitmap.height));
  const width = Math.max(1, Math.round(bitmap.width * scale));
  const height = Math.max(1, Math.round(bitmap.height * scale));
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  return canvas.convertToBlob({ type: "image/jpeg", quality: 0.8 });
}

/** SHA-256 of a file, by which its photo is known again. */
export async function fingerprint(file) {
  const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
