// One way to ask two servers the same.
import { createHash, randomBytes } from "node:crypto";

const text = () => randomBytes(32).toString("base64url");
export const s256 = (verifier) => createHash("sha256").update(verifier).digest("base64url");

/** A server, with somebody who signs in there. */
export class Session {
  /** @param {string} issuer @param {string} [person] who signs at our server's page; without one a browser goes through by itself */
  static async at(issuer, person) {
    const reply = await fetch(`${issuer}/.well-known/openid-configuration`);
    return Object.assign(new Session(), { issuer, person, metadata: await reply.json() });
  }

  /** The URL of an authorization request; undefined leaves a parameter out, a list repeats it. */
  url(parameters) {
    const url = new URL(this.metadata.authorization_endpoint);
    for (const [name, value] of Object.entries(parameters)) {
      for (const one of [value].flat()) {
        if (one !== undefined) {
          url.searchParams.append(name, one);
        }
      }
    }
    return url;
  }

  /** What happens to an authorization request of a browser that is not signed in: "page" (an error, shown to the person), "asks" the
   * person, or "redirect" with the error's code. */
  async authorize(parameters) {
    const reply = await fetch(this.url(parameters), { redirect: "manual" });
    const location = reply.headers.get("location");
    if (reply.status >= 400) {
      return "page";
    }
    if (!location || new URL(location, this.issuer).pathname.startsWith("/interaction/")) {
      return "asks";
    }
    const answer = this.answer(location);
    if (answer.get("iss") !== this.issuer || parameters.state !== undefined && ![parameters.state].flat().includes(answer.get("state")) && ![parameters.state].flat()[1]) {
      return "redirect without iss or state";
    }
    return `redirect ${answer.get("error")}`;
  }

  answer(location) {
    const url = new URL(location);
    return url.searchParams.has("iss") || !url.hash ? url.searchParams : new URLSearchParams(url.hash.slice(1));
  }

  /** A code for a client, with what is needed to redeem it. */
  async code({ client = "public", redirect = "https://app.example.com/callback", scope = "openid offline_access", ...more } = {}) {
    const verifier = text(), state = text();
    const url = this.url({ client_id: client, redirect_uri: redirect, response_type: "code", scope, state, prompt: "consent", code_challenge: s256(verifier), code_challenge_method: "S256", ...more });
    const answer = this.answer(this.person ? await this.sign(url) : await this.walk(url, redirect));
    if (!answer.get("code")) {
      throw new Error(`no code came: ${answer}`);
    }
    return { code: answer.get("code"), code_verifier: verifier, redirect_uri: redirect, client_id: client };
  }

  async sign(url) {
    const reply = await fetch(this.person, { method: "POST", body: String(url) });
    const location = await reply.text();
    if (!reply.ok) {
      throw new Error(location);
    }
    return location;
  }

  /** Follows redirects with cookies until the browser would leave for the client. */
  async walk(url, redirect) {
    const cookies = new Map();
    for (let hops = 0; hops < 12; hops++) {
      const reply = await fetch(url, { redirect: "manual", headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join("; ") } });
      for (const line of reply.headers.getSetCookie()) {
        const [pair] = line.split(";"), at = pair.indexOf("=");
        cookies.set(pair.slice(0, at), pair.slice(at + 1));
      }
      const location = reply.headers.get("location");
      if (!location) {
        throw new Error(`${reply.status} ${await reply.text()}`);
      }
      if (location.startsWith(redirect)) {
        return location;
      }
      url = new URL(location, url);
    }
    throw new Error("it redirects for ever");
  }

  /** The answer of an endpoint to a form: its status, and the error's code where there is one. */
  async post(endpoint, form, { basic, headers = {}, body, query = "" } = {}) {
    if (basic) {
      headers = { ...headers, authorization: `Basic ${Buffer.from(basic.join(":")).toString("base64")}` };
    }
    const fields = new URLSearchParams(Object.entries(form).flatMap(([name, value]) => [value].flat().filter((one) => one !== undefined).map((one) => [name, one])));
    const reply = await fetch(this.metadata[`${endpoint}_endpoint`] + query, { method: "POST", body: body ?? fields, headers });
    const json = await reply.json().catch(() => ({}));
    return { status: reply.status, json, headers: reply.headers };
  }

  /** "200", or the status and the error's code. */
  async outcome(endpoint, form, options) {
    const { status, json } = await this.post(endpoint, form, options);
    return json.error ? `${status} ${json.error}` : String(status);
  }

  async tokens(options) {
    const code = await this.code(options);
    const reply = await this.post("token", { grant_type: "authorization_code", ...code });
    if (reply.status !== 200) {
      throw new Error(JSON.stringify(reply.json));
    }
    return { ...reply.json, code };
  }

  /** The status of the user info for a token, and the error's code of the challenge. */
  async userinfo(token, { query } = {}) {
    const reply = await fetch(this.metadata.userinfo_endpoint + (query ? `?access_token=${token}` : ""),
      { headers: token && !query ? { authorization: `Bearer ${token}` } : {} });
    return [reply.status, reply.headers.get("www-authenticate")?.match(/error="([^"]*)"/)?.[1]].filter(Boolean).join(" ");
  }
}
