/**
 * Talking with the studio's server, which may be busy, gone for a while, or another one by now.
 */

import { Emitter } from "../model/emitter.js";
import { Refused } from "../model/errors.js";
import { abortable } from "../model/slices.js";

const POLL = 1000; // milliseconds
const TRIES = 3; // before a connection that breaks although the server lives is given up

/** The server does not have this picture, or no longer. */
export class UnknownPicture extends Refused {}

/** A trimap or a mask has another size than the photo. */
export class WrongSize extends Refused {}

/** Event "state": `state` is "ok", "gone" (no answer), "locked" (another run's token) or "keyless" (no token). */
export class Server extends Emitter {
  /** @type {"ok" | "gone" | "locked" | "keyless"} */
  state = "ok";
  #token = "";
  #returning = null;

  setToken(token) {
    this.#token = token;
    this.#retryNow();
  }

  /** @type {(value?: any) => void} */
  #retryNow = () => {};

  /**
   * Calls a route; waits while the server is busy or gone.
   *
   * @param {string} path below /api/
   * @param {{method?: string, query?: Record<string, any>, body?: BodyInit, signal?: AbortSignal}} [options]
   * @returns {Promise<Response>} with a good status
   * @throws {Refused | UnknownPicture | DOMException} the latter by `signal`
   */
  async call(path, { method = "GET", query = {}, body, signal } = {}) {
    const address = `/api/${path}?${new URLSearchParams(query)}`;
    for (let tries = 1; ; ) {
      signal?.throwIfAborted();
      let response;
      try {
        response = await this.#fetch(address, { method, body, signal });
      } catch (error) {
        if (signal?.aborted) throw error;
        if ((await abortable(this.#back(), signal)) === "at once" && tries++ === TRIES) {
          throw new Refused("The studio closed the connection. The file may be too large.");
        }
        continue;
      }
      if (response.status === 401) {
        await abortable(this.#back(), signal);
        continue;
      }
      if (response.status === 503) {
        await abortable(wait(1000 * (Number(response.headers.get("Retry-After")) || 1)), signal);
        continue;
      }
      if (response.ok) return response;
      const { error } = await response.json().catch(() => ({}));
      if (response.status === 409) throw new WrongSize(error);
      if (response.status === 404) throw new UnknownPicture(error);
      throw new Refused(error ?? `The studio failed unexpectedly (status ${response.status}).`);
    }
  }

  /** Gives something up; the page may be closing. @param {string} path below /api/ */
  leave(path) {
    this.#fetch(`/api/${path}`, { method: "DELETE", keepalive: true }).catch(() => {});
  }

  #fetch(address, options) {
    const headers = { Authorization: `Bearer ${this.#token}` };
    return fetch(address, { ...options, headers, cache: "no-store" });
  }

  /** Waits until the server takes calls. @returns {Promise<"at once" | "later">} */
  #back() {
    this.#returning ??= this.#poll().finally(() => (this.#returning = null));
    return this.#returning;
  }

  async #poll() {
    for (let first = true; ; first = false) {
      const state = await this.#probe();
      if (state !== this.state) {
        this.state = state;
        this.emit("state");
      }
      if (state === "ok") return first ? "at once" : "later";
      await Promise.race([wait(POLL), new Promise((resolve) => (this.#retryNow = resolve))]);
    }
  }

  async #probe() {
    try {
      const response = await this.#fetch("/api/start", {});
      if (response.status !== 401) return "ok";
      return this.#token ? "locked" : "keyless";
    } catch {
      return "gone";
    }
  }
}

const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
