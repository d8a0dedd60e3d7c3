// Solana wallets: those that register themselves (Wallet Standard), or else the one that took window.solana.

import { sameBytes, toHex } from "./bytes.js";

const connect = "standard:connect";
const events = "standard:events";
const signMessage = "solana:signMessage";

const isSolana = (chain) => chain.startsWith("solana:");

/** The wallet's part of a sign-in request. A wallet may sign an envelope around the text, as Ledger does. */
function proof(text, signature, signed = text) {
  const request = { algorithm: "Ed25519", signature: toHex(signature) };
  return sameBytes(signed, text) ? request : { ...request, signed_message: toHex(signed) };
}

/** A wallet of the Wallet Standard. */
class StandardWallet {
  chain = "Solana";
  #wallet;

  constructor(wallet) {
    this.#wallet = wallet;
    Object.assign(this, { id: "solana:" + wallet.name, name: String(wallet.name), icon: wallet.icon });
  }

  static accepts(wallet) {
    return wallet?.chains?.some(isSolana) && wallet.features?.[connect] && wallet.features[signMessage];
  }

  async connect() {
    const { accounts } = await this.#wallet.features[connect].connect();
    const account = accounts.find((one) => one.chains.some(isSolana) && one.features.includes(signMessage));
    return { address: account?.address, account };
  }

  async sign({ account }, text) {
    const message = new TextEncoder().encode(text);
    const [{ signature, signedMessage }] = await this.#wallet.features[signMessage].signMessage({ account, message });
    return proof(message, signature, signedMessage);
  }

  onAccountChange(callback) {
    const stop = this.#wallet.features[events]?.on("change", ({ accounts }) => accounts && callback());
    return stop ?? (() => {});
  }
}

/** A wallet that is only a global, as all were before the Wallet Standard. */
class LegacyWallet {
  chain = "Solana";
  id = "solana:window";
  icon = "";
  #provider;

  constructor(provider) {
    this.#provider = provider;
    this.name = provider.isPhantom ? "Phantom" : "Solana wallet";
  }

  async connect() {
    const reply = await this.#provider.connect();
    return { address: (reply?.publicKey ?? this.#provider.publicKey)?.toString() };
  }

  async sign(_account, text) {
    const message = new TextEncoder().encode(text);
    const reply = await this.#provider.signMessage(message, "utf8");
    return proof(message, reply.signature ?? reply);
  }

  onAccountChange(callback) {
    this.#provider.on?.("accountChanged", callback);
    return () => this.#provider.off?.("accountChanged", callback);
  }
}

/** Finds wallets now and later; changed is called for each that comes later. */
export function findSolanaWallets(changed) {
  const registered = new Map();
  let legacy = null;

  const api = Object.freeze({
    register(...wallets) {
      const accepted = wallets.filter(StandardWallet.accepts);
      accepted.forEach((wallet) => registered.set(wallet, new StandardWallet(wallet)));
      changed();
      return () => {
        accepted.forEach((wallet) => registered.delete(wallet));
        changed();
      };
    },
  });
  window.addEventListener("wallet-standard:register-wallet", ({ detail }) => detail(api));

  return {
    look: () => window.dispatchEvent(new CustomEvent("wallet-standard:app-ready", { detail: api })),
    list() {
      if (registered.size > 0) {
        return [...registered.values()];
      }
      const provider = window.phantom?.solana ?? window.solana;
      if (typeof provider?.signMessage !== "function") {
        return [];
      }
      legacy ??= new LegacyWallet(provider);
      return [legacy];
    },
  };
}
