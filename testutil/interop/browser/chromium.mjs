// The browser that is on this machine.

import { chromium } from "playwright-core";

/** Starts it headless, with further arguments. */
export const launch = (...args) =>
  chromium.launch({
    executablePath: process.env.PICOAUTH_CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
      "--disable-sync", ...args,
    ],
  });
