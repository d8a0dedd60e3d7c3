// Signing in on the page of examples/webwallet in a real browser, with wallets that really sign.

import assert from "node:assert/strict";

import { legacy, v1 } from "../envelopes.mjs";
import { base, challengeFor, post } from "../server.mjs";
import { both, button, choose, headersOf, heading, logOut, nextTokens, pageTest, problem, says, signIn, statusOfProfile, value } from "./harness.mjs";
import { addEthereum, addSolana } from "./wallets.mjs";

const host = new URL(base).host;

/** The same server under names that are not among its allowed_domains. */
const otherHosts = ["127.0.0.1", "elsewhere.localhost"].map((name) => base.replace("localhost", name));

for (const [chain, wallet, algorithm] of [["Ethereum", "Ember", "eip191"], ["Solana", "Cobalt", "Ed25519"]]) {
  pageTest(`${chain}: sign in, profile, refresh, log out`, { wallets: both }, async (page, injected) => {
    const { address, signed } = injected[chain.toLowerCase()];
    await choose(page, wallet);
    const shown = await page.locator("#message").textContent();
    assert.ok(shown.startsWith(`${host} wants you to sign in with your ${chain} account:\n${address}\n`), shown);

    const signingIn = nextTokens(page, "/sign-in");
    await button(page, `Sign in with ${wallet}`).click();
    const { token_type } = await signingIn;
    assert.equal(token_type, "DPoP");
    await heading(page, "You are signed in").waitFor();
    assert.deepEqual(signed, [shown], "the wallet signs what the page showed");
    await value(page, "profile", "subject").filter({ hasText: address }).waitFor();
    assert.equal(await value(page, "profile", "role").textContent(), "wallet");
    assert.equal(await value(page, "profile", "signed in with").textContent(), algorithm);
    assert.equal(await value(page, "claims", "sub").textContent(), address);
    const id = await value(page, "claims", "jti").textContent();

    const ofFirst = await headersOf(page);
    const refreshing = nextTokens(page, "/refresh");
    await button(page, "Refresh").click();
    const second = await refreshing;
    await page.getByRole("status").filter({ hasText: "refreshed" }).waitFor();
    await value(page, "session", "Refreshed").filter({ hasText: "once" }).waitFor();
    assert.notEqual(await value(page, "claims", "jti").textContent(), id);
    const [used, ofSecond] = [await headersOf(page), await headersOf(page)];
    assert.equal(await statusOfProfile(used), 200);

    await logOut(page);
    await heading(page, "Sign in with your wallet").waitFor();
    assert.equal(await statusOfProfile(ofFirst), 401);
    assert.equal(await statusOfProfile(ofSecond), 401);
    assert.equal((await post("/refresh", { refresh_token: second.refresh_token })).status, 401);
  });
}

pageTest("wallets that are only globals", {
  wallets: async (page) => ({ ethereum: await addEthereum(page, { legacy: true }), solana: await addSolana(page, { legacy: true }) }),
}, async (page, { ethereum, solana }) => {
  for (const [wallet, { address }] of [["Ethereum wallet", ethereum], ["Solana wallet", solana]]) {
    await signIn(page, wallet);
    await value(page, "profile", "subject").filter({ hasText: address }).waitFor();
    await logOut(page);
  }
});

for (const [name, envelope] of [["legacy", (text) => legacy(text)], ["version 1", (text, address) => v1(text, [address])]]) {
  pageTest(`Solana wallet that signs an envelope, ${name}`, { wallets: (page) => addSolana(page, { envelope }) }, async (page, { address }) => {
    await signIn(page, "Cobalt");
    await value(page, "profile", "subject").filter({ hasText: address }).waitFor();
  });
}

pageTest("no wallet, until one comes late", {
  wallets: async (page) => {
    await page.addInitScript(() => (window.testLate = true));
    return addEthereum(page);
  },
}, async (page) => {
  await heading(page, "No wallet in this browser").waitFor();
  await page.evaluate(() => window.testEthereum.announce());
  await heading(page, "No wallet in this browser").waitFor({ state: "hidden" });
  await signIn(page, "Ember");
});

pageTest("the person declines, and then does not", { wallets: both }, async (page, wallets) => {
  for (const [wallet, { mode }] of [["Ember", wallets.ethereum], ["Cobalt", wallets.solana]]) {
    await mode("reject");
    await button(page, wallet).click();
    await says(page, `You declined in ${wallet}`);
    await mode("");
    await choose(page, wallet);
    await mode("reject");
    await button(page, `Sign in with ${wallet}`).click();
    await says(page, `You declined in ${wallet}`);
    await mode("");
    await button(page, `Sign in with ${wallet}`).click();
    await heading(page, "You are signed in").waitFor();
    assert.equal(await problem(page).textContent(), "");
    await logOut(page);
  }
});

