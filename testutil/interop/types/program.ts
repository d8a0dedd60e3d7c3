import { AuthError, createClient, NoAccountError, SessionEndedError, signInInput, UnreachableError } from "picoauth-client";
import type { Client, Session, Wallet } from "picoauth-client";

const client: Client = createClient({ url: "https://auth.example.com", storage: "session", origins: ["https://api.example.com"], dpop: false });
const stop: () => void = client.onChange(() => console.log(client.session?.subject));

async function signIn(): Promise<Session | null> {
  client.lookForWallets();
  const wallet: Wallet | undefined = client.wallets().find(({ chains }) => chains.includes("eip155"));
  if (!wallet) {
    return null;
  }
  try {
    const prepared = await client.prepare({ wallet });
    console.log(prepared.message?.length, prepared.ttl);
    return await client.finish(prepared, { isCancelled: () => false });
  } catch (error) {
    if (error instanceof AuthError && error.status === 429) {
      console.log(error.code, error.hint, error.retryAfter);
    } else if (error instanceof NoAccountError || error instanceof UnreachableError || error instanceof SessionEndedError) {
      console.log(error.message);
    }
    return client.signIn({ wallet });
  }
}

async function rest(): Promise<void> {
  const { challenge, message } = await client.challenge({ address: "0x88ca19624e3Dc8bC999a5b947488F0A2EA29a535" });
  await client.signInWith({ algorithm: "eip191", challenge, message, signature: "0x" });
  const reply: Response = await client.fetch("/api/profile", { method: "POST" });
  console.log(reply.status, await client.token(), await client.refresh(), signInInput("").domain);
  const headers: Record<string, string> = await client.headers("/api/profile", "POST");
  console.log(Object.keys(headers));
  await client.logout();
  stop();
}

client.ready.then(signIn).then(rest);
