// Ethereum wallets: those that announce themselves (EIP-6963), or else the one that took window.ethereum.

import { toHex } from "./bytes.js";

/** A wallet behind an EIP-1193 provider. */
class EthereumWallet {
  chain = "Ethereum";
  #provider;

  constructor(id, name, icon, provider) {
    Object.assign(this, { id, name: String(name), icon });
    this.#provider = provider;
  }

  /** Asks the person for an account. */
  async connect() {
    const [address] = await this.#provider.request({ method: "eth_requestAccounts" });
    const chain = await this.#provider.request({ method: "eth_chainId" });
    return { address, chainId: `eip155:${BigInt(chain)}` };
  }

  /** Has the text signed, and returns the wallet's part of a sign-in request. */
  async sign(account, text) {
    const message = "0x" + toHex(new TextEncoder().encode(text));
    const signature = await this.#provider.request({ method: "personal_sign", params: [message, account.address] });
    return { algorithm: "eip191", signature };
  }

  /** Calls back when the person switches accounts in the wallet; returns what ends that. */
  onAccountChange(callback) {
    this.#provider.on?.("accountsChanged", callback);
    return () => this.#provider.removeListener?.("accountsChanged", callback);
  }
}

/** Finds wallets now and later; changed is called for each that comes later. */
export function findEthereumWallets(changed) {
  const announced = new Map();
  let legacy = null;

  window.addEventListener("eip6963:announceProvider", ({ detail }) => {
    const { info, provider } = detail ?? {};
    if (typeof info?.uuid !== "string" || typeof provider?.request !== "function" || announced.has(info.uuid)) {
      return;
    }
    announced.set(info.uuid, new EthereumWallet("ethereum:" + info.uuid, info.name, info.icon, provider));
    changed();
  });
  window.addEventListener("ethereum#initialized", changed); // mobile browsers of wallets, which are slow to come

  return {
    look: () => window.dispatchEvent(new Event("eip6963:requestProvider")),
    list() {
      if (announced.size > 0) {
        return [...announced.values()];
      }
      if (typeof window.ethereum?.request !== "function") {
        return [];
      }
      const name = window.ethereum.isMetaMask ? "MetaMask" : "Ethereum wallet";
      legacy ??= new EthereumWallet("ethereum:window", name, "", window.ethereum);
      return [legacy];
    },
  };
}
