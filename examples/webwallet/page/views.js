// What the page shows. Texts from wallets and servers go in as text, never as HTML.

const $ = (id) => document.getElementById(id);

const views = ["choose", "confirm", "account"];

/** Shows one view and puts the focus on its heading, so that a screen reader begins there. */
export function show(name, { focus = true } = {}) {
  for (const view of views) {
    $(view).hidden = view !== name;
  }
  document.title = `${{ choose: "Sign in", confirm: "Sign the message", account: "Signed in" }[name]} · picoauth`;
  if (focus) {
    $(`${name}-title`).focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }
}

/** Shows a problem, or none. calm is for what is no fault. */
export function alert(text = "", { calm = false } = {}) {
  $("alert").textContent = text;
  $("alert").classList.toggle("calm", calm);
  if (text) {
    $("alert").scrollIntoView({ block: "nearest" });
  }
}

let toastTimer;

/** Says briefly that something is done. */
export function say(text) {
  $("status").textContent = text;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => ($("status").textContent = ""), 4000);
}

/** 0x1234…abcd */
const short = (address) => `${address.slice(0, 6)}…${address.slice(-4)}`;

const minutes = (seconds) => `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;

/** The icon that a wallet announced, which may only be an inline image, or else its initial. */
function drawIcon(box, wallet) {
  const initial = () => box.replaceChildren([...String(wallet.name)][0]?.toUpperCase() ?? "?");
  if (typeof wallet.icon !== "string" || !wallet.icon.trim().startsWith("data:image/")) {
    initial();
    return;
  }
  const image = new Image();
  image.alt = "";
  image.addEventListener("error", initial);
  image.src = wallet.icon.trim();
  box.replaceChildren(image);
}

const chainOf = (wallet) => (wallet.chains[0].startsWith("eip155") ? "Ethereum" : "Solana");

/** Lists the wallets. busy is the one that has been asked to connect, if any. */
export function drawWallets(wallets, busy, choose) {
  const focused = document.activeElement?.dataset.wallet;
  $("wallets").replaceChildren(...wallets.map((wallet) => {
    const item = $("wallet").content.cloneNode(true);
    const button = item.querySelector("button");
    drawIcon(item.querySelector(".wallet-icon"), wallet);
    item.querySelector("strong").textContent = wallet.name;
    item.querySelector("small span").textContent = chainOf(wallet);
    item.querySelector("use").setAttribute("href", `#i-${chainOf(wallet).toLowerCase()}`);
    item.querySelector(".chain").classList.add(chainOf(wallet).toLowerCase());
    button.dataset.wallet = wallet.id;
    button.disabled = Boolean(busy);
    button.classList.toggle("chosen", wallet === busy);
    button.addEventListener("click", () => choose(wallet));
    return item;
  }));
  document.querySelector(`[data-wallet="${CSS.escape(focused ?? "")}"]`)?.focus();
  $("wallets").hidden = wallets.length === 0;
  $("no-wallet").hidden = wallets.length > 0;
  $("waiting").hidden = !busy;
  $("waiting-for").textContent = busy ? `Confirm in ${busy.name}` : "";
}

/** Shows the message of a challenge before it is signed. */
export function drawConfirm(wallet, message, note) {
  drawIcon($("confirm-icon"), wallet);
  $("confirm-wallet").textContent = `${wallet.name} · ${chainOf(wallet)}`;
  const [, address] = message.split("\n"); // with its checksum, which wallets leave out
  $("confirm-address").textContent = short(address);
  $("confirm-address").title = address;
  $("message").textContent = message;
  $("confirm-note").textContent = note;
  $("confirm-note").hidden = !note;
}

/** Shows how long a message can still be signed, and the button that does it. */
export function drawSigning({ wallet, secondsLeft, signing }) {
  const expired = secondsLeft <= 0;
  $("left").textContent = expired ? "expired" : `valid for ${minutes(secondsLeft)}`;
  $("message").classList.toggle("expired", expired);
  $("sign").textContent = signing ? `Confirm in ${wallet.name}` : expired ? "Get a new message" : `Sign in with ${wallet.name}`;
  $("sign").classList.toggle("busy", signing);
  $("sign").disabled = signing;
  $("stop-signing").hidden = !signing;
}

const glossary = {
  account: "account on its chain", algorithm: "how the wallet signed", aud: "audience", client_id: "client", exp: "expires",
  iat: "issued at", iss: "issuer", jti: "token id", nbf: "valid from", role: "what it may do", sid: "session", sub: "subject",
  wallet_address: "address", wallet_id: "key thumbprint",
};

function pair(name, value, gloss) {
  const row = document.createElement("div");
  const term = document.createElement("dt");
  const description = document.createElement("dd");
  term.textContent = name;
  if (gloss) {
    const code = document.createElement("code");
    const small = document.createElement("small");
    code.textContent = name;
    small.textContent = gloss;
    term.replaceChildren(code, " ", small);
  }
  description.textContent = value;
  row.append(term, description);
  return row;
}

const drawPairs = (list, pairs) => list.replaceChildren(...pairs.map((one) => pair(...one)));

const time = (seconds) => new Date(seconds * 1000).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });

function claimText(name, value) {
  if (["iat", "nbf", "exp"].includes(name)) {
    return time(value);
  }
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Shows whose session it is and what its access token says. */
export function drawAccount(claims, refreshes) {
  drawIdenticon($("identicon"), claims.sub);
  $("address").textContent = short(claims.sub);
  $("address").title = claims.sub;
  drawPairs($("claims"), Object.entries(claims).map(([name, value]) => [name, claimText(name, value), glossary[name] ?? "of this app"]));
  drawPairs($("session"), [["Session", claims.sid], ["Refreshed", refreshes === 0 ? "not yet" : refreshes === 1 ? "once" : `${refreshes} times`]]);
}

/** Shows the rest of the access token's life. */
export function drawLife(secondsLeft, total) {
  $("life").textContent = secondsLeft > 0 ? `${minutes(secondsLeft)} left` : "renewed with the next request";
  $("life-bar").max = total;
  $("life-bar").value = secondsLeft;
}

/** Shows the profile, or with null that it is on its way. */
export function drawProfile(profile) {
  $("profile-card").setAttribute("aria-busy", String(profile === null));
  $("reload").disabled = profile === null;
  if (profile !== null) {
    drawPairs($("profile"), Object.entries(profile).map(([name, value]) => [name.replaceAll("_", " "), value || "none"]));
  }
}

/** Draws a symmetrical pattern that is the same for the same text. */
function drawIdenticon(box, text) {
  let hash = 2166136261; // FNV-1a
  const next = (code) => (hash = Math.imul(hash ^ code, 16777619) >>> 0);
  [...text].forEach((char) => next(char.codePointAt(0)));
  const namespace = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(namespace, "svg");
  svg.setAttribute("viewBox", "0 0 5 5");
  svg.setAttribute("fill", `hsl(${hash % 360} 65% 55%)`);
  svg.setAttribute("shape-rendering", "crispEdges");
  for (let cell = 0; cell < 15; cell++) {
    if ((next(cell) >>> 8) % 2 === 0) {
      continue;
    }
    for (const x of new Set([cell % 3, 4 - (cell % 3)])) {
      const square = document.createElementNS(namespace, "rect");
      const place = { x, y: Math.floor(cell / 3), width: 1, height: 1 };
      Object.entries(place).forEach(([name, value]) => square.setAttribute(name, value));
      svg.append(square);
    }
  }
  box.replaceChildren(svg);
}
