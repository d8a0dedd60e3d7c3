// The wrong requests of RFC 9700, RFC 8252, RFC 7636, RFC 6749, RFC 8707 and OpenID Connect Core, to our server and to oidc-provider. Both must
// answer alike; where they do not, why says the reason.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { given } from "./kit.mjs";
import { startProvider } from "./provider.mjs";
import { Session } from "./session.mjs";
import { authorizeCases } from "./differential_authorize.mjs";
import { assertionCases } from "./differential_assertion.mjs";
import { logoutCases } from "./differential_logout.mjs";
import { tokenCases } from "./differential_token.mjs";

const provider = await startProvider(given);
after(() => provider.close());
const ours = await Session.at(given.issuer, given.person), other = await Session.at(provider.issuer);

for (const [group, cases] of Object.entries({ authorize: authorizeCases(given), token: tokenCases(given), assertion: assertionCases(given), logout: logoutCases() })) {
  test(group, async (t) => {
    for (const { name, run, want, theirs, why } of cases) {
      await t.test(name, async () => {
        assert.deepEqual(await run(ours), want, "ours");
        const answer = await run(other);
        if (theirs === undefined) {
          assert.deepEqual(answer, want, "oidc-provider");
          return;
        }
        assert.deepEqual(answer, theirs, "oidc-provider");
        assert.notDeepEqual(theirs, want, "they do not differ");
        assert.ok(why?.length > 20, "the reason is missing");
      });
    }
  });
}
