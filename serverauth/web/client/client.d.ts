/** Where and how a client works. */
export interface ClientOptions {
  /** The issuer's URL; this page's origin if left out. */
  url?: string;
  /** "memory" (default): tokens end with the last tab. "session": they survive a reload, and every script of the origin can read them. */
  storage?: "memory" | "session";
  /** Other origins whose requests get the token. */
  origins?: string[];
  /** Whether tokens are bound to a key of this browser (DPoP), where the server can. Default: true. */
  dpop?: boolean;
}

/** An account that a wallet gave. */
export interface Account {
  address: string;
  /** CAIP-2, of Ethereum wallets. */
  chainId?: string;
}

/** What a wallet contributes to POST /sign-in. */
export interface Proof {
  algorithm?: string;
  address?: string;
  challenge?: string;
  public_key?: string;
  signature: string;
  message?: string;
  signed_message?: string;
  encoding?: "hex" | "base58" | "base64" | "base64url";
}

/** A wallet of this browser. */
export interface Wallet {
  readonly id: string;
  readonly name: string;
  /** A data URI, or "". */
  readonly icon: string;
  /** CAIP-2 chains or namespaces. */
  readonly chains: readonly string[];
  connect(): Promise<Account>;
  sign(account: Account, message: string): Promise<Proof>;
  /** Calls back when the person switches accounts; returns what ends that. */
  onAccountChange(callback: () => void): () => void;
}

/** The reply of POST /challenge. */
export interface Challenge {
  challenge: string;
  /** Seconds. */
  ttl: number;
  expires_at: string;
  message?: string;
}

/** A connected wallet and the message that it is to sign. */
export interface Prepared extends Challenge {
  wallet: Wallet;
  account: Account;
}

/** Who is signed in. */
export interface Session {
  subject: string;
  address?: string;
  algorithm?: string;
  /** The access token's claims, unverified. */
  claims: Record<string, unknown>;
  /** When the access token expires, by this machine's clock, in milliseconds. */
  expiresAt: number;
  /** The access token's life, in seconds. */
  lifetime: number;
}

export interface Client {
  wallets(): readonly Wallet[];
  lookForWallets(): void;
  readonly session: Session | null;
  readonly ready: Promise<void>;
  onChange(listener: () => void): () => void;
  signIn(options: { wallet: Wallet; domain?: string }): Promise<Session | null>;
  prepare(options: { wallet: Wallet; domain?: string }): Promise<Prepared>;
  finish(prepared: Prepared, options?: { isCancelled?: () => boolean }): Promise<Session | null>;
  /** Signs in with what another library signed: the body of POST /sign-in. */
  signInWith(proof: Proof): Promise<Session>;
  challenge(request?: { address?: string | null; algorithm?: string; chain_id?: string; domain?: string }): Promise<Challenge>;
  /** A valid access token. One that is bound to a key (DPoP) is worth nothing by itself: see headers. */
  token(): Promise<string>;
  /** The headers with the access token, for a request that something else sends; none for an origin that does not get it. */
  headers(url: string | URL, method?: string): Promise<Record<string, string>>;
  refresh(): Promise<string>;
  /** As window.fetch, with the access token for the server's and the listed origins. Rejects with SessionEndedError if nobody is signed in. */
  fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response>;
  logout(): Promise<void>;
}

/** The server's refusal. */
export declare class AuthError extends Error {
  readonly status: number;
  readonly code: string;
  readonly hint: string;
  /** Seconds; 0 if the server named none. */
  readonly retryAfter: number;
}
/** The server could not be reached. */
export declare class UnreachableError extends Error {}
/** There is no session, or it has ended. */
export declare class SessionEndedError extends Error {}
/** The wallet is locked, or the person shared no account. */
export declare class NoAccountError extends Error {}

export declare function createClient(options?: ClientOptions): Client;

/** The fields of a Sign-In with Solana message, as the Wallet Standard's signIn feature takes them. */
export declare function signInInput(message: string): SignInInput;

/** As SolanaSignInInput of @solana/wallet-standard-features. */
export interface SignInInput {
  domain?: string;
  address?: string;
  statement?: string;
  uri?: string;
  version?: string;
  chainId?: string;
  nonce?: string;
  issuedAt?: string;
  expirationTime?: string;
  notBefore?: string;
  requestId?: string;
  resources?: string[];
}
