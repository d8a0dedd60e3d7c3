// The pages of the client's README: each signs in with its kit, and gets tokens of the account that signed.

import assert from "node:assert/strict";

import { addEthereum, addSolana } from "../browser/wallets.mjs";
import { v1 } from "../envelopes.mjs";
import { base } from "../server.mjs";
import { pageTest, site } from "./harness.mjs";

/** The claims of the next sign-in's access token. Refusals may come before. */
async function nextSignIn(page, { refusals = 0 } = {}) {
  let left = refusals;
  const reply = await page.waitForResponse((one) => one.url() === base + "/api/v1/auth/sign-in" && one.request().method() === "POST" && left-- === 0);
  const body = await reply.json();
  assert.equal(reply.status(), 200, JSON.stringify(body));
  return JSON.parse(Buffer.from(body.access_token.split(".")[1], "base64url"));
}

/** Opens a client beside the page's own, which shares its session, and returns what a resource answers to it. */
const profileOf = (page) =>
  page.evaluate(async (url) => {
    const { createClient } = await import(url + "/api/v1/auth/client.js");
    const client = createClient({ url });
    await client.ready;
    const { subject } = await (await client.fetch(url + "/api/profile")).json();
    window.test = { client, later: await client.headers(url + "/api/profile") };
    return subject;
  }, base);

/** Nobody is signed in any more, and headers that were good until then are refused. */
async function signedOut(page) {
  await page.waitForFunction(() => window.test.client.session === null);
  const headers = await page.evaluate(() => window.test.later);
  assert.equal((await fetch(base + "/api/profile", { headers })).status, 401);
}

const host = new URL(site).host;
const asked = (text, chain, address) => assert.ok(text.startsWith(`${host} wants you to sign in with your ${chain} account:\n${address}\n`), text);

pageTest("client.js from the server, in a page without a build step", { at: `${site}/module.html`, wallets: addEthereum }, async (page, { address, signed }) => {
  const profile = page.waitForResponse((reply) => reply.url().endsWith("/api/profile") && reply.request().method() === "GET");
  assert.equal((await nextSignIn(page)).sub, address);
  assert.equal((await (await profile).json()).subject, address);
  asked(signed[0], "Ethereum", address);
});

pageTest("fetch and viem", { at: `${site}/page-fetch-and-viem`, wallets: (page) => addEthereum(page, { legacy: true }) }, async (page, { address, signed }) => {
  const profile = page.waitForResponse((reply) => reply.url().endsWith("/api/profile") && reply.request().method() === "GET");
  assert.equal((await nextSignIn(page)).sub, address);
  assert.equal((await (await profile).json()).subject, address);
  asked(signed[0], "Ethereum", address);
});

for (const version of ["", "-3"]) {
  pageTest("wagmi" + version, { at: `${site}/page-wagmi${version}`, wallets: addEthereum }, async (page, { address, signed }) => {
    const signingIn = nextSignIn(page);
    await page.getByRole("button", { name: "Sign in" }).click();
    assert.equal((await signingIn).sub, address);
    await page.getByText(address).waitFor();
    assert.equal(await profileOf(page), address);
    asked(signed[0], "Ethereum", address);
  });
}

pageTest("viem", { at: `${site}/viem`, wallets: (page) => addEthereum(page, { legacy: true }) }, async (page, { address }) => {
  await page.getByText(address).waitFor();
});

pageTest("RainbowKit", { at: `${site}/page-rainbowkit`, wallets: addEthereum }, async (page, { address, signed, mode }) => {
  await page.getByRole("button", { name: "Connect Wallet" }).click();
  await page.getByRole("button", { name: "Ember" }).click();
  await mode("wrong account");
  const sign = page.getByRole("button", { name: "Sign message" });
  await sign.click();
  await page.getByText("Error verifying signature").waitFor();
  await mode("");
  const signingIn = nextSignIn(page);
  await sign.click();
  assert.equal((await signingIn).sub, address);
  assert.equal(await profileOf(page), address);
  asked(signed[1], "Ethereum", address);
  assert.notEqual(signed[0], signed[1], "each try has a nonce of its own");

  const name = new RegExp(address.slice(-4), "i");
  await page.getByRole("button", { name }).click();
  const loggingOut = page.waitForResponse((reply) => reply.url().endsWith("/logout"));
  await page.getByRole("button", { name: "Disconnect" }).click();
  assert.equal((await loggingOut).status(), 204);
  await signedOut(page);
});

for (const [chain, wallet] of [["Ethereum", "Ember"], ["Solana", "Cobalt"]]) {
  const wallets = chain === "Ethereum" ? addEthereum : addSolana;
  pageTest(`AppKit, ${chain}`, { at: `${site}/page-appkit`, wallets }, async (page, { address, signed }) => {
    await page.locator("#sign-in").click();
    await page.getByText(wallet).click();
    const signingIn = nextSignIn(page);
    await page.getByRole("button", { name: "Sign", exact: true }).click();
    assert.equal((await signingIn).sub, address);
    assert.equal(await profileOf(page), address);
    asked(signed[0], chain, address);
    assert.match(signed[0], /\n\nSign in to the shop\.\n\nURI: /);

    await page.locator("#sign-in").click();
    const loggingOut = page.waitForResponse((reply) => reply.url().endsWith("/logout"));
    await page.getByText("Disconnect").click();
    assert.equal((await loggingOut).status(), 204);
    await signedOut(page);
  });
}

const envelope = (text, address) => v1(text, [address]);
for (const [name, wallets] of [
  ["signIn", (page) => addSolana(page, { oneStep: true })],
  ["signIn of a Ledger", (page) => addSolana(page, { oneStep: true, envelope })],
  ["signMessage", addSolana],
]) {
  pageTest(`wallet-adapter, ${name}`, { at: `${site}/page-wallet-adapter`, wallets }, async (page, { address, signed }) => {
    await page.getByRole("button", { name: "Cobalt" }).click();
    const signingIn = nextSignIn(page);
    await page.locator("#root").getByRole("button", { name: "Sign in" }).click();
    assert.equal((await signingIn).sub, address);
    await page.getByText(address).waitFor();
    assert.equal(await profileOf(page), address);
    asked(signed[0], "Solana", address);
  });
}

pageTest("wallet-adapter, signMessage of a Ledger is refused with what to do", {
  at: `${site}/page-wallet-adapter`, wallets: (page) => addSolana(page, { envelope }),
}, async (page) => {
  await page.getByRole("button", { name: "Cobalt" }).click();
  await page.locator("#root").getByRole("button", { name: "Sign in" }).click();
  await page.getByText(/use its signIn, and send the bytes that it signed as signed_message/).waitFor();
});

pageTest("AppKit, one message a chain and one nonce for all", {
  at: `${site}/one-click`, wallets: (page) => addEthereum(page, { legacy: true }),
}, async (page, { address }) => {
  assert.equal((await nextSignIn(page, { refusals: 1 })).account, `eip155:1:${address}`);
  await page.getByText("1,0,0;0").waitFor();
});

pageTest("a page that may read the server's replies, and is none of its sites", { at: `${site}/other-site` }, async (page) => {
  await page.getByText("400 domain_not_allowed,400 domain_not_allowed").waitFor();
});

pageTest("a site of the server's, which may not read its replies", { at: `${site.replace("localhost", "127.0.0.1")}/other-site` }, async (page) => {
  await page.getByText("no reply,no reply").waitFor();
});
