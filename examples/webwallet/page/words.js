// Errors in words that a person can act on.

import { AuthError, NoAccountError, SessionEndedError, UnreachableError } from "/api/v1/auth/client.js";

const staleMessage = "This message is no longer valid: it expired or was used. Sign the new one below.";
const otherSite = "The message was made for another site. If this page was opened by a link, do not trust it.";
const wrongClock = "The message has expired, or a clock is wrong. Sign the new one below.";

const refusals = {
  address_mismatch: "The signature is of another account than the message. Choose the same account in the wallet.",
  bad_checksum: "The wallet gave an address with a wrong checksum.",
  chain_not_allowed: "This site does not accept the network that the wallet is on.",
  domain_mismatch: otherSite,
  domain_not_allowed: `This server signs nobody in at ${location.host}. Check the address of this page: it may not be the site that you think it is.`,
  high_s: "The wallet made a signature in a form that is not safe to accept.",
  invalid_challenge: staleMessage,
  invalid_signature: "The signature does not fit this address. Was another account chosen in the wallet?",
  issued_at_out_of_range: wrongClock,
  low_order_key: "Nobody can own this address.",
  malformed_message: "The wallet changed the message, and the server could not read it.",
  message_expired: wrongClock,
  message_not_yet_valid: wrongClock,
  subject_refused: "This address may not sign in here.",
  unsupported_algorithm: "This site does not accept this kind of wallet.",
  uri_mismatch: otherSite,
  wrong_length: "This wallet signs in a form that is not accepted here. Smart-contract wallets cannot sign in.",
};

function ofServer({ status, code, message, retryAfter }) {
  if (status === 429) {
    return `Too many attempts. Try again in ${retryAfter > 1 ? `${retryAfter} seconds` : "a moment"}.`;
  }
  if (status >= 500) {
    return "The server has a problem. Try again in a moment.";
  }
  return refusals[code] ?? `The server refused: ${message}.`;
}

// EIP-1193 and EIP-1474 number their errors, and Solana wallets use the same numbers where they use any.
const rejected = 4001;
const unauthorized = 4100;
const disconnected = [4900, 4901];
const alreadyPending = -32002;

/** Whether the person said no, which is no fault. */
export function isRejection(error) {
  return error?.code === rejected || /reject|denied|declin|cancel/i.test(error?.message ?? "");
}

function ofWallet(error, wallet) {
  switch (true) {
    case isRejection(error):
      return `You declined in ${wallet}. Nothing was signed.`;
    case error?.code === alreadyPending:
      return `${wallet} is already waiting for your answer. Open it to go on.`;
    case error?.code === unauthorized || error instanceof NoAccountError:
      return `${wallet} gave no account. Unlock it, choose an account, and try again.`;
    case disconnected.includes(error?.code):
      return `${wallet} is not connected to its network.`;
    default:
      return `${wallet} reported a problem: ${error?.message || "no reason given"}.`;
  }
}

/** A sentence or two for any error; wallet is the name of the one in use. */
export function explain(error, wallet) {
  if (error instanceof AuthError) {
    return ofServer(error);
  }
  if (error instanceof UnreachableError) {
    return "The server cannot be reached. Check the connection and try again.";
  }
  if (error instanceof SessionEndedError) {
    return "Your session has ended. Sign in again to go on.";
  }
  return ofWallet(error, wallet);
}
