// Wallets that are put into a page before its own scripts run, and that really sign: the keys are in this process, and the
// page's wallet asks it through a binding.

import { createSignInMessage } from "@solana/wallet-standard-util";
import { Keypair } from "@solana/web3.js";
import nacl from "tweetnacl";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";

const icon = (color, mark) =>
  `data:image/svg+xml,${encodeURIComponent(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40"><rect width="40" height="40" fill="${color}"/><path d="${mark}" fill="#fff"/></svg>`)}`;

const ember = { name: "Ember", icon: icon("#e2622b", "M20 7c4 6 8 9 8 15a8 8 0 0 1-16 0c0-4 3-5 4-9 2 2 3 3 3 6 2-3 2-7 1-12z") };
const cobalt = { name: "Cobalt", icon: icon("#2747c7", "M20 8l10.400 6v12L20 32 9.600 26V14zm0 5.500L14.400 17v6.500L20 26.700l5.600-3.200V17z") };

/**
 * Puts an Ethereum wallet into the page: announced by EIP-6963, or as window.ethereum if it is a legacy one. chainId is the
 * network that it is on.
 */
export async function addEthereum(page, { legacy = false, chainId = 1, ...look } = {}) {
  const account = privateKeyToAccount(generatePrivateKey());
  const other = privateKeyToAccount(generatePrivateKey());
  const signed = [];
  await page.exposeBinding("testEthereumSign", (_source, message, mode) => {
    signed.push(Buffer.from(message.slice(2), "hex").toString());
    return (mode === "wrong account" ? other : account).signMessage({ message: { raw: message } });
  });
  const options = { ...ember, ...look, legacy, chainId: "0x" + chainId.toString(16), address: account.address.toLowerCase() };
  await page.addInitScript(ethereumInPage, options);
  return { address: account.address, signed, mode: (mode) => page.evaluate((m) => (window.testEthereum.mode = m), mode) };
}

/** Runs in the page. mode says what the person does: nothing special, "reject", "hang" or "wrong account". */
function ethereumInPage({ name, icon, legacy, chainId, address }) {
  const listeners = new Set();
  const wallet = { mode: "", accounts: [], switchAccount: () => listeners.forEach((listener) => listener(["0x" + "1".repeat(40)])) };
  const rejected = Object.assign(new Error("User rejected the request."), { code: 4001 });
  const provider = {
    async request({ method, params }) {
      if (wallet.mode === "hang" && method !== "eth_chainId") {
        return new Promise((resolve) => (wallet.answer = () => resolve(wallet.request({ method, params }))));
      }
      return wallet.request({ method, params });
    },
    on: (event, listener) => event === "accountsChanged" && listeners.add(listener),
    removeListener: (event, listener) => event === "accountsChanged" && listeners.delete(listener),
  };
  wallet.request = async ({ method, params }) => {
    if (wallet.mode === "reject" && method !== "eth_chainId") {
      throw rejected;
    }
    switch (method) {
      case "eth_requestAccounts":
        return (wallet.accounts = wallet.mode === "locked" ? [] : [address]);
      case "eth_accounts":
        return wallet.accounts;
      case "eth_chainId":
        return chainId;
      case "personal_sign":
        if (params[1].toLowerCase() !== address) {
          throw Object.assign(new Error("unknown account"), { code: 4100 });
        }
        return window.testEthereumSign(params[0], wallet.mode);
      default:
        throw Object.assign(new Error(`no method ${method}`), { code: 4200 });
    }
  };
  window.testEthereum = wallet;
  if (legacy) {
    window.ethereum = provider;
    return;
  }
  const detail = Object.freeze({ info: { uuid: crypto.randomUUID(), name, icon, rdns: "com.example.ember" }, provider });
  wallet.announce = () => window.dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail }));
  if (!window.testLate) {
    window.addEventListener("eip6963:requestProvider", wallet.announce);
    wallet.announce();
  }
}

/** Puts a Solana wallet into the page: registered by the Wallet Standard, or as window.solana if it is a legacy one. */
export async function addSolana(page, { legacy = false, envelope = null, oneStep = false, alters = false, ...look } = {}) {
  const pair = Keypair.generate();
  const signed = [];
  await page.exposeBinding("testSolanaSign", (_source, message) => {
    const text = Buffer.from(message).toString();
    signed.push(text);
    const bytes = envelope ? envelope(text, pair.publicKey.toBase58()) : Uint8Array.from(message);
    return { signature: [...nacl.sign.detached(bytes, pair.secretKey)], signedMessage: [...bytes] };
  });
  const address = pair.publicKey.toBase58();
  // What solana:signIn makes of its input, by the library that wallets use for it.
  // One that alters it leaves out what it does not know, and can sign a text as it stands too.
  await page.exposeBinding("testSolanaMessage", (_source, input) => [...createSignInMessage(alters ? { ...input, requestId: undefined } : input)]);
  await page.addInitScript(solanaInPage, { ...cobalt, ...look, legacy, oneStep, alters, address, publicKey: [...pair.publicKey.toBytes()] });
  return { address, signed, mode: (mode) => page.evaluate((m) => (window.testSolana.mode = m), mode) };
}

/** Runs in the page. */
function solanaInPage({ name, icon, legacy, oneStep, alters, address, publicKey }) {
  const wallet = { mode: "" };
  window.testSolana = wallet;
  const answer = () => {
    if (wallet.mode === "reject") {
      throw new Error("User rejected the request.");
    }
  };
  const sign = async (message) => {
    answer();
    const { signature, signedMessage } = await window.testSolanaSign([...message]);
    return { signature: Uint8Array.from(signature), signedMessage: Uint8Array.from(signedMessage) };
  };
  if (legacy) {
    window.solana = {
      publicKey: null,
      async connect() {
        answer();
        this.publicKey = { toString: () => address };
        return { publicKey: this.publicKey };
      },
      signMessage: sign,
    };
    return;
  }
  const chains = ["solana:mainnet", "solana:devnet"];
  const account = Object.freeze({ address, publicKey: Uint8Array.from(publicKey), chains, features: ["solana:signMessage", "solana:signTransaction"] });
  const signMessage = {
    "solana:signMessage": { version: "1.1.0", signMessage: (...inputs) => Promise.all(inputs.map(({ message }) => sign(message))) },
  };
  const signIn = {
    "solana:signIn": {
      version: "1.0.0",
      signIn: async (input) => [{ account, ...(await sign(await window.testSolanaMessage({ ...input, address }))) }],
    },
  };
  // Kits show no wallet that signs no transactions. None is signed here.
  const signTransaction = {
    "solana:signTransaction": {
      version: "1.0.0", supportedTransactionVersions: ["legacy", 0],
      signTransaction: async () => Promise.reject(new Error("User rejected the request.")),
    },
  };
  let accounts = [];
  const connect = async () => (answer(), { accounts: (accounts = [account]) });
  const standard = Object.freeze({
    version: "1.0.0", name, icon, chains,
    get accounts() {
      return accounts;
    },
    features: {
      "standard:connect": { version: "1.0.0", connect },
      ...signTransaction,
      "standard:events": { version: "1.0.0", on: () => () => {} },
      ...(oneStep || alters ? signIn : {}), ...(oneStep ? {} : signMessage),
    },
  });
  const register = ({ register: add }) => add(standard);
  window.addEventListener("wallet-standard:app-ready", ({ detail: api }) => register(api));
  window.dispatchEvent(new CustomEvent("wallet-standard:register-wallet", { detail: register }));
}
