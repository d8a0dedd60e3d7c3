// Signing in: choose a wallet, read the message, sign it.

import { findEthereumWallets } from "./ethereum.js";
import { askChallenge, Refusal, Session } from "./session.js";
import { findSolanaWallets } from "./solana.js";
import * as views from "./views.js";
import { explain, isRejection, NoAccount } from "./words.js";

const finders = [findEthereumWallets(drawWallets), findSolanaWallets(drawWallets)];

let signedIn; // called with the session
let connecting = null; // the wallet that was asked for an account
let asked = null; // {wallet, account, challenge, expiresAt, stopWatching}: the message that is on the screen
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
  if (asked !== null && error instanceof Refusal) {
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
  look();
  showChoice({ focus: false });
}

/** Shows the choice of wallets again after a session, with a word about why. */
export function welcome(text, options) {
  showChoice();
  views.alert(text, options);
}

function look() {
  finders.forEach((finder) => finder.look());
  drawWallets();
}

function drawWallets() {
  const wallets = finders.flatMap((finder) => finder.list());
  wallets.sort((a, b) => a.name.localeCompare(b.name) || a.chain.localeCompare(b.chain));
  views.drawWallets(wallets, connecting, connect);
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
    const account = await wallet.connect();
    if (!account.address) {
      throw new NoAccount();
    }
    const answer = await challengeFor(account);
    if (!isOver()) {
      present(wallet, account, answer);
    }
  });
}

/** Names the wallet's network where the site accepts it, and else takes the site's own. */
async function challengeFor({ address, chainId }) {
  const request = { address, domain: location.host };
  try {
    return { challenge: await askChallenge({ ...request, chain_id: chainId }), note: "" };
  } catch (error) {
    if (!chainId || error.code !== "chain_not_allowed") {
      throw error;
    }
  }
  const challenge = await askChallenge(request);
  const [, chain] = challenge.message.match(/^Chain ID: (\d+)$/m) ?? [];
  const note = `The wallet is on network ${chainId.split(":")[1]}, and this site signs in on network ${chain}. No transaction is made on either.`;
  return { challenge, note };
}

/** Shows a message. */
function present(wallet, account, { challenge, note }) {
  leave();
  asked = { wallet, account, challenge, expiresAt: Date.now() + challenge.ttl * 1000 };
  asked.stopWatching = wallet.onAccountChange(() => {
    showChoice();
    views.alert(`Another account was chosen in ${wallet.name}. Go on with the wallet to sign in as that.`, { calm: true });
  });
  views.drawConfirm(wallet, challenge.message, note);
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
    const answer = await challengeFor(mine.account);
    if (mine === asked) {
      present(mine.wallet, mine.account, answer);
    }
  } catch (error) {
    if (mine === asked) {
      showChoice();
      views.alert(explain(error, mine.wallet.name));
    }
  }
}

function sign() {
  const { wallet, account, challenge } = asked;
  signing = true;
  drawSigning();
  return take(wallet, async (isOver) => {
    const proof = await wallet.sign(account, challenge.message);
    if (isOver()) {
      return;
    }
    const { address } = account;
    const session = await Session.start({ address, challenge: challenge.challenge, message: challenge.message, ...proof });
    if (isOver()) {
      await session.end();
      return;
    }
    leave();
    signedIn(session);
  });
}
