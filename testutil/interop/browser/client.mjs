// client.js in a page that has no scripts of its own: window.client.

import { base } from "../server.mjs";

/** Makes the client of a page, window.client, and counts what it says of changes. */
export const open = (page, options = {}) =>
  page.evaluate(async ([url, opts]) => {
    const { createClient } = await import("/api/v1/auth/client.js");
    window.client = createClient({ url, ...opts });
    window.changes = [];
    window.client.onChange(() => window.changes.push(window.client.session?.subject ?? null));
    await window.client.ready;
    return window.client.session?.subject ?? null;
  }, [base, options]);

export const signInHere = (page) => page.evaluate(async () => (await window.client.signIn({ wallet: window.client.wallets()[0] })).subject);

/** What an action of the client comes to: its value, or the error's name, status and code. */
export const outcome = (page, action, ...args) =>
  page.evaluate(async ([name, list]) => {
    try {
      const value = await window.client[name](...list);
      return value instanceof Response ? value.status : (value ?? null);
    } catch ({ name, status, code, hint, retryAfter, message }) {
      return { name, status, code, hint, retryAfter, message };
    }
  }, [action, args]);
