// A browser, a page in it, and what tests do with the page of examples/webwallet.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { base } from "../server.mjs";
import { launch } from "./chromium.mjs";
import { addEthereum, addSolana } from "./wallets.mjs";

let browser;

before(async () => {
  browser = await launch();
});

after(() => browser?.close());

/**
 * Runs a test in a fresh browser profile. Whatever the page reports as an error fails it: an exception, a violation of the
 * content security policy, a request to another server, a line on the console. A reply of 4xx is on the console too, and
 * is let pass where the test says so, and so is a request to an origin of elsewhere.
 */
export function pageTest(name, { at = base, refusals = false, elsewhere = [], wallets = async () => {}, ...options }, run) {
  test(name, { timeout: 240_000 }, async () => {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: "en-GB", ...options });
    const faults = [];
    try {
      const page = await context.newPage();
      page.setDefaultTimeout(60_000);
      const isExpected = (origin) => origin === new URL(at).origin || elsewhere.includes(origin);
      await watch(page, isExpected, faults, refusals);
      const injected = await wallets(page);
      await page.goto(at);
      await run(page, injected);
      faults.push(...(await page.evaluate(() => window.testViolations ?? [])));
    } finally {
      await context.close();
    }
    assert.deepEqual(faults, []);
  });
}

function watch(page, isExpected, faults, refusals) {
  page.on("pageerror", (error) => faults.push(error.message));
  page.on("console", (line) => {
    const isRefusal = /the server responded with a status of 4\d\d|net::ERR_INTERNET_DISCONNECTED/.test(line.text());
    if (["error", "warning"].includes(line.type()) && !(refusals && isRefusal)) {
      faults.push(line.text());
    }
  });
  page.on("request", (request) => {
    if (!request.url().startsWith("data:") && !isExpected(new URL(request.url()).origin)) {
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

/** What a resource answers to a request with these headers. */
export const statusOfProfile = async (headers) => (await fetch(base + "/api/profile", { headers })).status;

/** The headers with which the page's client would ask for the profile now. They serve once where tokens are bound to a key. */
export const headersOf = (page) =>
  page.evaluate(async (url) => {
    const { client } = await import("/client.js");
    return client.headers(url);
  }, base + "/api/profile");
