/*!
 * The browser's half of picoauth: finds the wallets of this browser, signs in with one, keeps the session alive and adds its
 * token to requests. One file, no dependency. Types are in client.d.ts.
 */

const prefix = "/api/v1/auth";
const renewBefore = 10_000; // milliseconds before the end of an access token
const clockChange = 10_000; // milliseconds by which a clock differs that was set

/** The server's refusal, an application/problem+json reply. `code` is what programs go by. */
export class AuthError extends Error {
  constructor(status, problem, retryAfter) {
    super(problem.detail ?? `status ${status}`);
    this.name = "AuthError";
    this.status = status;
    this.code = problem.code ?? "";
    this.hint = problem.hint ?? "";
    this.retryAfter = retryAfter;
  }
}

/** The server could not be reached. */
export class UnreachableError extends Error {
  name = "UnreachableError";
}

/** There is no session, or it has ended: signed out, expired or revoked. */
export class SessionEndedError extends Error {
  name = "SessionEndedError";
}

/** The wallet is locked, or the person shared no account. */
export class NoAccountError extends Error {
  name = "NoAccountError";
}

/**
 * Returns a client of the server at url. It keeps its tokens in memory, unless storage is "session". Where the server can, tokens
 * are bound to a key of this browser that no script can read (DPoP, RFC 9449), unless dpop is false.
 */
export function createClient({ url = location.origin, storage = "memory", origins = [], dpop = true } = {}) {
  return new Client(new URL(url, location.href).href.replace(/\/$/, ""), storage, origins, dpop);
}

class Client {
  #url;
  #trusted; // origins that get the token
  #session;
  #listeners = new Set();
  #wallets;
  #dpop;
  #newKey = null; // a promise of the key for the next sign-in, or of null
  #skew = 0; // how far the server's clock is ahead, in milliseconds
  #nonces = new Map(); // by origin: what the last reply wants in a proof

  constructor(url, storage, origins, dpop) {
    this.#url = url;
    this.#dpop = dpop && Boolean(globalThis.crypto?.subtle);
    this.#trusted = new Set([url, ...origins].map((origin) => new URL(origin, location.href).origin));
    const changed = () => this.#listeners.forEach((listener) => listener());
    this.#session = new SharedSession(url, storage, changed, (tokens) => this.#call("/refresh", { refresh_token: tokens.refresh }, tokens));
    this.#wallets = watchWallets(changed);
  }

  /** The wallets of this browser: a live list, which grows when a wallet comes late. */
  wallets() {
    return this.#wallets.list;
  }

  /** Asks wallets to announce themselves again. */
  lookForWallets() {
    this.#wallets.look();
  }

  /** Who is signed in, `{subject, address, algorithm, claims, expiresAt}`, or null. */
  get session() {
    return this.#session.view();
  }

  /** Resolves once another tab had the time to share its session. */
  get ready() {
    return this.#session.ready;
  }

