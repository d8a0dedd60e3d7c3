// client.js by itself: which requests get the token, tabs that share a session, and how one ends.

import assert from "node:assert/strict";
import { createServer } from "node:http";

import { base, post } from "../server.mjs";
import { open, outcome, signInHere as signIn } from "./client.mjs";
import { pageTest } from "./harness.mjs";
import { addEthereum, addSolana } from "./wallets.mjs";

const api = base + "/api/profile";

const about = { wallets: addEthereum, at: base + "/icon.svg", refusals: true }; // without scripts of its own; the browser asks for its icon

/** A server on another origin, which notes what it gets. */
async function otherServer(page, origin) {
  const got = [];
  await page.route(origin + "/**", (route) => {
    got.push(route.request().headers());
    return route.fulfill({ status: 200, body: "{}", headers: { "Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "*" } });
  });
  return got;
}

const listed = "https://api.example.com";
const strange = "https://elsewhere.example.com";

pageTest("the token goes to the server's and the listed origins, and to no other", {
  ...about, elsewhere: [listed, strange], bypassCSP: true,
}, async (page) => {
  const [friends, strangers] = [await otherServer(page, listed), await otherServer(page, strange)];
  await open(page, { origins: [listed] });
  await signIn(page);
  assert.equal(await outcome(page, "fetch", api), 200);
  assert.equal(await outcome(page, "fetch", listed + "/orders", { method: "POST", body: "x" }), 200);
  assert.equal(await outcome(page, "fetch", strange + "/"), 200);
  assert.match(friends.at(-1).authorization, /^\w+ ey/);
  assert.equal(strangers.at(-1).authorization, undefined);
  assert.equal(strangers.at(-1).dpop, undefined);
});

const redirecting = [];

pageTest("the token follows no redirect to another origin", { ...about, bypassCSP: true, elsewhere: redirecting }, async (page) => {
  const headers = { "Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "authorization, dpop" };
  const got = [];
  const serve = async (answer) => {
    const server = createServer((request, reply) => {
      if (request.method === "OPTIONS") {
        reply.writeHead(204, headers).end();
        return;
      }
      got.push(request.headers.authorization);
      answer(reply);
    });
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    return { url: `http://127.0.0.1:${server.address().port}`, server };
  };
  const last = await serve((reply) => reply.writeHead(200, headers).end());
  const first = await serve((reply) => reply.writeHead(307, { ...headers, Location: last.url + "/" }).end());
  try {
    redirecting.push(first.url, last.url);
    await open(page, { origins: [first.url] });
    await signIn(page);
    assert.equal(await outcome(page, "fetch", first.url + "/"), 200);
    assert.equal(got.length, 2);
    assert.match(got[0], /^\w+ ey/);
    assert.equal(got[1], undefined);
  } finally {
    [first, last].forEach(({ server }) => server.close());
  }
});

pageTest("nobody is signed in", about, async (page) => {
  assert.equal(await open(page), null);
  assert.equal((await outcome(page, "fetch", api)).name, "SessionEndedError");
  assert.equal((await outcome(page, "token")).name, "SessionEndedError");
  assert.equal(await outcome(page, "logout"), null);
});

pageTest("what the server refuses has its code", about, async (page) => {
  await open(page);
  const refused = await outcome(page, "challenge", { domain: "elsewhere.example.com" });
  assert.deepEqual([refused.name, refused.status, refused.code], ["AuthError", 400, "domain_not_allowed"]);
  assert.match(refused.hint, /elsewhere\.example\.com/);
  await page.route("**/challenge", (route) => route.fulfill({ status: 429, headers: { "Retry-After": "7" }, body: "slow down" }));
  const slower = await outcome(page, "challenge");
  assert.deepEqual([slower.name, slower.status, slower.code, slower.retryAfter], ["AuthError", 429, "", 7]);
  await page.unroute("**/challenge");
  await page.route("**/challenge", (route) => route.fulfill({ status: 200, body: "<html>a hotel's network</html>" }));
  assert.equal((await outcome(page, "challenge")).name, "UnreachableError");
});

pageTest("a session in sessionStorage survives a reload, and the end of it", about, async (page, { address }) => {
  await open(page, { storage: "session" });
  assert.equal(await signIn(page), address);
  await page.reload();
  assert.equal(await open(page, { storage: "session" }), address);
  assert.equal(await outcome(page, "fetch", api), 200);
  await outcome(page, "logout");
  await page.reload();
  assert.equal(await open(page, { storage: "session" }), null);
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);
});

pageTest("a tab that comes back with an old session takes the one that another tab has renewed", about, async (page, { address }) => {
  await open(page, { storage: "session" });
  await signIn(page);
  const second = await page.context().newPage();
  await second.goto(about.at);
  assert.equal(await open(second, { storage: "session" }), address);
  await second.goto("about:blank"); // its sessionStorage keeps what it knew
  for (const _ of [1, 2]) {
    await outcome(page, "refresh");
  }
  await second.goto(about.at);
  await open(second, { storage: "session" });
  assert.match(await outcome(second, "refresh"), /^ey/);
  assert.equal(await outcome(second, "fetch", api), 200);
  assert.equal(await outcome(page, "fetch", api), 200);
  await second.close();
});

pageTest("who logs out while the session is renewed stays logged out", about, async (page) => {
  await open(page);
  await signIn(page);
  const second = await page.context().newPage();
  await second.goto(about.at);
  await open(second);
  let answer;
  const asked = new Promise((resolve) =>
    page.route("**/refresh", async (route) => {
      const reply = await route.fetch();
      answer = () => route.fulfill({ response: reply });
      resolve();
    }),
  );
  const renewing = outcome(page, "refresh");
  await asked;
  await outcome(second, "logout");
  await page.waitForFunction(() => window.client.session === null);
  await answer();
  assert.equal((await renewing).name, "SessionEndedError");
  assert.deepEqual(await Promise.all([page, second].map((tab) => tab.evaluate(() => window.client.session))), [null, null]);
  await second.close();
});

pageTest("a session that a tab learns of and loses is told of", about, async (page, { address }) => {
  await open(page);
  const second = await page.context().newPage();
  await second.goto(about.at);
  await open(second);
  await signIn(page);
  await second.waitForFunction((subject) => window.client.session?.subject === subject, address);
  await outcome(second, "logout");
  await page.waitForFunction(() => window.client.session === null);
  for (const tab of [page, second]) {
    const changes = await tab.evaluate(() => window.changes);
    assert.deepEqual([...new Set(changes)].sort(), [address, null].sort());
    assert.equal(changes.at(-1), null);
  }
  await second.close();
});

pageTest("wallets() is one list that changes", {
  ...about, wallets: async (page) => {
    await page.addInitScript(() => (window.testLate = true));
    return [await addEthereum(page), await addSolana(page)];
  },
}, async (page) => {
  await open(page);
  const names = () => page.evaluate(() => (window.list ??= window.client.wallets()).map(({ name, icon, chains }) => `${name} ${icon.slice(0, 5)} ${chains}`));
  assert.deepEqual(await names(), ["Cobalt data: solana:mainnet,solana:devnet"]);
  await page.evaluate(() => window.testEthereum.announce());
  assert.deepEqual(await names(), ["Cobalt data: solana:mainnet,solana:devnet", "Ember data: eip155"]);
  const same = await page.evaluate(() => window.list === window.client.wallets() && window.changes.length > 0);
  assert.ok(same);
});

pageTest("a session that the server has ended", about, async (page) => {
  await open(page);
  const reply = page.waitForResponse((one) => one.url().endsWith("/sign-in"));
  await signIn(page);
  const { refresh_token } = await (await reply).json();
  assert.equal((await post("/logout", { refresh_token })).status, 204);
  assert.equal((await outcome(page, "fetch", api)).name, "SessionEndedError");
  assert.equal(await page.evaluate(() => window.client.session), null);
});
