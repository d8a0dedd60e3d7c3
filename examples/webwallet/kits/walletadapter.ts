// Sign-in with @solana/wallet-adapter.

import type { WalletContextState } from "@solana/wallet-adapter-react";
import { signInInput } from "picoauth-client";
import type { Client, Session } from "picoauth-client";

/**
 * Signs in with a connected wallet: what useWallet() returns. The one-step signIn is preferred, and all that it signed is sent:
 * Ledger signs an envelope around the text. A wallet without signIn signs the text, and a Ledger behind it cannot sign in,
 * because wallet-adapter's signMessage gives the signature without the bytes that it is over.
 */
export async function signInWithWalletAdapter(client: Client, wallet: Pick<WalletContextState, "publicKey" | "signIn" | "signMessage">): Promise<Session> {
  if (!wallet.publicKey) {
    throw new Error("no wallet is connected");
  }
  const { message } = await client.challenge({ address: wallet.publicKey.toBase58() });
  if (wallet.signIn) {
    const { signature, signedMessage } = await wallet.signIn(signInInput(message!));
    return client.signInWith({ signed_message: hex(signedMessage), signature: hex(signature) });
  }
  if (!wallet.signMessage) {
    throw new Error("this wallet signs no messages");
  }
  const signature = await wallet.signMessage(new TextEncoder().encode(message));
  return client.signInWith({ message, signature: hex(signature) });
}

const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
