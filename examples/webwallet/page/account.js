// Being signed in: who one is, what the token says, and how to keep it or end it.

import { SessionEndedError, UnreachableError } from "/api/v1/auth/client.js";

import { client } from "./client.js";
import * as views from "./views.js";
import { explain } from "./words.js";

let open = false;
let closed; // called with a text and its options when the session is over
let refreshes = 0;
let shown = ""; // the id of the access token on the screen

/** Shows the account of a new session. */
export function openAccount(callback) {
  open = true;
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
on("refresh", () => act(async () => {
  await client.refresh();
  views.say("The session is refreshed.");
}));
on("copy", async () => {
  const copied = await navigator.clipboard.writeText(client.session.subject).then(() => true, () => false);
  views.say(copied ? "The address is copied." : "The browser did not allow to copy.");
});
setInterval(() => open && client.session && views.drawLife(secondsLeft(), client.session.lifetime), 1000);

const secondsLeft = () => Math.max(0, Math.round((client.session.expiresAt - Date.now()) / 1000));

// Another tab may renew the session, or end it.
client.onChange(() => {
  if (open && client.session === null) {
    close("You are signed out.", { calm: true });
  } else if (open && client.session.claims.jti !== shown) {
    refreshes++;
    drawTokens();
  }
});

/** Runs an action with the session, and closes the account where that has ended. */
async function act(action) {
  views.alert();
  try {
    await action();
  } catch (error) {
    if (error instanceof SessionEndedError) {
      open ? close(explain(error), { calm: true }) : views.alert(explain(error), { calm: true });
      return;
    }
    if (open) {
      views.alert(explain(error));
    }
  }
}

function drawTokens() {
  shown = client.session.claims.jti;
  views.drawAccount(client.session.claims, refreshes);
  views.drawLife(secondsLeft(), client.session.lifetime);
}

function loadProfile() {
  views.drawProfile(null);
  return act(async () => {
    const reply = await client.fetch("/api/profile").catch((error) => {
      views.drawProfile({});
      throw error instanceof TypeError ? new UnreachableError("no reply", { cause: error }) : error;
    });
    views.drawProfile(reply.ok ? await reply.json() : {});
  });
}

async function logOut() {
  open = false;
  const ending = client.logout();
  close("You are signed out.", { calm: true });
  try {
    await ending;
  } catch (error) {
    const reason = error instanceof UnreachableError ? "the server cannot be reached" : "the server has a problem";
    views.alert(`You are signed out on this page, but ${reason}: your session there ends when its time is up.`);
  }
}

function close(text, options) {
  open = false;
  closed(text, options);
}
