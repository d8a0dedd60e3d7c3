// What the test gave: the issuer, the person who has a browser and a wallet, and more.
export const given = JSON.parse(process.env.PICOAUTH_GIVEN);
export const issuer = new URL(given.issuer);

/** Opens an authorization request, or the page of a device with its code, as a person does, who signs it, and returns where the browser is
 * sent then. */
export async function allow(authorize) {
  const reply = await fetch(given.person, { method: "POST", body: String(authorize) });
  const text = await reply.text();
  if (!reply.ok) {
    throw new Error(text);
  }
  return new URL(text, issuer);
}

/** The claims of a token, which are not verified. */
export const claimsOf = (token) => JSON.parse(Buffer.from(token.split(".")[1], "base64url"));