  /** Calls back whenever the wallets or the session change; returns what ends that. */
  onChange(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Connects a wallet and asks the server for the message to sign: `{account, challenge, message, ttl, chainId}`. If the site does not
   * accept the network that the wallet is on, the message is of the site's own.
   */
  async prepare({ wallet, domain = location.host }) {
    const account = await wallet.connect();
    if (!account?.address) {
      throw new NoAccountError(`${wallet.name} gave no account`);
    }
    const request = { address: account.address, domain };
    let challenge;
    try {
      challenge = await this.challenge({ ...request, chain_id: account.chainId });
    } catch (error) {
      if (!account.chainId || error.code !== "chain_not_allowed") {
        throw error;
      }
      challenge = await this.challenge(request);
    }
    return { wallet, account, ...challenge };
  }

  /** Has a prepared message signed and signs in with it. isCancelled may tell that the person has gone elsewhere meanwhile. */
  async finish(prepared, { isCancelled = () => false } = {}) {
    const { wallet, account, challenge, message } = prepared;
    const proof = await wallet.sign(account, message);
    if (isCancelled()) {
      return null;
    }
    const [answer, key] = await this.#signIn({ address: account.address, challenge, message, ...proof });
    if (isCancelled()) {
      await this.#call("/logout", { refresh_token: answer.refresh_token });
      return null;
    }
    await this.#session.set(answer, key);
    return this.session;
  }

  /** Signs in with one of wallets(): connects it, and has the server's message signed. */
  async signIn({ wallet, domain }) {
    return this.finish(await this.prepare({ wallet, domain }));
  }

  /** Signs in with a message and signature that another library made: the body of POST /sign-in. */
  async signInWith(proof) {
    await this.#session.set(...(await this.#signIn(proof)));
    return this.session;
  }

  /** POST /challenge: `{challenge, ttl, expires_at, message}`; without an address a nonce for a message of any account. */
  async challenge(request = {}) {
    const key = await this.#key();
    const answer = await this.#call("/challenge", key ? { ...request, dpop_jkt: key.jkt } : request);
    this.#skew = Date.parse(answer.expires_at) - answer.ttl * 1000 - Date.now();
    return answer;
  }

  /** A valid access token, renewed where it must be. One that is bound to a key is worth nothing by itself: see headers. */
  async token() {
    return (await this.#session.valid()).access;
  }

  /** The headers with the access token for a request that something else sends; none for an origin that does not get it. */
  async headers(url, method = "GET") {
    const { href, origin } = new URL(url, location.href);
    return this.#trusted.has(origin) ? this.#headersOf(await this.#session.valid(), method, href) : {};
  }

  /** Exchanges the refresh token now. */
  async refresh() {
    return (await this.#session.renew()).access;
  }

  /** As window.fetch, with the access token for the server's and the listed origins, and for no other. */
  async fetch(input, init) {
    const request = new Request(input, init);
    if (!this.#trusted.has(new URL(request.url).origin)) {
      return fetch(request);
    }
    const [second, third] = [request.clone(), request.clone()];
    let tokens = await this.#session.valid();
    let reply = await this.#send(request, tokens);
    if (reply.status === 401 && /use_dpop_nonce/.test(reply.headers.get("WWW-Authenticate"))) {
      reply = await this.#send(second, tokens);
    }
    if (reply.status !== 401) {
      return reply;
    }
    tokens = await this.#session.renew(tokens.access);
    return this.#send(third, tokens);
  }

  async #send(request, tokens) {
    const headers = await this.#headersOf(tokens, request.method, request.url);
    Object.entries(headers).forEach(([name, value]) => request.headers.set(name, value));
    const reply = await fetch(request);
    const nonce = reply.headers.get("DPoP-Nonce");
    nonce && this.#nonces.set(new URL(request.url).origin, nonce);
    return reply;
  }

  async #headersOf({ access, key, skew }, method, url) {
    if (!key) {
      return { Authorization: `Bearer ${access}` };
    }
    const nonce = this.#nonces.get(new URL(url).origin);
    return { Authorization: `DPoP ${access}`, DPoP: await makeProof(key, { method, url, skew, nonce, access }) };
  }

  /** The key that the next sign-in binds its tokens to, or null where the server binds none. */
  #key() {
    this.#newKey ??= this.#dpop ? this.#makeKey() : Promise.resolve(null);
    this.#newKey.catch(() => (this.#newKey = null));
    return this.#newKey;
  }

  async #makeKey() {
    const reply = await reach(this.#url + "/.well-known/openid-configuration", { credentials: "omit" });
    const { dpop_signing_alg_values_supported: algorithms } = reply.ok ? await reply.json().catch(() => ({})) : {};
    return algorithms?.includes("ES256") ? makeKey() : null;
  }

  /** POST /sign-in: the reply, and the key that its tokens are bound to. */
  async #signIn(body) {
    const key = await this.#key();
    const answer = await this.#call("/sign-in", body, { key, skew: this.#skew });
    return [answer, answer.token_type === "DPoP" ? key : null];
  }

  /** Ends the session, here and at the server. */
  async logout() {
    const refreshToken = this.#session.clear();
    if (refreshToken) {
      await this.#call("/logout", { refresh_token: refreshToken }, {}, { keepalive: true });
    }
  }

  async #call(path, body, { key, skew } = {}, options) {
    const url = this.#url + prefix + path;
    const headers = { "Content-Type": "application/json" };
    if (key) {
      headers.DPoP = await makeProof(key, { method: "POST", url, skew });
    }
    const reply = await reach(url, {
      method: "POST", headers, body: JSON.stringify(body), cache: "no-store", credentials: "omit", redirect: "error", ...options,
    });
    const answer = reply.status === 204 ? null : await reply.json().catch(() => undefined);
    if (!reply.ok) {
      const error = new AuthError(reply.status, answer ?? {}, Number(reply.headers.get("Retry-After")) || 0);
      if (!key || error.code !== "invalid_dpop_proof") {
        throw error;
      }
      const before = skew;
      await this.challenge(); // this machine's clock may have been set meanwhile: a challenge tells the server's
      if (Math.abs(this.#skew - before) < clockChange) {
        throw error;
      }
      return this.#call(path, body, { key, skew: this.#skew }, options);
    }
    if (answer === undefined) {
      throw new UnreachableError("the reply is not the server's");
    }
    return answer;
  }
}

