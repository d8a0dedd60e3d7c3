// Sign-in with the wallet that wagmi (2 or 3) has connected, or with a wallet client of viem.

import type { Client, Session } from "picoauth-client";
import type { Account, Address, Transport, Chain, WalletClient } from "viem";
import { getAccount, signMessage } from "wagmi/actions";
import type { Config } from "wagmi";

/** Has wagmi's connected account sign the server's message, and signs in. */
export async function signInWithWagmi(client: Client, config: Config): Promise<Session> {
  const { address, chainId } = getAccount(config);
  if (!address || !chainId) {
    throw new Error("no wallet is connected");
  }
  const sign = (message: string) => signMessage(config, { account: address, message });
  return signIn(client, address, chainId, sign);
}

/** The same for a wallet client of viem that has an account. */
export async function signInWithViem(client: Client, wallet: WalletClient<Transport, Chain | undefined, Account>): Promise<Session> {
  const { account } = wallet;
  const sign = (message: string) => wallet.signMessage({ account, message });
  return signIn(client, account.address, await wallet.getChainId(), sign);
}

async function signIn(client: Client, address: Address, chainId: number, sign: (message: string) => Promise<string>): Promise<Session> {
  const { message } = await client.challenge({ address, chain_id: `eip155:${chainId}` });
  return client.signInWith({ message, signature: await sign(message!) });
}
