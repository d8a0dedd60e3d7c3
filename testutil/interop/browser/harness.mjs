// A browser, a page in it, and what tests do with the page of examples/webwallet.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { chromium } from "playwright-core";

import { base } from "../server.mjs";
import { addEthereum, addSolana } from "./wallets.mjs";

const executablePath = process.env.PICOAUTH_CHROMIUM ?? "/usr/bin/chromium";

let browser;

before(async () => {
  browser = await chromium.launch({
    executablePath,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
});

after(() => browser?.close());

/**
 * Runs a test in a fresh browser profile. Whatever the page reports as an error fails it: an exception, a violation of the
 * content security policy, a request to another server, a line on the console. A reply of 4xx is on the console too, and
 * is let pass where the test says so.
 */
export function pageTest(name, { at = base, refusals = false, wallets = async () => {}, ...options }, run) {
  test(name, { timeout: 120_000 }, async () => {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: "en-GB", ...options });
    const faults = [];
    try {
      const page = await context.newPage();
      page.setDefaultTimeout(20_000);
      await watch(page, new URL(at).origin, faults, refusals);
      const injected = await wallets(page);
      await page.goto(at);
      await run(page, injected);
      faults.push(...(await page.evaluate(() => window.testViolations)));
    } finally {
      await context.close();
    }
    assert.deepEqual(faults, []);
  });
}

function watch(page, origin, faults, refusals) {
  page.on("pageerror", (error) => faults.push(error.message));
  page.on("console", (line) => {
    const isRefusal = /the server responded with a status of 4\d\d|net::ERR_INTERNET_DISCONNECTED/.test(line.text());
    if (["error", "warning"].includes(line.type()) && !(refusals && isRefusal)) {
      faults.push(line.text());
    }
  });
  page.on("request", (request) => {
    if (!request.url().startsWith("data:") && new URL(request.url()).origin !== origin) {
      faults.push(`request to ${request.url()}`);
    }
  });
  return page.addInitScript(() => {
    window.testViolations = [];
    document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
      window.testViolations.push(`${violatedDirective}: ${blockedURI}`));
  });
}

/** A wallet of each chain. */
export const both = async (page) => ({ ethereum: await addEthereum(page), solana: await addSolana(page) });

export const button = (page, name) => page.getByRole("button", { name });
export const heading = (page, name) => page.getByRole("heading", { name });
export const problem = (page) => page.getByRole("alert");

/** Waits for what the page tells the person. */
export async function says(page, pattern) {
  await problem(page).filter({ hasText: pattern }).waitFor();
}

/** Goes as far as the message. */
export async function choose(page, wallet) {
  await button(page, wallet).click();
  await heading(page, "Read, then sign").waitFor();
}

export async function signIn(page, wallet) {
  await choose(page, wallet);
  await button(page, `Sign in with ${wallet}`).click();
  await heading(page, "You are signed in").waitFor();
}

export const logOut = async (page) => {
  await button(page, "Log out").click();
  await says(page, "You are signed out.");
};

/** The value beside a name in one of the page's lists. */
export const value = (page, list, name) =>
  page.locator(`#${list} div`).filter({ has: page.locator("dt", { hasText: new RegExp(`^${name}\\b`) }) }).locator("dd");

/** The tokens of the next reply from one of the server's endpoints. */
export const nextTokens = async (page, endpoint) => (await page.waitForResponse((reply) => reply.url().endsWith(endpoint) && reply.ok())).json();

/** What a resource answers to an access token. */
export const statusOfProfile = async (token) => (await fetch(base + "/api/profile", { headers: { Authorization: `Bearer ${token}` } })).status;
