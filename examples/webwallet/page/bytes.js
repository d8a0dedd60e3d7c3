// Bytes, as requests hold them.

/** Lowercase hex without 0x. */
export const toHex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

export const sameBytes = (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i]);

/** The claims of a JWT, unverified: the server verifies, a page only shows. */
export function claimsOf(token) {
  const payload = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
  const bytes = Uint8Array.from(atob(payload), (char) => char.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}
