// The rest of the page: how a session ends, the keyboard, and how it looks.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";

import { v1 } from "../envelopes.mjs";
import { post } from "../server.mjs";
import { both, button, choose, heading, nextTokens, pageTest, says, signIn, statusOfProfile, value } from "./harness.mjs";
import { addEthereum, addSolana } from "./wallets.mjs";

const screenshots = process.env.PICOAUTH_SCREENSHOTS; // a folder, for those who want to look

pageTest("a session that was ended elsewhere", { wallets: both, refusals: true }, async (page) => {
  for (const action of ["Refresh", "Ask again"]) {
    const signingIn = nextTokens(page, "/sign-in");
    await signIn(page, "Ember");
    const { refresh_token } = await signingIn;
    await value(page, "profile", "subject").waitFor();
    assert.equal((await post("/logout", { refresh_token })).status, 204);
    await button(page, action).click();
    await says(page, "Your session has ended");
    await heading(page, "Sign in with your wallet").waitFor();
  }
});

pageTest("time passes: a message expires, and an access token is renewed", { wallets: both, refusals: true }, async (page) => {
  await page.clock.install();
  await choose(page, "Ember");
  const expired = await page.locator("#message").textContent();
  await page.clock.fastForward("05:01");
  await button(page, "Get a new message").click();
  await page.waitForFunction((old) => document.getElementById("message").textContent !== old, expired);
  await button(page, "Sign in with Ember").click();
  await value(page, "profile", "subject").waitFor();
  await page.clock.fastForward("15:01");
  await page.getByText("renewed with the next request").waitFor();
  await button(page, "Ask again").click();
  await value(page, "session", "Refreshed").filter({ hasText: "once" }).waitFor();
});

pageTest("nothing is left of a session on the disk", { wallets: both }, async (page) => {
  await signIn(page, "Ember");
  await value(page, "profile", "subject").waitFor();
  await page.reload();
  await heading(page, "Sign in with your wallet").waitFor();
  assert.deepEqual(await page.evaluate(() => [localStorage.length, sessionStorage.length, document.cookie]), [0, 0, ""]);
});

pageTest("tabs share a session, and one renews it at a time", { wallets: both }, async (page) => {
  await signIn(page, "Ember");
  await value(page, "profile", "subject").waitFor();
  const second = await page.context().newPage();
  await second.goto(page.url());
  await value(second, "profile", "subject").waitFor();
  const refreshes = [];
  let release;
  const held = new Promise((resolve) => (release = resolve));
  await page.context().route("**/refresh", async (route) => {
    refreshes.push(route.request().url());
    await held; // until the other tab waits for it
    await route.continue();
  });
  const renewing = [page, second].map((tab) => tab.evaluate(async () => {
    const { client } = await import("/client.js");
    return Promise.all([client.refresh(), client.refresh(), client.refresh()]);
  }));
  await page.waitForFunction(async () => (await navigator.locks.query()).pending.length > 0);
  release();
  const tokens = (await Promise.all(renewing)).flat();
  assert.equal(new Set(tokens).size, 1, "all callers get the same token");
  assert.equal(refreshes.length, 1, "one request for all callers of both tabs");
  await button(second, "Log out").click();
  await says(page, "You are signed out");
  await second.close();
});

pageTest("a Solana wallet that signs in one step only", { wallets: (page) => addSolana(page, { oneStep: true, envelope: (text, address) => v1(text, [address]) }) }, async (page, { address }) => {
  await signIn(page, "Cobalt");
  await value(page, "profile", "subject").filter({ hasText: address }).waitFor();
});

pageTest("the server is out of reach", { wallets: both, refusals: true }, async (page) => {
  await signIn(page, "Ember");
  await value(page, "profile", "subject").waitFor();
  await page.context().setOffline(true);
  await button(page, "Ask again").click();
  await says(page, "The server cannot be reached");
  await button(page, "Log out").click();
  await says(page, "your session there ends when its time is up");
});

pageTest("by keyboard alone", { wallets: both }, async (page) => {
  const press = async (name) => {
    for (let tabs = 0; !(await button(page, name).evaluate((one) => one === document.activeElement)); tabs++) {
      assert.ok(tabs < 20, `${name} cannot be reached with Tab`);
      await page.keyboard.press("Tab");
    }
    await page.keyboard.press("Enter");
  };
  await press("Cobalt");
  await button(page, "Sign in with Cobalt").waitFor();
  await press("Sign in with Cobalt");
  await value(page, "profile", "subject").waitFor();
  await press("Refresh");
  await value(page, "session", "Refreshed").filter({ hasText: "once" }).waitFor();
  await press("Log out");
  await says(page, "You are signed out.");
});

pageTest("names and icons of wallets are text and images, whatever is in them", {
  wallets: (page) => addEthereum(page, { name: "<img src=x onerror=alert(1)>", icon: "https://example.com/icon.png" }),
}, async (page) => {
  await page.getByText("<img src=x onerror=alert(1)>").waitFor();
  assert.equal(await page.locator("#wallets img").count(), 0);
});

for (const colorScheme of ["light", "dark"]) {
  pageTest(`fits windows of every width, ${colorScheme}`, { wallets: both, colorScheme }, async (page) => {
    if (screenshots) {
      mkdirSync(screenshots, { recursive: true });
    }
    const look = async (view) => {
      await page.mouse.move(0, 0);
      for (const [width, height] of [[1280, 800], [390, 844], [320, 640]]) {
        await page.setViewportSize({ width, height });
        const excess = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        assert.equal(excess, 0, `${view} is wider than ${width} pixels`);
        if (screenshots) {
          await page.screenshot({ path: `${screenshots}/${view}-${width}-${colorScheme}.png`, fullPage: true, animations: "disabled" });
        }
      }
    };
    await look("choose");
    await choose(page, "Ember");
    await look("confirm");
    await button(page, "Sign in with Ember").click();
    await value(page, "profile", "subject").waitFor();
    await look("account");
  });
}
