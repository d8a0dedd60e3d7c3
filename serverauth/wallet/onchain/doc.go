// Package onchain asks an Ethereum chain whether a contract wallet accepts a signature (EIP-1271, ERC-6492).
//
// A contract wallet (Safe, Coinbase Smart Wallet, Base Account, …) has no key that could be recovered from a signature:
// only its contract can verify one. A [Verifier] makes one eth_call at the latest block, without a transaction and
// without gas. It believes the answer of a JSON-RPC endpoint, so use only endpoints that are yours or trusted: whoever
// runs one can sign in as any contract wallet of its chain, but as nobody else.
//
// There are three results: the contract accepts the signature, it does not (a revert, or any other answer), or the chain
// could not be asked ([ErrUnavailable]).
package onchain
