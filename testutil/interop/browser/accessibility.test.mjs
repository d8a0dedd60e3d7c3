// axe finds no fault in the pages, at the width of a small phone and of a desktop, in both colour schemes.

import assert from "node:assert/strict";

import { base } from "../server.mjs";
import { audit } from "./axe.mjs";
import { both, button, choose, pageTest, value } from "./harness.mjs";

for (const colorScheme of ["light", "dark"]) {
  pageTest(`the wallet page, ${colorScheme}`, { wallets: both, colorScheme }, async (page) => {
    await page.clock.install();
    await audit(page, "choose");
    await choose(page, "Ember");
    await audit(page, "confirm");
    await page.clock.fastForward("05:01");
    await button(page, "Get a new message").waitFor();
    await audit(page, "expired");
    await button(page, "Get a new message").click();
    await button(page, "Sign in with Ember").click();
    await value(page, "profile", "subject").waitFor();
    await audit(page, "account");
  });

  pageTest(`the HTTP interface, ${colorScheme}`, { at: base + "/api/v1/auth/docs", colorScheme }, async (page) => {
    await page.getByRole("heading", { level: 1 }).waitFor();
    await audit(page, "docs");
    const excess = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(excess, 0, "wider than 320 pixels");
  });
}
