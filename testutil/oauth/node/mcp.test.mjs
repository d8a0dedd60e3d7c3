// The MCP clients of TypeScript, from a URL and nothing else to a tool call: 401, the resource's metadata, the server's metadata, a client
// (configured, registered, or by its document), the wallet's signature, the code, the token, the tool.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as two from "@modelcontextprotocol/client";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { allow, claimsOf, given } from "./kit.mjs";

const redirect = "http://127.0.0.1:8765/callback"; // nobody listens there: the test sees where the browser is sent
const generations = {
  "sdk 1": { Client, Transport: StreamableHTTPClientTransport, UnauthorizedError, finish: (transport, answer) => transport.finishAuth(answer.searchParams.get("code")) },
  "client 2": { Client: two.Client, Transport: two.StreamableHTTPClientTransport, UnauthorizedError: two.UnauthorizedError, finish: (transport, answer) => transport.finishAuth(answer.searchParams) },
};

/** Keeps what a client has to keep, and sends the person to the page. */
class Provider {
  constructor({ information, documentUrl }) {
    this.information = information;
    this.clientMetadataUrl = documentUrl;
  }
  get redirectUrl() { return redirect; }
  get clientMetadata() {
    return { client_name: "Desk", redirect_uris: [redirect], grant_types: ["authorization_code", "refresh_token"], response_types: ["code"], token_endpoint_auth_method: "none" };
  }
  state() { return (this.sent = crypto.randomUUID()); }
  clientInformation() { return this.information; }
  saveClientInformation(information) { this.information = information; }
  tokens() { return this.kept; }
  saveTokens(tokens) { this.kept = tokens; }
  saveCodeVerifier(verifier) { this.verifier = verifier; }
  codeVerifier() { return this.verifier; }
  async redirectToAuthorization(url) {
    this.asked = url;
    this.answer = await allow(url);
    assert.equal(this.answer.searchParams.get("state"), this.sent);
  }
}

async function connect(kit, provider) {
  const open = async () => {
    const transport = new kit.Transport(new URL(given.mcp), { authProvider: provider });
    const client = new kit.Client({ name: "desk", version: "1.0.0" });
    return [client, transport];
  };
  const [refused, first] = await open();
  await assert.rejects(refused.connect(first), (error) => error instanceof kit.UnauthorizedError);
  await kit.finish(first, provider.answer);
  const [client, transport] = await open();
  await client.connect(transport);
  return client;
}

const ways = {
  "a configured client": () => ({ information: { client_id: "desk", issuer: given.issuer } }),
  "a registered client": () => ({}),
  "a client of a document": () => ({ documentUrl: given.document }),
};

for (const [generation, kit] of Object.entries(generations)) {
  for (const [way, options] of Object.entries(ways)) {
    test(`${generation}, ${way}`, async () => {
      const provider = new Provider(options());
      const client = await connect(kit, provider);
      assert.equal(provider.asked.searchParams.get("resource"), given.mcp);
      assert.equal(claimsOf(provider.kept.access_token).aud, given.mcp);
      const call = async () => (await client.callTool({ name: "whoami", arguments: {} })).structuredContent;
      const who = await call();
      assert.equal(who.subject.toLowerCase(), given.address.toLowerCase());
      assert.equal(who.client, provider.information.client_id);

      // the access token is over: the client renews by itself
      const refresh = provider.kept.refresh_token;
      assert.ok(refresh, "no refresh token came");
      provider.kept = { ...provider.kept, access_token: provider.kept.access_token.slice(0, -4) + "AAAA" };
      assert.equal((await call()).subject, who.subject);
      assert.notEqual(provider.kept.refresh_token, refresh);
      await client.close();
    });
  }
}

for (const [generation, kit] of Object.entries(generations)) {
  test(`${generation}: programs that share a session and renew at once all stay signed in`, async () => {
    const provider = new Provider(ways["a configured client"]());
    await (await connect(kit, provider)).close();
    const over = { ...provider.kept, access_token: provider.kept.access_token.slice(0, -4) + "AAAA" };
    const programs = Array.from({ length: 5 }, () => Object.assign(new Provider(ways["a configured client"]()), { kept: over }));
    const subjects = await Promise.all(programs.map(async (own) => {
      const client = new kit.Client({ name: "desk", version: "1.0.0" });
      await client.connect(new kit.Transport(new URL(given.mcp), { authProvider: own }));
      const who = await client.callTool({ name: "whoami", arguments: {} });
      await client.close();
      assert.equal(own.answer, undefined, "the person was asked again");
      return who.structuredContent.subject;
    }));
    assert.equal(new Set(subjects).size, 1);
    assert.equal(new Set(programs.map((own) => own.kept.refresh_token)).size, 1, "they have different refresh tokens");
  });
}

// Of sdk 1 there is none: where it has a refresh token it renews what it has, and never asks for more.
test("client 2: a scope that is missing is asked for", async () => {
  const kit = generations["client 2"];
  const provider = new Provider(ways["a registered client"]());
  const asked = [];
  for (let attempt = 0; ; attempt++) {
    const transport = new kit.Transport(new URL(given.guarded), { authProvider: provider });
    const client = new kit.Client({ name: "desk", version: "1.0.0" });
    try {
      await client.connect(transport);
      assert.ok(!(await client.callTool({ name: "write", arguments: {} })).isError);
      await client.close();
      break;
    } catch (error) {
      if (!(error instanceof kit.UnauthorizedError) || attempt > 2) {
        throw error;
      }
      asked.push(provider.asked.searchParams.get("scope"));
      await kit.finish(transport, provider.answer);
    }
  }
  assert.equal(asked.length, 2, `${asked}`);
  assert.match(asked[0], /^notes:read/);
  assert.match(asked[1], /notes:write/);
  assert.match(claimsOf(provider.kept.access_token).scope, /notes:write/);
});
