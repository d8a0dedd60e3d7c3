// The auth server, as the page calls it, and the session that it opens.

import { claimsOf } from "./bytes.js";

const prefix = "/api/v1/auth";

/** The server's refusal: an application/problem+json reply. code is what programs go by. */
export class Refusal extends Error {
  constructor(status, problem, retryAfter) {
    super(problem.detail ?? `status ${status}`);
    Object.assign(this, { status, code: problem.code ?? "", retryAfter });
  }
}

/** The server could not be reached. */
export class Unreachable extends Error {}

/** The session is over: it ran out, was signed out elsewhere, or was revoked. */
export class SessionEnded extends Error {}

async function call(path, options) {
  let reply;
  try {
    reply = await fetch(path, { cache: "no-store", credentials: "omit", ...options });
  } catch (cause) {
    throw new Unreachable("no reply", { cause });
  }
  const body = reply.status === 204 ? null : await reply.json().catch(() => ({}));
  if (!reply.ok) {
    throw new Refusal(reply.status, body, Number(reply.headers.get("Retry-After")));
  }
  return body;
}

const post = (path, body, options) =>
  call(prefix + path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), ...options });

/** Asks for a message to sign: {challenge, message, ttl}. */
export const askChallenge = (request) => post("/challenge", request);

/**
 * A signed-in session.
 *
 * Its tokens live in private fields and nowhere else. What is in localStorage or sessionStorage can be read at any time by
 * any script that ever runs on this origin, and stays behind on the disk. Memory is gone with the page: the price is that
 * a reload signs out. An app that wants to survive a reload keeps the refresh token in an HttpOnly cookie of its own
 * backend, out of the reach of scripts.
 */
export class Session {
  #access;
  #refresh;
  #expiresAt; // by this machine's clock, in milliseconds

  /** The life of an access token, in seconds. */
  lifetime;
  #refreshing = null; // the exchange that is under way

  /** Signs in with a signed message. */
  static async start(request) {
    const session = new Session();
    session.#take(await post("/sign-in", request));
    return session;
  }

  #take(tokens) {
    this.#access = tokens.access_token;
    this.#refresh = tokens.refresh_token;
    this.lifetime = tokens.expires_in;
    this.#expiresAt = Date.now() + this.lifetime * 1000;
  }

  /** What the access token says. */
  get claims() {
    return claimsOf(this.#access);
  }

  /** The rest of the access token's life, in seconds. */
  get secondsLeft() {
    return Math.max(0, Math.round((this.#expiresAt - Date.now()) / 1000));
  }

  /** Fetches JSON with the access token, and renews that when it has to. */
  async get(path) {
    if (this.secondsLeft === 0) {
      await this.refresh();
    }
    try {
      return await this.#authorized(path);
    } catch (error) {
      if (error.status !== 401) {
        throw error;
      }
    }
    await this.refresh();
    return this.#authorized(path);
  }

  #authorized(path) {
    return call(path, { headers: { Authorization: `Bearer ${this.#access}` } });
  }

  /** Exchanges the refresh token for new tokens. Callers at the same time share one exchange. */
  refresh() {
    this.#refreshing ??= this.#exchange().finally(() => (this.#refreshing = null));
    return this.#refreshing;
  }

  async #exchange() {
    try {
      this.#take(await post("/refresh", { refresh_token: this.#refresh }));
    } catch (error) {
      if (error.status === 401 || error.status === 403) {
        throw new SessionEnded("session ended", { cause: error });
      }
      throw error;
    }
  }

  /** Ends the session at the server. The request outlives the page. */
  end() {
    return post("/logout", { refresh_token: this.#refresh }, { keepalive: true });
  }
}
