// The page has two halves: signing in, and being signed in.

import { openAccount } from "./account.js";
import { client } from "./client.js";
import { startSignIn, welcome } from "./signin.js";

document.getElementById("host").textContent = location.host;
const openOwn = () => openAccount(welcome);
startSignIn(openOwn);
await client.ready;
if (client.session) { // of another tab
  openOwn();
}
