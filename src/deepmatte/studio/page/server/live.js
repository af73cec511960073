/**
 * The live result: sends what changed in the trimap and takes in what changes in the cut-out.
 *
 * One edit is under way at a time; what changes meanwhile is merged into one rectangle. An edit
 * counts as stored once the server has answered its head; otherwise its rectangle is sent again.
 * Of an answer that a newer edit has overtaken, nothing is shown any more.
 */

import { Emitter } from "../model/emitter.js";
import { cut } from "../model/labels.js";
import { union } from "../model/rectangle.js";
import { frames } from "./frames.js";
import { Refused } from "../model/errors.js";
import { UnknownPicture } from "./calls.js";
import { nextFrame } from "../model/slices.js";

const PAUSE = 500; // milliseconds before a broken answer is asked for again

/**
 * Events: "state" (`state`: "idle", "working", "done"; `share` 0..1 or null), "pixels" (detail:
 * image, left, top, current: whether no newer edit is waiting, fresh: whether all earlier pixels
 * are void), "notes" (detail: sentences) and
 * "error" (detail: a sentence).
 */
export class Live extends Emitter {
  state = "idle";
  share = null;
  #dirty = null;
  #sending = false;
  #answer = null; // the AbortController of the answer that is being read
  #fresh = true;
  #have = 0; // the number of the last answer that came whole
  /** While held, changes are gathered and not sent. */
  held = false;

  /**
   * @param {import("../model/trimap.js").Trimap} trimap
   * @param {import("./calls.js").Server} server
   * @param {() => Promise<string>} upload gives the picture to the server (again); its new id
   * @param {() => Promise<void>} breathe lets painting have its turn
   * @param {() => object} refinement what is done to the edge
   */
  constructor(trimap, server, upload, breathe, refinement) {
    super();
    this.trimap = trimap;
    this.server = server;
    this.upload = upload;
    this.breathe = breathe;
    this.refinement = refinement;
    this.id = null;
  }

  /** The labels in a rectangle have changed. */
  touch(rectangle) {
    this.#dirty = union(this.#dirty, rectangle);
    if (!this.trimap.history.begun) this.#rest();
    else this.#send();
  }

  /** Asks for everything again: the edge is refined otherwise. */
  refresh() {
    this.#have = 0;
    this.touch({ left: 0, top: 0, right: 1, bottom: 1 });
  }

  /** Sends what was gathered while held. */
  release() {
    this.held = false;
    this.#send();
  }

  /** Waits until the server has all labels. @param {AbortSignal} signal */
  async sent(signal) {
    while (this.#due || this.#sending) {
      signal.throwIfAborted();
      await nextFrame();
    }
  }

  /** Runs `work` with the picture's id on the server, which may have to be uploaded again. */
  async withPicture(work) {
    for (;;) {
      const id = this.id;
      try {
        return await work(id);
      } catch (error) {
        if (!(error instanceof UnknownPicture)) throw error;
        if (id === this.id) await this.#uploadAgain();
      }
    }
  }

  /** Ends everything; nothing is sent or shown any more. */
  close() {
    this.closed = true;
    this.#answer?.abort();
  }

  #uploading = null;

  #uploadAgain() {
    this.#uploading ??= this.upload()
      .then((id) => {
        this.id = id;
        this.#forget();
        this.#send();
      })
      .finally(() => (this.#uploading = null));
    return this.#uploading;
  }

  /** Nothing is known yet: no answer makes sense. */
  #rest() {
    this.#answer?.abort();
    this.#answer = null;
    this.#forget();
    this.#tell("idle");
  }

  /** Nothing that was shown holds any more. */
  #forget() {
    this.#fresh = true;
    this.#have = 0;
    this.#dirty = this.trimap.area;
  }

  get #due() {
    return this.#dirty && this.trimap.history.begun && !this.held && !this.closed;
  }

  async #send() {
    if (this.#sending || !this.#due) return;
    this.#sending = true;
    try {
      while (this.#due) {
        this.#tell("working", this.state === "working" ? this.share : null);
        const rectangle = this.#dirty;
        this.#dirty = null;
        try {
          await this.#edit(rectangle);
        } catch (error) {
          if (error instanceof Refused) this.#fail(error.message);
          else if (!this.closed) throw error;
        }
      }
    } finally {
      this.#sending = false;
    }
  }

  async #edit(rectangle) {
    const { trimap, server } = this;
    const controller = new AbortController();
    const response = await this.withPicture((id) => {
      const part = union(rectangle, this.#dirty); // the whole, after an upload
      this.#dirty = null;
      return server.call(`pictures/${id}/edits`, {
        method: "POST",
        query: {
          left: part.left,
          top: part.top,
          width: part.right - part.left,
          height: part.bottom - part.top,
          have: this.#have,
          ...this.refinement(),
        },
        body: cut(trimap.labels, trimap.width, part),
        signal: controller.signal,
      });
    });
    this.#answer?.abort();
    this.#answer = controller;
    if (this.closed) controller.abort();
    this.#read(response.body, controller);
  }

  async #read(stream, controller) {
    let noted = false;
    const current = () => this.#answer === controller && !this.closed;
    try {
      for await (const { header, pixels } of frames(stream)) {
        if (!current()) return;
        if (header.kind === "pixels") await this.#show(header, pixels);
        else if (header.kind === "progress") this.#tell("working", header.share);
        else if (header.kind === "notes") {
          noted = true;
          this.emit("notes", header.notes);
        }
        else if (header.kind === "error") return this.#fail(header.error);
        else if (header.kind === "done") {
          if (!noted) this.emit("notes", []);
          return this.#finish(header.answer);
        }
        if (!current()) return;
      }
      throw new TypeError("The answer ended early.");
    } catch {
      // A newer edit ends this answer too, perhaps before its own has begun.
      if (current() && !this.#sending) this.#breakOff();
    }
  }

  async #show(header, pixels) {
    const image = new ImageData(pixels, header.width, header.height);
    const { left, top } = header;
    const current = !this.#dirty && !this.#sending;
    this.emit("pixels", { image, left, top, current, fresh: this.#fresh });
    this.#fresh = false;
    await this.breathe();
  }

  #finish(answer) {
    this.#have = answer;
    this.#answer = null;
    if (!this.#sending) this.#tell("done");
  }

  #fail(sentence) {
    this.#answer = null;
    this.emit("error", sentence);
    this.#tell("idle");
  }

  /** The connection broke: everything is asked for again, as soon as the server is there. */
  #breakOff() {
    this.#answer = null;
    this.#have = 0;
    setTimeout(() => this.#answer || this.touch(this.trimap.area), PAUSE);
  }

  #tell(state, share = null) {
    this.state = state;
    this.share = share;
    this.emit("state");
  }
}
