// The page on which the code of a device is entered, in a browser with a wallet that really signs.

import assert from "node:assert/strict";

import { audit } from "../browser/axe.mjs";
import { both, button, heading, pageTest } from "../browser/harness.mjs";
import { addEthereum } from "../browser/wallets.mjs";
import { claimsOf, oauth } from "./program.mjs";

const grant = "urn:ietf:params:oauth:grant-type:device_code";
const at = oauth + "/device";

const post = async (path, form) => (await fetch(oauth + path, { method: "POST", body: new URLSearchParams({ client_id: "television", ...form }) })).json();

/** A device that asks for a code. */
const newDevice = () => post("/device_authorization", { scope: "openid profile" });

/** What a device is told that asks for its tokens. */
const tokensOf = (device) => post("/token", { grant_type: grant, device_code: device.device_code });

const field = (page) => page.getByLabel("The code that your device shows");
const done = (page) => heading(page, "Done").waitFor();

async function enter(page, device) {
  await field(page).fill(device.user_code);
  await button(page, "Continue").click();
}

pageTest("a person types the code, and a wallet signs for that device", { at, wallets: both }, async (page, { ethereum }) => {
  const device = await newDevice();
  assert.equal((await tokensOf(device)).error, "authorization_pending");
  await field(page).fill(device.user_code.toLowerCase().replace("-", " "));
  await button(page, "Continue").click();
  await page.getByText("You allow this for the device whose code you entered.").waitFor();
  await button(page, "Ember").click();
  await done(page);
  assert.equal(ethereum.signed[0].split("\n")[3], "Sign in to The television (another device), which may: read your profile.");
  await new Promise((resolve) => setTimeout(resolve, 1000 * device.interval));
  const tokens = await tokensOf(device);
  assert.equal(claimsOf(tokens.id_token).sub, ethereum.address, JSON.stringify(tokens));
});

pageTest("the address that has the code fills it in, and the person still presses the button", { at, wallets: both }, async (page) => {
  const device = await newDevice();
  await page.goto(device.verification_uri_complete);
  assert.equal(await field(page).inputValue(), device.user_code.replace("-", ""));
  await button(page, "Continue").click();
  await button(page, "Cancel").click();
  await heading(page, "Cancelled").waitFor();
  assert.equal((await tokensOf(device)).error, "access_denied");
});

pageTest("a browser that is known signs anew for a device", { at, wallets: both }, async (page, { ethereum }) => {
  for (let signed = 1; signed <= 2; signed++) {
    await page.goto(at);
    await enter(page, await newDevice());
    await button(page, "Ember").click();
    await done(page);
    assert.equal(ethereum.signed.length, signed);
  }
});

pageTest("a wrong code", { at, refusals: true }, async (page) => {
  await enter(page, { user_code: "BCDF-GHJK" });
  await page.getByText("This code is wrong, has expired or was used already.").waitFor();
});

pageTest("by keyboard alone", { at, wallets: (page) => addEthereum(page) }, async (page) => {
  const { user_code: code } = await newDevice();
  const press = async (target, key) => {
    await target.waitFor();
    for (let presses = 0; presses < 8 && !(await target.evaluate((own) => own === document.activeElement)); presses++) {
      await page.keyboard.press("Tab");
    }
    await page.keyboard.type(key === "Enter" ? "" : key);
    await page.keyboard.press("Enter");
  };
  await press(field(page), code);
  await press(button(page, "Ember"), "Enter");
  await done(page);
});

pageTest("without JavaScript the administrator allows a device", { at, javaScriptEnabled: false }, async (page) => {
  await enter(page, await newDevice());
  await page.getByText("Sign in as the administrator").click();
  await page.getByLabel("E-mail").fill("admin@pico.local");
  await page.getByLabel("Password").fill("correct horse");
  await button(page, "Sign in").click();
  await done(page);
});

for (const colorScheme of ["light", "dark"]) {
  pageTest(`axe finds no fault, ${colorScheme}`, { at, wallets: both, colorScheme, refusals: true }, async (page) => {
    await audit(page, "code");
    const excess = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(excess, 0, "wider than 320 pixels");
    await enter(page, { user_code: "BCDF-GHJK" });
    await page.getByText("This code is wrong, has expired or was used already.").waitFor();
    await audit(page, "wrong code");
    await enter(page, await newDevice());
    await button(page, "Ember").waitFor();
    await audit(page, "consent");
    await button(page, "Ember").click();
    await done(page);
    await audit(page, "done");
  });
}
