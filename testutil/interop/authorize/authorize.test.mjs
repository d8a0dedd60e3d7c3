// The page of /authorize in a browser with wallets that really sign.

import assert from "node:assert/strict";
import { after } from "node:test";

import { audit } from "../browser/axe.mjs";
import { both, button, heading, pageTest } from "../browser/harness.mjs";
import { addEthereum, addSolana } from "../browser/wallets.mjs";
import { claimsOf, exchange, newRequest, oauth, startProgram } from "./program.mjs";

const program = await startProgram();
after(() => program.stop());

const elsewhere = [program.origin];
const says = (page, pattern) => page.getByRole("status").filter({ hasText: pattern }).waitFor();
const done = (page) => heading(page, "Back at the program").waitFor();
const statement = "Sign in to The tool (this device), which may: read your profile, read your groups.";

/** Opens a request, has a wallet sign, and returns the tokens. */
async function signIn(page, wallet, more) {
  const { url, verifier } = newRequest(program, more);
  await page.goto(url);
  await button(page, wallet).click();
  await done(page);
  return exchange(program, await program.next(), verifier);
}

const start = newRequest(program).url;

pageTest("an Ethereum wallet signs what is allowed", { at: start, wallets: both, elsewhere }, async (page, { ethereum }) => {
  await heading(page, "Sign in to this device").waitFor();
  const tokens = await signIn(page, "Ember");
  assert.equal(claimsOf(tokens.id_token).sub, ethereum.address);
  assert.equal(claimsOf(tokens.access_token).client_id, "tool");
  const [text] = ethereum.signed;
  assert.equal(text.split("\n")[3], statement);
  assert.match(text, /^Request ID: [\w-]{43}$/m);

  const cookie = (await page.context().cookies()).find(({ name }) => name === "picoauth");
  assert.deepEqual([cookie.httpOnly, cookie.sameSite, cookie.path, cookie.domain], [true, "Lax", "/", "localhost"]);
  assert.equal(await page.evaluate(() => document.cookie), "");
});

pageTest("a browser that is known asks by a button, as any program of this device can take the client's name", { at: start, wallets: both, elsewhere }, async (page, { ethereum }) => {
  await signIn(page, "Ember");
  const known = newRequest(program);
  await page.goto(known.url);
  await button(page, "Allow").click();
  await done(page);
  await exchange(program, await program.next(), known.verifier);

  const more = newRequest(program, { scope: "openid profile groups email" });
  await page.goto(more.url);
  await page.getByText(ethereum.address).waitFor();
  await button(page, "Allow").click();
  await done(page);
  const tokens = await exchange(program, await program.next(), more.verifier);
  assert.equal(tokens.scope, "openid profile groups email");
  assert.equal(ethereum.signed.length, 1, "a button, no signature");

  await page.goto(newRequest(program, { scope: "openid wallet" }).url);
  await page.getByRole("link", { name: "Sign in as somebody else" }).click();
  await button(page, "Ember").waitFor();
});

pageTest("a Solana wallet", { at: start, wallets: both, elsewhere }, async (page, { solana }) => {
  const tokens = await signIn(page, "Cobalt");
  assert.equal(claimsOf(tokens.id_token).sub, solana.address);
  assert.ok(solana.signed[0].includes(statement));
});

pageTest("a Solana wallet that signs in in one step", { at: start, wallets: (page) => addSolana(page, { oneStep: true }), elsewhere }, async (page, solana) => {
  const tokens = await signIn(page, "Cobalt", { scope: "openid profile groups tools", resource: "https://mcp.example.com/mcp" });
  assert.equal(claimsOf(tokens.access_token).aud, "https://mcp.example.com/mcp");
  assert.ok(solana.signed[0].endsWith("\nResources:\n- https://mcp.example.com/mcp"));
});

