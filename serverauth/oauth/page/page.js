// The page of an authorization request: a wallet connects, the server makes the message for its account, the wallet signs exactly that.

import { createClient } from "../client.js";

const section = document.getElementById("wallets");
const list = document.getElementById("list");
const status = document.getElementById("status");
const { request, base } = section.dataset;
const client = createClient({ url: location.origin });
let turn = null; // the wallet that was asked last; what an earlier one answers is dropped

const say = (text) => (status.textContent = text);

async function post(path, body) {
  const reply = await fetch(base + path, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ request, ...body }),
    credentials: "same-origin", cache: "no-store", redirect: "error",
  });
  const answer = await reply.json().catch(() => ({}));
  if (!reply.ok) {
    const error = new Error([answer.detail ?? `status ${reply.status}`, answer.hint].filter(Boolean).join(": "));
    error.code = answer.code;
    throw error;
  }
  return answer;
}

async function message(account) {
  const body = { address: account.address };
  try {
    return await post("/authorize/challenge", { ...body, chain_id: account.chainId });
  } catch (error) {
    if (!account.chainId || error.code !== "chain_not_allowed") {
      throw error;
    }
    return post("/authorize/challenge", body); // of the server's own network
  }
}

async function signIn(wallet) {
  const mine = (turn = {});
  const isOver = () => mine !== turn;
  try {
    say(`Waiting for ${wallet.name}…`);
    const account = await wallet.connect();
    if (!account?.address) {
      throw new Error("the wallet is locked, or shared no account");
    }
    const challenge = await message(account);
    if (isOver()) {
      return;
    }
    say(`Read the message in ${wallet.name}, and sign it there.`);
    const proof = await wallet.sign(account, challenge.message, { exact: true });
    if (isOver()) {
      return;
    }
    say("Signing in…");
    follow(await post("/authorize/sign-in", { address: account.address, challenge: challenge.challenge, message: challenge.message, ...proof }));
  } catch (error) {
    if (!isOver()) {
      say(error.code === 4001 ? `You declined in ${wallet.name}.` : `This did not work: ${error.message ?? error}. Try again.`);
    }
  }
}

/** Goes on to the client: to a location, or by a form. */
function follow({ location: target, fields }) {
  if (!fields) {
    location.replace(target);
    return;
  }
  const form = document.createElement("form");
  form.method = "post";
  form.action = target;
  for (const [name, value] of Object.entries(fields)) {
    const input = document.createElement("input");
    Object.assign(input, { type: "hidden", name, value });
    form.append(input);
  }
  document.body.append(form);
  form.submit();
}

function draw() {
  const wallets = client.wallets();
  document.getElementById("none").hidden = wallets.length > 0;
  const focused = document.activeElement?.dataset?.wallet;
  list.replaceChildren(...wallets.map(drawWallet));
  [...list.children].find((button) => button.dataset.wallet === focused)?.focus();
}

function drawWallet(wallet) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "wide plain";
  button.dataset.wallet = wallet.id;
  if (wallet.icon?.startsWith("data:image/")) {
    button.append(Object.assign(new Image(20, 20), { alt: "", src: wallet.icon }), " ");
  }
  button.append(wallet.name);
  button.addEventListener("click", () => signIn(wallet));
  return button;
}

section.hidden = false;
client.onChange(draw);
draw();
