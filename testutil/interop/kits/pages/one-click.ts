// What AppKit does with its siwx where the wallet connects and signs in one step, over WalletConnect's relay, which no test
// reaches: it asks for a message of nobody, has the wallet sign one for each chain, and hands all of them over.

import type { SIWXSession } from "@reown/appkit";
import { createClient } from "picoauth-client";
import { createWalletClient, custom } from "viem";
import type { EIP1193Provider } from "viem";
import { createSiweMessage } from "viem/siwe";

import { siwx } from "./appkit";

const plugin = siwx(createClient({ url: PICOAUTH_URL }));
const asked = await plugin.createMessage({ chainId: "eip155:1", accountAddress: "" });
const wallet = createWalletClient({ transport: custom(window.ethereum as EIP1193Provider) });
const [address] = await wallet.requestAddresses();

const sessions: SIWXSession[] = [];
for (const chainId of [137, 1, 10]) {
  const message = createSiweMessage({
    address: address!, chainId, domain: asked.domain, uri: asked.uri, version: "1", nonce: asked.nonce,
    issuedAt: new Date(asked.issuedAt!), expirationTime: new Date(asked.expirationTime!),
  });
  const data = { ...asked, accountAddress: address!, chainId: `eip155:${chainId}` as const };
  sessions.push({ data, message, signature: await wallet.signMessage({ account: address!, message }) });
}
await plugin.setSessions(sessions);
const covered = await Promise.all([
  plugin.getSessions("eip155:10", address!.toLowerCase()), plugin.getSessions("eip155:1", "0x" + "1".repeat(40)), plugin.getSessions("solana:x", address!),
]);
document.body.append(covered.map((list) => list.length).join());
await plugin.setSessions([]);
document.body.append(`;${(await plugin.getSessions("eip155:1", address!)).length}`);