async function reach(url, options) {
  try {
    return await fetch(url, options);
  } catch (cause) {
    throw new UnreachableError("no reply from the server", { cause });
  }
}

const base64url = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

const sha256 = async (text) => base64url(await crypto.subtle.digest("SHA-256", utf8(text)));

/** A key of this browser: `{jwk, jkt, privateKey}`, whose private part cannot be taken out. */
async function makeKey() {
  const { publicKey, privateKey } = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign", "verify"]);
  const { crv, kty, x, y } = await crypto.subtle.exportKey("jwk", publicKey);
  const jwk = { crv, kty, x, y }; // the members of the thumbprint, in its order (RFC 7638)
  return { jwk, jkt: await sha256(JSON.stringify(jwk)), privateKey };
}

/** A DPoP proof (RFC 9449) for one request. skew is how far the server's clock is ahead, in milliseconds. */
async function makeProof({ jwk, privateKey }, { method, url, skew = 0, nonce, access }) {
  const { origin, pathname } = new URL(url);
  const claims = {
    jti: crypto.randomUUID(), htm: method, htu: origin + pathname, iat: Math.floor((Date.now() + skew) / 1000), nonce,
    ath: access && (await sha256(access)),
  };
  const text = [{ typ: "dpop+jwt", alg: "ES256", jwk }, claims].map((part) => base64url(utf8(JSON.stringify(part)))).join(".");
  const signature = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, privateKey, utf8(text));
  return `${text}.${base64url(signature)}`;
}

/** Where keys outlive a reload: IndexedDB can hold one that no script can read. */
const keys = {
  get: (name) => inKeys("readonly", (store) => store.get(name)),
  put: (name, key) => inKeys("readwrite", (store) => store.put(key, name)),
  delete: (name) => inKeys("readwrite", (store) => store.delete(name)),
};

function inKeys(mode, action) {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open("picoauth", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("keys");
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const transaction = opening.result.transaction("keys", mode);
      const request = action(transaction.objectStore("keys"));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error);
      opening.result.close(); // once the transaction is over
    };
  });
}

/**
 * The session of all tabs of this origin. What is in sessionStorage can be read by any script that ever runs here, so tokens are in
 * memory by default; another tab gets them over a BroadcastChannel. One tab at a time renews, under a Web Lock.
 */
class SharedSession {
  #name;
  #storage;
  #changed;
  #exchange;
  #channel;
  #tokens = null; // {access, refresh, key, skew, address, algorithm, at, expiresAt, lifetime}
  #loaded = Promise.resolve(); // once the key of the tokens in sessionStorage is read or written
  #ended = null; // the id of the session that was ended last, which a late answer does not bring back
  #renewing = null;
  #waiting = new Set(); // for word from another tab

  constructor(url, storage, changed, exchange) {
    this.#name = `picoauth ${url}`;
    this.#storage = storage === "session" ? sessionStorage : null;
    this.#changed = changed;
    this.#exchange = exchange;
    this.#channel = new BroadcastChannel(this.#name);
    try {
      this.#tokens = JSON.parse(this.#storage?.getItem(this.#name) ?? "null");
    } catch {
      this.#storage.removeItem(this.#name);
    }
    if (this.#tokens?.jkt) {
      this.#loaded = this.#load(this.#tokens);
    }
    this.#channel.onmessage = ({ data }) => this.#hear(data);
    window.addEventListener("pageshow", ({ persisted }) => persisted && this.#ask()); // it heard nothing while it was away
    this.ready = this.#ask(200); // what sessionStorage held may have been renewed by another tab since
  }

  #hear({ ask, ended, tokens }) {
    if (ask) {
      this.#loaded.then(() => this.#tokens && this.#channel.postMessage({ tokens: this.#tokens }));
      return;
    }
    if (ended) {
      this.#end(ended);
    } else if (tokens && this.#isNews(tokens)) {
      this.#keep(tokens);
    }
    this.#waiting.forEach((resolve) => resolve());
    this.#waiting.clear();
  }