pageTest("a wallet that is locked", { wallets: both }, async (page, { ethereum }) => {
  await ethereum.mode("locked");
  await button(page, "Ember").click();
  await says(page, "Ember gave no account");
});

pageTest("an answer that comes after the person went elsewhere is dropped", { wallets: both }, async (page, { ethereum }) => {
  await ethereum.mode("hang");
  await button(page, "Ember").click();
  await page.getByText("Confirm in Ember").waitFor();
  await button(page, "Cancel").click();
  await ethereum.mode("");
  await choose(page, "Cobalt");
  await page.evaluate(() => window.testEthereum.answer());
  await button(page, "Sign in with Cobalt").waitFor();

  await button(page, "Wallets").click();
  await choose(page, "Ember");
  await ethereum.mode("hang");
  await button(page, "Sign in with Ember").click();
  await button(page, "Cancel").click();
  await ethereum.mode("");
  await page.evaluate(() => window.testEthereum.answer());
  await button(page, "Sign in with Ember").waitFor();
  assert.equal(await heading(page, "You are signed in").isVisible(), false);
});

pageTest("another account is chosen before the message is signed", { wallets: both }, async (page) => {
  await choose(page, "Ember");
  await page.evaluate(() => window.testEthereum.switchAccount());
  await says(page, "Another account was chosen in Ember");
  await heading(page, "Sign in with your wallet").waitFor();
});

pageTest("a signature of another account is refused, and a new message takes the place", { wallets: both, refusals: true }, async (page, { ethereum }) => {
  await choose(page, "Ember");
  const used = await page.locator("#message").textContent();
  await ethereum.mode("wrong account");
  await button(page, "Sign in with Ember").click();
  await says(page, "The signature does not fit this address");
  await page.waitForFunction((old) => document.getElementById("message").textContent !== old, used);
  await ethereum.mode("");
  await button(page, "Sign in with Ember").click();
  await heading(page, "You are signed in").waitFor();
});

pageTest("a network that the site does not accept", { wallets: (page) => addEthereum(page, { chainId: 137 }), refusals: true }, async (page, { address }) => {
  await choose(page, "Ember");
  await page.getByText("The wallet is on network 137, and this site signs in on network 1.").waitFor();
  await button(page, "Sign in with Ember").click();
  await value(page, "profile", "account").filter({ hasText: `eip155:1:${address}` }).waitFor();
});

for (const at of otherHosts) {
  pageTest(`refused on a wrong domain: ${at}`, { wallets: both, refusals: true, at }, async (page, { ethereum, solana }) => {
    for (const wallet of ["Ember", "Cobalt"]) {
      await button(page, wallet).click();
      await says(page, `This server signs nobody in at ${new URL(at).host}`);
    }
    assert.deepEqual([...ethereum.signed, ...solana.signed], [], "nothing was signed");
    assert.equal(await signElsewhere(page, ethereum.address), "domain_mismatch");
  });
}

/**
 * What a page of a wrong domain gets for a message in its own name, with a true signature and a nonce that came from elsewhere:
 * it cannot ask for one itself.
 */
async function signElsewhere(page, address) {
  const { challenge, message } = await challengeFor(address);
  return page.evaluate(async ({ account, challenge, message }) => {
    const send = async (path, body) => {
      const headers = { "Content-Type": "application/json" };
      return (await fetch("/api/v1/auth" + path, { method: "POST", headers, body: JSON.stringify(body) })).json();
    };
    const own = await send("/challenge", { address: account });
    if (own.code !== "domain_not_allowed") {
      return `it was given a message: ${JSON.stringify(own)}`;
    }
    const [, ...rest] = message.split("\n");
    const mine = [`${location.host} wants you to sign in with your Ethereum account:`, ...rest].join("\n");
    const hex = "0x" + Array.from(new TextEncoder().encode(mine), (byte) => byte.toString(16).padStart(2, "0")).join("");
    const signature = await window.testEthereum.request({ method: "personal_sign", params: [hex, account] });
    return (await send("/sign-in", { algorithm: "eip191", address: account, challenge, message: mine, signature })).code;
  }, { account: address, challenge, message });
}
