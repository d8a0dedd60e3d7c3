// The three off-chain message envelopes that Solana wallets put around a text.

import {
  getOffchainMessageV0Encoder, getOffchainMessageV1Encoder, offchainMessageApplicationDomain,
  offchainMessageContentRestrictedAsciiOf1232BytesMax, offchainMessageContentUtf8Of1232BytesMax, offchainMessageContentUtf8Of65535BytesMax,
} from "@solana/offchain-messages";

const preamble = Buffer.from("\xffsolana offchain", "latin1");

/** What solana-cli signs, and Ledger with it: version, format, length, text. No library makes it any more. */
export function legacy(text, format = 1) {
  const body = Buffer.from(text);
  const length = Buffer.alloc(2);
  length.writeUInt16LE(body.length);
  return Buffer.concat([preamble, Buffer.from([0, format]), length, body]);
}

const contents = [
  offchainMessageContentRestrictedAsciiOf1232BytesMax, offchainMessageContentUtf8Of1232BytesMax, offchainMessageContentUtf8Of65535BytesMax,
];
const application = offchainMessageApplicationDomain("9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM");
const signatories = (signers) => signers.map((address) => ({ address }));

export const v0 = (text, signers, format = 1) =>
  Buffer.from(getOffchainMessageV0Encoder().encode({
    version: 0, applicationDomain: application, content: contents[format](text), requiredSignatories: signatories(signers),
  }));

export const v1 = (text, signers) =>
  Buffer.from(getOffchainMessageV1Encoder().encode({ version: 1, content: text, requiredSignatories: signatories(signers) }));