pageTest("a wallet that leaves out a field signs the text as it stands", { at: start, wallets: (page) => addSolana(page, { alters: true }), elsewhere }, async (page, solana) => {
  await signIn(page, "Cobalt");
  assert.equal(solana.signed.length, 2);
  assert.ok(!solana.signed[0].includes("Request ID"));
  assert.match(solana.signed[1], /^Request ID: /m);
});

pageTest("a person who declines can try again", { at: start, wallets: both, elsewhere }, async (page, { ethereum }) => {
  await ethereum.mode("reject");
  await button(page, "Ember").click();
  await says(page, "You declined in Ember.");
  await ethereum.mode("");
  await button(page, "Ember").click();
  await done(page);
  await program.next();
});

pageTest("a signature of another account is refused", { at: start, wallets: both, elsewhere, refusals: true }, async (page, { ethereum }) => {
  await ethereum.mode("wrong account");
  await button(page, "Ember").click();
  await says(page, /This did not work/);
  assert.ok(page.url().startsWith(oauth));
});

pageTest("by keyboard alone", { at: start, wallets: (page) => addEthereum(page), elsewhere }, async (page) => {
  await button(page, "Ember").waitFor();
  for (let presses = 0; presses < 5 && !(await button(page, "Ember").evaluate((own) => own === document.activeElement)); presses++) {
    await page.keyboard.press("Tab");
  }
  await page.keyboard.press("Enter");
  await done(page);
  await program.next();
});

pageTest("a response by form", { at: start, wallets: both, elsewhere }, async (page) => {
  const signed = newRequest(program, { response_mode: "form_post" });
  await page.goto(signed.url);
  await button(page, "Ember").click();
  await done(page);
  const response = await program.next();
  assert.equal(response.method, "POST");
  await exchange(program, response, signed.verifier);

  const known = newRequest(program, { response_mode: "form_post" });
  await page.goto(known.url);
  await button(page, "Allow").click(); // the page after it sends itself
  await done(page);
  await exchange(program, await program.next(), known.verifier);
});

pageTest("cancel", { at: start, wallets: both, elsewhere }, async (page) => {
  await button(page, "Cancel").click();
  await done(page);
  const response = await program.next();
  assert.equal(response.error, "access_denied");
  assert.equal(response.state, "the state");
});

pageTest("without a wallet the page says what to do", { at: start }, async (page) => {
  await page.getByText("This browser has no wallet.").waitFor();
});

pageTest("without JavaScript the administrator signs in", { at: start, javaScriptEnabled: false, elsewhere }, async (page) => {
  assert.match(await page.locator("noscript").innerText(), /this page needs JavaScript/);
  await page.getByText("Sign in as the administrator").click();
  await page.getByLabel("E-mail").fill("admin@pico.local");
  await page.getByLabel("Password").fill("correct horse");
  await button(page, "Sign in").click();
  await done(page);
  assert.ok((await program.next()).code);
});

pageTest("signing out asks", { at: start, wallets: both, elsewhere }, async (page, { ethereum }) => {
  await signIn(page, "Ember");
  await page.goto(oauth + "/logout");
  await page.getByText(ethereum.address).waitFor();
  await audit(page, "sign out");
  await button(page, "Sign out").click();
  await heading(page, "You are signed out").waitFor();
  await page.goto(start);
  await button(page, "Ember").waitFor();
});

for (const colorScheme of ["light", "dark"]) {
  pageTest(`axe finds no fault, ${colorScheme}`, { at: start, wallets: both, elsewhere, colorScheme, refusals: true }, async (page) => {
    await button(page, "Ember").waitFor();
    await audit(page, "wallets");
    await page.getByText("Sign in as the administrator").click();
    await audit(page, "password");
    const excess = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(excess, 0, "wider than 320 pixels");
    await signIn(page, "Ember");
    await page.goto(newRequest(program, { scope: "openid email tools", resource: "https://mcp.example.com/mcp" }).url);
    await button(page, "Allow").waitFor();
    await audit(page, "consent");
    await page.goto(newRequest(program, { client_id: "nobody" }).url);
    await heading(page, "The program is unknown").waitFor();
    await audit(page, "error");
  });
}
