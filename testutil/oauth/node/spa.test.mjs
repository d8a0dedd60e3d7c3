// A single-page app on another origin, in Chromium, with a wallet in the browser.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { after, test } from "node:test";
import { chromium } from "playwright-core";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { given } from "./kit.mjs";

const files = {
  "/index.html": ["text/html", "spa/index.html"],
  "/oauth4webapi.js": ["text/javascript", "node_modules/oauth4webapi/build/index.js"],
};
const site = createServer(async (request, response) => {
  const path = new URL(request.url, given.site).pathname;
  const made = { "/app.js": given.app, "/settings.js": `export const issuer = ${JSON.stringify(given.issuer)}, clientId = "notes";` }[path];
  if (made) {
    response.setHeader("Content-Type", "text/javascript").end(made);
  } else if (files[path]) {
    response.setHeader("Content-Type", files[path][0]).end(await readFile(files[path][1]));
  } else {
    response.writeHead(404).end();
  }
}).listen(Number(new URL(given.site).port), "127.0.0.1");
const browser = await chromium.launch({ executablePath: given.chromium, args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"] });
after(async () => {
  await browser.close();
  site.closeAllConnections();
  site.close();
});

/** An Ethereum wallet by EIP-6963, whose key is in this process. */
async function addWallet(page, signed) {
  const account = privateKeyToAccount(generatePrivateKey());
  await page.exposeBinding("testSign", (_, message) => {
    signed.push(Buffer.from(message.slice(2), "hex").toString());
    return account.signMessage({ message: { raw: message } });
  });
  await page.addInitScript((address) => {
    const provider = {
      request: async ({ method, params }) => ({ eth_requestAccounts: () => [address], eth_chainId: () => "0x1", personal_sign: () => window.testSign(params[0]) })[method]?.(),
      on() {}, removeListener() {},
    };
    const info = { uuid: crypto.randomUUID(), name: "Ember", icon: "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'/>", rdns: "com.example.ember" };
    const announce = () => window.dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail: Object.freeze({ info, provider }) }));
    window.addEventListener("eip6963:requestProvider", announce);
    announce();
  }, account.address);
  return account.address;
}

test("a single-page app signs in", async () => {
  const context = await browser.newContext(), page = await context.newPage(), signed = [], faults = [];
  page.setDefaultTimeout(20_000);
  page.on("pageerror", (error) => faults.push(error.message));
  page.on("console", (line) => line.type() === "error" && faults.push(line.text()));
  const address = await addWallet(page, signed);
  await page.goto(`${given.site}/index.html`);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL(`${given.issuer}/**`);
  await page.getByRole("button", { name: "Ember" }).click();
  await page.waitForURL(`${given.site}/**`);
  await page.getByText(`Hello ${address}`).waitFor();
  assert.equal(new URL(page.url()).search, "");
  assert.equal(signed.length, 1);
  assert.match(signed[0], /Sign in to Notes \(/);
  assert.deepEqual(faults, []);
  await context.close();
});