  /** Asks the other tabs for their session; resolves at the first answer, or after so many milliseconds. */
  #ask(limit = 0) {
    this.#channel.postMessage({ ask: true });
    return new Promise((resolve) => {
      this.#waiting.add(resolve);
      setTimeout(resolve, limit);
    });
  }

  view() {
    if (!this.#tokens) {
      return null;
    }
    const { access, address, algorithm, expiresAt, lifetime } = this.#tokens;
    const claims = claimsOf(access);
    return { subject: claims.sub, address, algorithm, claims, expiresAt, lifetime };
  }

  /** Takes a token response, with the key that its tokens are bound to. Resolves once a reload would find the session. */
  set(answer, key) {
    this.#keep({
      access: answer.access_token, refresh: answer.refresh_token, lifetime: answer.expires_in, at: Date.now(),
      key, skew: claimsOf(answer.access_token).iat * 1000 - Date.now(),
      expiresAt: Date.now() + answer.expires_in * 1000,
      address: answer.address ?? this.#tokens?.address, algorithm: answer.algorithm ?? this.#tokens?.algorithm,
    });
    this.#channel.postMessage({ tokens: this.#tokens });
    return this.#loaded;
  }

  /** Forgets the session in every tab, and returns its refresh token. */
  clear() {
    if (!this.#tokens) {
      return null;
    }
    const { refresh } = this.#tokens;
    const ended = idOf(this.#tokens);
    this.#end(ended);
    this.#channel.postMessage({ ended });
    return refresh;
  }

  /** Tokens of which the access token is valid. */
  async valid() {
    await (this.#tokens ? this.#loaded : this.ready);
    if (!this.#tokens) {
      throw new SessionEndedError("nobody is signed in");
    }
    return this.#tokens.expiresAt - Date.now() > renewBefore ? this.#tokens : this.renew();
  }

  /** Gets new tokens, unless another caller or tab has done so since `instead` was the current access token. */
  async renew(instead = this.#tokens?.access) {
    this.#renewing ??= locked(this.#name, () => this.#ask(1000), () => this.#renew(instead)).finally(() => (this.#renewing = null));
    return this.#renewing;
  }

  async #renew(instead) {
    await Promise.all([this.ready, this.#loaded]);
    const before = this.#tokens;
    if (!before) {
      throw new SessionEndedError("nobody is signed in");
    }
    if (before.access !== (instead ?? before.access)) {
      return before;
    }
    let answer;
    try {
      answer = await this.#exchange(before);
    } catch (error) {
      if (error.status === 401 || error.status === 403) {
        this.#tokens === before && this.clear();
        throw new SessionEndedError("the session has ended", { cause: error });
      }
      throw error;
    }
    if (this.#tokens !== before) { // logged out meanwhile, or signed in as somebody else
      throw new SessionEndedError("the session has ended");
    }
    void this.set(answer, before.key);
    return this.#tokens;
  }

  /** Gets the key of tokens that sessionStorage had. Without it they are worth nothing. */
  async #load(tokens) {
    const key = await keys.get(this.#name).catch(() => null);
    if (this.#tokens !== tokens) {
      return; // another tab had newer ones
    }
    if (key?.jkt === tokens.jkt) {
      this.#tokens.key = key;
    } else {
      this.#keep(null);
    }
  }

  #isNews(tokens) {
    return idOf(tokens) !== this.#ended && (!this.#tokens || tokens.at > this.#tokens.at);
  }

  #end(id) {
    this.#ended = id;
    if (this.#tokens && idOf(this.#tokens) === id) {
      this.#keep(null);
    }
  }

  #keep(tokens) {
    const before = this.#tokens;
    this.#tokens = tokens;
    this.#storage && this.#store(tokens, before);
    this.#changed();
  }

  /** Keeps tokens over a reload: in sessionStorage, and their key in IndexedDB. */
  #store(tokens, before) {
    if (tokens) {
      this.#storage.setItem(this.#name, JSON.stringify({ ...tokens, key: undefined, jkt: tokens.key?.jkt }));
    } else {
      this.#storage.removeItem(this.#name);
    }
    if (tokens?.key?.jkt !== before?.key?.jkt) {
      this.#loaded = (tokens?.key ? keys.put(this.#name, tokens.key) : keys.delete(this.#name)).catch(() => {}); // a reload signs in anew
    }
  }
}

