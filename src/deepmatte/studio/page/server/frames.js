/**
 * The stream of frames with which the server answers an edit: 4 bytes of length (little-endian), a
 * header in JSON, and for "pixels" frames the pixels, RGBA.
 *
 * @typedef {{kind: "pixels" | "progress" | "notes" | "error" | "done", left?: number, top?: number,
 *   width?: number, height?: number, final?: boolean, share?: number, notes?: string[],
 *   error?: string, answer?: number}} Header
 */

/**
 * @param {ReadableStream<Uint8Array>} stream
 * @returns {AsyncGenerator<{header: Header, pixels: Uint8ClampedArray | null}>}
 * @throws {TypeError} the connection broke
 */
export async function* frames(stream) {
  const reader = stream.getReader();
  /** @type {Uint8Array} */
  let chunk = new Uint8Array();

  /** Fills `target`; false where the stream ends before. */
  async function fill(target) {
    for (let at = 0; at < target.length; ) {
      if (chunk.length === 0) {
        const { done, value } = await reader.read();
        if (done) return false;
        chunk = value;
      }
      const piece = chunk.subarray(0, target.length - at);
      target.set(piece, at);
      at += piece.length;
      chunk = chunk.subarray(piece.length);
    }
    return true;
  }

  const length = new Uint8Array(4);
  try {
    while (await fill(length)) {
      const text = new Uint8Array(new DataView(length.buffer).getUint32(0, true));
      if (!(await fill(text))) return;
      const header = JSON.parse(new TextDecoder().decode(text));
      let pixels = null;
      if (header.kind === "pixels") {
        pixels = new Uint8ClampedArray(4 * header.width * header.height);
        if (!(await fill(pixels))) return;
      }
      yield { header, pixels };
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
