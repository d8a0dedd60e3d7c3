// The console and the account in a browser: what they show, that axe finds no fault in either colour scheme at the width of a
// desktop and of a small phone, and that a keyboard is enough.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";

import { button, heading, pageTest } from "../browser/harness.mjs";
import { addEthereum } from "../browser/wallets.mjs";
import { base } from "../server.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const screenshots = process.env.PICOAUTH_SCREENSHOTS; // a folder, for those who want to look
const [email, password] = [process.env.PICOAUTH_EMAIL, process.env.PICOAUTH_PASSWORD];
const account = base + "/api/v1/auth/account";
const console_ = base + "/api/v1/auth/console";

/** Every fault of what is on the screen, at both widths, and a picture of each. */
async function audit(page, view, colorScheme) {
  for (const width of [1280, 320]) {
    await page.setViewportSize({ width, height: 800 });
    await page.evaluate(`${axe}; undefined`);
    const { violations } = await page.evaluate(() => window.axe.run({ resultTypes: ["violations"] }));
    const faults = violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.target} ${node.failureSummary}`));
    assert.deepEqual(faults, [], `${view} at ${width}`);
    const excess = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(excess, 0, `${view} is wider than ${width} pixels`);
    if (screenshots) {
      mkdirSync(screenshots, { recursive: true });
      await page.screenshot({ path: `${screenshots}/${view}-${colorScheme}-${width}.png`, fullPage: true });
    }
  }
  await page.setViewportSize({ width: 1280, height: 800 });
}

async function signIn(page) {
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password").fill(password);
  await button(page, "Sign in").click();
}

const place = (page, name) => page.getByRole("navigation").getByRole("link", { name });

for (const colorScheme of ["light", "dark"]) {
  pageTest(`an operator's pages, ${colorScheme}`, { at: console_, colorScheme, refusals: true, wallets: (page) => addEthereum(page) }, async (page) => {
    await button(page, "Ember").waitFor();
    await audit(page, "sign-in", colorScheme);
    await page.getByLabel("E-mail").fill(email);
    await page.getByLabel("Password").fill("wrong");
    await button(page, "Sign in").click();
    await page.getByRole("alert").filter({ hasText: "invalid credentials" }).waitFor();
    await signIn(page);
    await heading(page, "Overview").waitFor();
    await page.getByText("sign-ins").waitFor();
    await audit(page, "overview", colorScheme);
    await place(page, "Sessions").click();
    await page.getByLabel("Subject").fill(email);
    await button(page, "Find").click();
    await button(page, "End everything of this subject").waitFor();
    await audit(page, "sessions", colorScheme);
    await place(page, "Keys").click();
    await button(page, "Rotate now").click();
    await page.getByRole("status").filter({ hasText: "The next key signs" }).waitFor();
    await audit(page, "keys", colorScheme);
    await place(page, "Clients").click();
    await heading(page, "Clients").waitFor();
    await audit(page, "clients", colorScheme);
    await place(page, "My account").click();
    await heading(page, "My sessions").waitFor();
    await audit(page, "account", colorScheme);
    await button(page, "Sign out").click();
    await heading(page, "Sign in").waitFor();
    await page.goBack();
    await page.reload();
    await heading(page, "Sign in").waitFor();
  });
}

pageTest("a wallet signs in, sees its session and ends it", { at: account, wallets: (page) => addEthereum(page) }, async (page, wallet) => {
  await button(page, "Ember").click();
  await heading(page, "My account").waitFor();
  await page.getByText(`You are signed in as ${wallet.address}`, { exact: false }).waitFor();
  assert.equal(wallet.signed.length, 1);
  assert.equal(await place(page, "Keys").count(), 0, "no operator");
  await heading(page, "My wallets").waitFor();
  await audit(page, "account-of-a-wallet", "light");
  const cookies = await page.context().cookies();
  assert.ok(cookies.every((cookie) => cookie.httpOnly && cookie.sameSite === "Lax"), "no script reads a cookie");
  assert.deepEqual(await page.evaluate(() => [localStorage.length, sessionStorage.length, document.cookie]), [0, 0, ""]);
  await page.getByRole("button", { name: /^End the session/ }).click();
  await heading(page, "Sign in").waitFor();
});

pageTest("a wallet that declines, and one that is asked again", { at: account, wallets: (page) => addEthereum(page) }, async (page, wallet) => {
  await wallet.mode("reject");
  await button(page, "Ember").click();
  await page.getByRole("status").filter({ hasText: "You declined in Ember." }).waitFor();
  await wallet.mode("");
  await button(page, "Ember").click();
  await heading(page, "My account").waitFor();
});

pageTest("a keyboard is enough", { at: console_ }, async (page) => {
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the content");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  await page.keyboard.type(email);
  await page.keyboard.press("Tab");
  await page.keyboard.type(password);
  await page.keyboard.press("Enter");
  await heading(page, "Overview").waitFor();
  const reached = [];
  for (let i = 0; i < 7; i++) {
    await page.keyboard.press("Tab");
    reached.push(await page.evaluate(() => document.activeElement.textContent.trim()));
  }
  assert.deepEqual(reached, ["Skip to the content", "My account", "Overview", "Sessions", "Keys", "Clients", "Sign out"]);
});