/** The id of the session that tokens belong to. */
const idOf = (tokens) => claimsOf(tokens.access).sid;

/** Runs an action while no other tab does. Whoever had to wait catches up first. */
async function locked(name, catchUp, action) {
  if (!navigator.locks) {
    return action();
  }
  const busy = {};
  const result = await navigator.locks.request(name, { ifAvailable: true }, (lock) => (lock ? action() : busy));
  return result === busy ? navigator.locks.request(name, () => catchUp().then(action)) : result;
}

/** The claims of a JWT, unverified: the server verifies, a page only shows. */
function claimsOf(token) {
  const payload = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
  const bytes = Uint8Array.from(atob(payload), (char) => char.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}

/** Lowercase hex without 0x. */
const toHex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

const utf8 = (text) => new TextEncoder().encode(text);

/** An icon that may be shown: wallets announce data URIs. */
const iconOf = (icon) => (typeof icon === "string" ? icon : "");

/** Watches for wallets of both kinds. list is one array that changes in place. */
function watchWallets(changed) {
  const list = [];
  const ethereum = new Map(); // by EIP-6963 uuid
  const solana = new Map(); // by Wallet Standard wallet
  const legacy = {};

  const draw = () => {
    const found = [
      ...(ethereum.size > 0 ? ethereum.values() : legacyEthereum(legacy)),
      ...(solana.size > 0 ? solana.values() : legacySolana(legacy)),
    ];
    found.sort((a, b) => a.name.localeCompare(b.name) || a.chains[0].localeCompare(b.chains[0]));
    list.splice(0, list.length, ...found);
    changed();
  };

  window.addEventListener("eip6963:announceProvider", ({ detail }) => {
    const { info, provider } = detail ?? {};
    if (typeof info?.uuid === "string" && typeof provider?.request === "function" && !ethereum.has(info.uuid)) {
      ethereum.set(info.uuid, new EthereumWallet("ethereum:" + info.uuid, info.name, info.icon, provider));
      draw();
    }
  });
  window.addEventListener("ethereum#initialized", draw); // browsers of mobile wallets, which inject late

  const api = Object.freeze({
    register(...wallets) {
      const accepted = wallets.filter(SolanaWallet.accepts);
      accepted.forEach((wallet) => solana.set(wallet, new SolanaWallet(wallet)));
      draw();
      return () => {
        accepted.forEach((wallet) => solana.delete(wallet));
        draw();
      };
    },
  });
  window.addEventListener("wallet-standard:register-wallet", ({ detail }) => detail(api));

  const look = () => {
    window.dispatchEvent(new Event("eip6963:requestProvider"));
    window.dispatchEvent(new CustomEvent("wallet-standard:app-ready", { detail: api }));
    draw();
  };
  look();
  return { list, look };
}

/** A wallet behind an EIP-1193 provider. */
class EthereumWallet {
  chains = ["eip155"];
  #provider;

  constructor(id, name, icon, provider) {
    this.id = id;
    this.name = String(name);
    this.icon = iconOf(icon);
    this.#provider = provider;
  }

  async connect() {
    const [address] = await this.#provider.request({ method: "eth_requestAccounts" });
    const chain = await this.#provider.request({ method: "eth_chainId" });
    return { address, chainId: `eip155:${BigInt(chain)}` };
  }

  async sign(account, text) {
    const signature = await this.#provider.request({ method: "personal_sign", params: ["0x" + toHex(utf8(text)), account.address] });
    return { algorithm: "eip191", signature };
  }

  onAccountChange(callback) {
    this.#provider.on?.("accountsChanged", callback);
    return () => this.#provider.removeListener?.("accountsChanged", callback);
  }
}

function legacyEthereum(known) {
  const provider = window.ethereum;
  if (typeof provider?.request !== "function") {
    return [];
  }
  known.ethereum ??= new EthereumWallet("ethereum:window", provider.isMetaMask ? "MetaMask" : "Ethereum wallet", "", provider);
  return [known.ethereum];
}

const isSolana = (chain) => String(chain).startsWith("solana:");

/** The wallet's part of a sign-in request. signed_message is what the wallet signed: Ledger signs an envelope around the text. */
const solanaProof = (signature, signed) => ({ algorithm: "Ed25519", signature: toHex(signature), signed_message: toHex(signed) });

/** An envelope ends with its text. */
const endsWith = (bytes, end) => bytes.length >= end.length && end.every((byte, i) => byte === bytes[bytes.length - end.length + i]);

/** A wallet of the Wallet Standard. Its one-step signIn is preferred: hardware wallets can do no other. */
class SolanaWallet {
  #wallet;

  constructor(wallet) {
    this.#wallet = wallet;
    this.id = "solana:" + wallet.name;
    this.name = String(wallet.name);
    this.icon = iconOf(wallet.icon);
    this.chains = wallet.chains.filter(isSolana);
  }

  static accepts(wallet) {
    const features = wallet?.features ?? {};
    return wallet?.chains?.some(isSolana) && features["standard:connect"] && (features["solana:signIn"] || features["solana:signMessage"]);
  }

  async connect() {
    const { accounts } = await this.#wallet.features["standard:connect"].connect();
    const account = accounts.find((one) => one.chains.some(isSolana));
    return { address: account?.address, account };
  }

  /** With exact, what signIn makes of the text counts only if it is the text byte for byte; else the text itself is signed. */
  async sign({ account }, text, { exact = false } = {}) {
    const { "solana:signIn": signIn, "solana:signMessage": signMessage } = this.#wallet.features;
    if (signIn) {
      const [{ account: signer, signature, signedMessage }] = await signIn.signIn(signInInput(text));
      if (!exact || !signMessage || endsWith(signedMessage, utf8(text))) {
        return { ...solanaProof(signature, signedMessage), address: signer.address, message: undefined };
      }
    }
    const [{ signature, signedMessage }] = await signMessage.signMessage({ account, message: utf8(text) });
    return solanaProof(signature, signedMessage);
  }

  onAccountChange(callback) {
    const stop = this.#wallet.features["standard:events"]?.on("change", ({ accounts }) => accounts && callback());
    return stop ?? (() => {});
  }
}

/** The fields of the server's message, as the signIn feature takes them. */
export function signInInput(text) {
  const lines = text.split("\n");
  const [, domain] = lines[0].match(/^(.+) wants you to sign in with your Solana account:$/) ?? [];
  const input = { domain, address: lines[1] };
  const fields = lines.findIndex((line, i) => i > 2 && /^(URI|Version|Chain ID|Nonce): /.test(line));
  const statement = lines.slice(3, fields).join("\n").trim();
  if (statement) {
    input.statement = statement;
  }
  const names = {
    URI: "uri", Version: "version", "Chain ID": "chainId", Nonce: "nonce", "Issued At": "issuedAt",
    "Expiration Time": "expirationTime", "Not Before": "notBefore", "Request ID": "requestId",
  };
  for (const line of lines.slice(fields)) {
    const [, name, value] = line.match(/^([A-Z][A-Za-z ]+): (.*)$/) ?? [];
    if (names[name]) {
      input[names[name]] = value;
    }
  }
  const resources = lines.filter((line, i) => i > fields && line.startsWith("- ")).map((line) => line.slice(2));
  return resources.length > 0 ? { ...input, resources } : input;
}

/** A wallet that is only a global, as all were before the Wallet Standard. */
class LegacySolanaWallet {
  id = "solana:window";
  icon = "";
  chains = ["solana"];
  #provider;

  constructor(provider) {
    this.#provider = provider;
    this.name = provider.isPhantom ? "Phantom" : "Solana wallet";
  }

  async connect() {
    const reply = await this.#provider.connect();
    return { address: (reply?.publicKey ?? this.#provider.publicKey)?.toString() };
  }

  async sign(_account, text) {
    const message = utf8(text);
    const reply = await this.#provider.signMessage(message, "utf8");
    return solanaProof(reply.signature ?? reply, message);
  }

  onAccountChange(callback) {
    this.#provider.on?.("accountChanged", callback);
    return () => this.#provider.off?.("accountChanged", callback);
  }
}

function legacySolana(known) {
  const provider = window.phantom?.solana ?? window.solana;
  if (typeof provider?.signMessage !== "function") {
    return [];
  }
  known.solana ??= new LegacySolanaWallet(provider);
  return [known.solana];
}
