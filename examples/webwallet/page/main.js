// The page has two halves: signing in, and being signed in.

import { openAccount } from "./account.js";
import { startSignIn, welcome } from "./signin.js";

document.getElementById("host").textContent = location.host;
startSignIn((session) => openAccount(session, welcome));
