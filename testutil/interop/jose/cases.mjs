// What the tests hand to a script on its standard input, {issuer, audience, jwks, tokens: {name: token}}, and what they
// get back on its standard output.

import { text } from "node:stream/consumers";

export const input = JSON.parse(await text(process.stdin));

/** Judges every token and prints {name: null | reason of the refusal}. */
export async function judge(verify) {
  const verdicts = {};
  for (const [name, token] of Object.entries(input.tokens)) {
    try {
      await verify(token);
      verdicts[name] = null;
    } catch (error) {
      verdicts[name] = `${error.code ?? error.name}: ${error.message}`;
    }
  }
  process.stdout.write(JSON.stringify(verdicts));
}
