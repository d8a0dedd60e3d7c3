// The sign-in of the console and the account: a wallet signs the server's message, and the page sends the proof as a form, so
// that no token ever comes to this page.

import { createClient } from "../client.js";

const client = createClient({ dpop: false }); // the server, not this page, gets the tokens
const list = document.getElementById("list");
const status = document.getElementById("status");
let asked = 0; // how often a wallet was asked: what an earlier one answers is dropped

async function signIn(wallet) {
  const mine = ++asked;
  const tell = (text) => mine === asked && (status.textContent = text);
  try {
    tell(`Waiting for ${wallet.name}…`);
    const { account, challenge, message } = await client.prepare({ wallet });
    tell(`Read the message in ${wallet.name}, and sign it there.`);
    const signed = await wallet.sign(account, message);
    if (mine !== asked) {
      return;
    }
    tell("Signing in…");
    const form = document.getElementById("proof");
    form.elements.proof.value = JSON.stringify({ address: account.address, challenge, message, ...signed });
    form.submit();
  } catch (error) {
    tell(error.code === 4001 ? `You declined in ${wallet.name}.` : `This did not work: ${error.message ?? error}. Try again.`);
  }
}

function draw() {
  const wallets = client.wallets();
  document.getElementById("none").hidden = wallets.length > 0;
  const focused = [...list.children].indexOf(document.activeElement);
  list.replaceChildren(
    ...wallets.map((wallet) => {
      const button = Object.assign(document.createElement("button"), { type: "button", className: "wide plain", textContent: wallet.name });
      button.addEventListener("click", () => signIn(wallet));
      return button;
    }),
  );
  list.children[focused]?.focus();
}

document.getElementById("wallets").hidden = false;
client.onChange(draw);
draw();
