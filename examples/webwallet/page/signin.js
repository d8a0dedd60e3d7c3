// Signing in: choose a wallet, read the message, sign it.

import { AuthError } from "/api/v1/auth/client.js";

import { client } from "./client.js";
import * as views from "./views.js";
import { explain, isRejection } from "./words.js";

let signedIn; // called when somebody is
let connecting = null; // the wallet that was asked for an account
let asked = null; // {prepared, wallet, expiresAt, stopWatching}: the message that is on the screen
let signing = false;

// Wallets answer when the person does, or never, and cannot be called back. So each thing that a person begins is a turn,
// and an answer to an earlier turn is dropped.
let turn = null;

async function take(wallet, action) {
  const mine = (turn = {});
  const isOver = () => mine !== turn;
  views.alert();
  try {
    await action(isOver);
  } catch (error) {
    if (!isOver()) {
      await failed(error, wallet);
    }
  }
}

/** Says what went wrong, and stands where the person can try again. */
async function failed(error, wallet) {
  if (asked === null) {
    showChoice();
  } else {
    signing = false;
    drawSigning();
  }
  views.alert(explain(error, wallet.name), { calm: isRejection(error) });
  if (asked !== null && error instanceof AuthError) {
    await renew(); // a message is used up by the first try
  }
}

/** Finds the wallets and shows them. */
export function startSignIn(callback) {
  signedIn = callback;
  const on = (id, action) => document.getElementById(id).addEventListener("click", action);
  const back = () => {
    views.alert();
    showChoice();
  };
  on("stop-waiting", back);
  on("back", back);
  on("look-again", look);
  on("sign", () => {
    views.alert();
    return isExpired() ? renew() : sign();
  });
  on("stop-signing", () => {
    turn = null;
    signing = false;
    drawSigning();
    document.getElementById("sign").focus();
  });
  setInterval(() => asked && drawSigning(), 1000);
  client.onChange(drawWallets);
  showChoice({ focus: false });
}

/** Shows the choice of wallets again after a session, with a word about why. */
export function welcome(text, options) {
  showChoice();
  views.alert(text, options);
}

function look() {
  client.lookForWallets();
}

function drawWallets() {
  views.drawWallets(client.wallets(), connecting, connect);
}

function showChoice(options) {
  leave();
  drawWallets();
  views.show("choose", options);
}

function leave() {
  asked?.stopWatching();
  turn = connecting = asked = null;
  signing = false;
}

function connect(wallet) {
  connecting = wallet;
  drawWallets();
  return take(wallet, async (isOver) => {
    const prepared = await client.prepare({ wallet });
    if (!isOver()) {
      present(prepared);
    }
  });
}

/** Says so where the message is for another network than the wallet is on. */
function networkNote({ account, message }) {
  const [, wanted] = message.match(/^Chain ID: (\d+)$/m) ?? [];
  const on = account.chainId?.split(":")[1];
  if (!on || on === wanted) {
    return "";
  }
  return `The wallet is on network ${on}, and this site signs in on network ${wanted}. No transaction is made on either.`;
}

/** Shows a message. */
function present(prepared) {
  const { wallet } = prepared;
  leave();
  asked = { prepared, wallet, expiresAt: Date.now() + prepared.ttl * 1000 };
  asked.stopWatching = wallet.onAccountChange(() => {
    showChoice();
    views.alert(`Another account was chosen in ${wallet.name}. Go on with the wallet to sign in as that.`, { calm: true });
  });
  views.drawConfirm(wallet, prepared.message, networkNote(prepared));
  drawSigning();
  views.show("confirm");
}

const secondsLeft = () => Math.round((asked.expiresAt - Date.now()) / 1000);

const isExpired = () => secondsLeft() <= 0;

function drawSigning() {
  views.drawSigning({ wallet: asked.wallet, signing, secondsLeft: secondsLeft() });
}

/** Gets another message in place of one that is used up. */
async function renew() {
  const mine = asked;
  try {
    const prepared = await client.prepare({ wallet: mine.wallet });
    if (mine === asked) {
      present(prepared);
    }
  } catch (error) {
    if (mine === asked) {
      showChoice();
      views.alert(explain(error, mine.wallet.name));
    }
  }
}

function sign() {
  const { wallet, prepared } = asked;
  signing = true;
  drawSigning();
  return take(wallet, async (isOver) => {
    if (await client.finish(prepared, { isCancelled: isOver })) {
      leave();
      signedIn();
    }
  });
}
