// Asks a server for a challenge whose settings do not fit this page.

import { AuthError, createClient, UnreachableError } from "picoauth-client";

async function ask(address?: string): Promise<string> {
  try {
    await createClient({ url: FORGETFUL_URL }).challenge({ address });
    return "a challenge";
  } catch (error) {
    if (error instanceof AuthError) {
      return `${error.status} ${error.code}`;
    }
    return error instanceof UnreachableError ? "no reply" : String(error);
  }
}

document.body.append([await ask("0x88ca19624e3Dc8bC999a5b947488F0A2EA29a535"), await ask()].join());
