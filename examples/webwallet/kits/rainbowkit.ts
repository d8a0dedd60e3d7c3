// Sign-in with RainbowKit: its authentication adapter, and the status that its provider asks for.

import { createAuthenticationAdapter } from "@rainbow-me/rainbowkit";
import type { AuthenticationStatus } from "@rainbow-me/rainbowkit";
import type { Client } from "picoauth-client";
import { useEffect, useState } from "react";

/** Options of authenticationAdapter. */
export interface AdapterOptions {
  /** Gets what RainbowKit's dialog does not show: the server's refusal, an AuthError with its code. */
  onError?: (error: unknown) => void;
}

/** Returns what RainbowKitAuthenticationProvider takes as adapter. Make it once, outside of components. */
export function authenticationAdapter(client: Client, { onError = console.error }: AdapterOptions = {}) {
  const reported = async <T>(action: () => Promise<T>): Promise<T> => {
    try {
      return await action();
    } catch (error) {
      onError(error);
      throw error;
    }
  };
  return createAuthenticationAdapter<string>({
    // RainbowKit asks this once for a dialog and keeps the answer, but a nonce serves once. So createMessage asks for one
    // each time, and this is only something that RainbowKit takes for a nonce.
    getNonce: async () => "asked in createMessage",
    createMessage: ({ address, chainId }) =>
      reported(async () => (await client.challenge({ address, chain_id: `eip155:${chainId}` })).message!),
    verify: ({ message, signature }) =>
      reported(async () => {
        await client.signInWith({ message, signature });
        return true;
      }),
    signOut: () => client.logout(),
  });
}

/** The status of the client's session, for RainbowKitAuthenticationProvider. */
export function useAuthenticationStatus(client: Client): AuthenticationStatus {
  const current = () => (client.session ? "authenticated" : "unauthenticated");
  const [status, setStatus] = useState<AuthenticationStatus>("loading");
  useEffect(() => {
    let mounted = true;
    const update = () => mounted && setStatus(current());
    void client.ready.then(update); // another tab may share its session until then
    const stop = client.onChange(update);
    return () => {
      mounted = false;
      stop();
    };
  }, [client]);
  return status;
}
