// Sign-in with Reown AppKit: a SIWX configuration for Ethereum and Solana wallets.

import type { SIWXConfig, SIWXMessage, SIWXSession } from "@reown/appkit";
import type { Challenge, Client } from "picoauth-client";

/** Options of siwx. */
export interface SIWXOptions {
  /** What the message says beside the fields. */
  statement?: string;
  /** Whether a person who declines to sign is disconnected. */
  required?: boolean;
}

/** Returns what createAppKit takes as siwx. AppKit then asks for a signature after it has connected a wallet. */
export function siwx(client: Client, { statement, required = true }: SIWXOptions = {}): SIWXConfig {
  return {
    // AppKit does not always know the account yet (WalletConnect's one-click, social log-in), so the nonce is for any.
    createMessage: async (input) => message(input, await client.challenge({ chain_id: input.chainId }), statement),
    addSession: (session) => signIn(client, session),
    async setSessions(sessions) {
      if (sessions.length === 0) {
        return client.logout();
      }
      await signInWithOne(client, sessions);
    },
    getSessions: async (chainId, address) => {
      await client.ready;
      return covers(client, chainId, address) ? [known(chainId, address)] : [];
    },
    revokeSession: () => client.logout(),
    getRequired: () => required,
  };
}

async function signIn(client: Client, { data, message, signature }: SIWXSession): Promise<void> {
  const encoding = data.chainId.startsWith("solana:") ? "base58" : "hex";
  await client.signInWith({ message, signature, encoding });
}

/** One-click asks for a message a chain, all with one nonce, which serves once: the first that the server accepts. */
async function signInWithOne(client: Client, sessions: SIWXSession[]): Promise<void> {
  let refusal: unknown;
  for (const session of sessions) {
    try {
      return await signIn(client, session);
    } catch (error) {
      refusal ??= error;
    }
  }
  throw refusal;
}

/** Whether the client's session is of this account. A contract is an account of one chain, any other is the same on all. */
function covers({ session }: Client, chainId: string, address: string): boolean {
  const { account, wallet_kind } = session?.claims ?? {};
  if (typeof account !== "string") {
    return false;
  }
  const [namespace, reference, signedIn] = account.split(":");
  const [wanted] = chainId.split(":");
  const same = namespace === "eip155" ? signedIn?.toLowerCase() === address.toLowerCase() : signedIn === address;
  return same && namespace === wanted && (wallet_kind !== "contract" || `${namespace}:${reference}` === chainId);
}

/** A session as AppKit wants it. It only counts them. */
function known(chainId: SIWXMessage.Input["chainId"], accountAddress: string): SIWXSession {
  const data = { chainId, accountAddress, domain: location.host, uri: location.origin, version: "1", nonce: "" };
  return { data, message: "", signature: "" };
}

/** The message, with times by the server's clock, for this machine's may be wrong. */
function message({ chainId, accountAddress }: SIWXMessage.Input, { challenge, ttl, expires_at }: Challenge, statement?: string): SIWXMessage {
  const fields = {
    domain: location.host,
    uri: location.origin,
    version: "1",
    nonce: challenge,
    issuedAt: new Date(Date.parse(expires_at) - ttl * 1000).toISOString(),
    expirationTime: expires_at,
    ...(statement !== undefined && { statement }),
  };
  const [namespace, reference] = chainId.split(":");
  const lines = [
    `${fields.domain} wants you to sign in with your ${namespace === "solana" ? "Solana" : "Ethereum"} account:`,
    accountAddress,
    "",
    ...(statement !== undefined ? [statement, ""] : namespace === "solana" ? [] : [""]),
    `URI: ${fields.uri}`,
    `Version: ${fields.version}`,
    `Chain ID: ${namespace === "solana" ? chainId : reference}`,
    `Nonce: ${fields.nonce}`,
    `Issued At: ${fields.issuedAt}`,
    `Expiration Time: ${fields.expirationTime}`,
  ];
  return { chainId, accountAddress, ...fields, toString: () => lines.join("\n") };
}
