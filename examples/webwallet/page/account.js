// Being signed in: who one is, what the token says, and how to keep it or end it.

import { SessionEnded, Unreachable } from "./session.js";
import * as views from "./views.js";
import { explain } from "./words.js";

let session = null;
let closed; // called with a text and its options when the session is over
let refreshes = 0;
let shown = ""; // the id of the access token on the screen

/** Shows the account of a new session. */
export function openAccount(opened, callback) {
  session = opened;
  closed = callback;
  refreshes = 0;
  drawTokens();
  views.drawProfile({}); // nothing of whoever was here before
  views.show("account");
  return loadProfile();
}

const on = (id, action) => document.getElementById(id).addEventListener("click", action);

on("reload", () => loadProfile());
on("log-out", () => logOut());
on("refresh", () => act(async (current) => {
  await current.refresh();
  views.say("The session is refreshed.");
}));
on("copy", async () => {
  const copied = await navigator.clipboard.writeText(session.claims.sub).then(() => true, () => false);
  views.say(copied ? "The address is copied." : "The browser did not allow to copy.");
});
setInterval(() => session && views.drawLife(session.secondsLeft, session.lifetime), 1000);

// The tokens go with the page, and so does what they are for. A page that is only put aside keeps both.
window.addEventListener("pagehide", ({ persisted }) => {
  if (session && !persisted) {
    session.end().catch(() => {});
  }
});

/** Runs an action with the session, and closes the account where that has ended. */
async function act(action) {
  const current = session;
  views.alert();
  try {
    await action(current);
  } catch (error) {
    if (session !== current) {
      return;
    }
    if (error instanceof SessionEnded) {
      close(explain(error), { calm: true });
      return;
    }
    views.alert(explain(error));
  }
  if (session === current && session.claims.jti !== shown) {
    refreshes++;
    drawTokens();
  }
}

function drawTokens() {
  shown = session.claims.jti;
  views.drawAccount(session.claims, refreshes);
  views.drawLife(session.secondsLeft, session.lifetime);
}

function loadProfile() {
  views.drawProfile(null);
  return act(async (current) => {
    const profile = await current.get("/api/profile").catch((error) => {
      views.drawProfile({});
      throw error;
    });
    views.drawProfile(profile);
  });
}

async function logOut() {
  const ending = session.end();
  close("You are signed out.", { calm: true });
  try {
    await ending;
  } catch (error) {
    const reason = error instanceof Unreachable ? "the server cannot be reached" : "the server has a problem";
    views.alert(`You are signed out on this page, but ${reason}: your session there ends when its time is up.`);
  }
}

function close(text, options) {
  session = null;
  closed(text, options);
}
