// Package onchain asks an Ethereum chain whether a contract wallet accepts a signature (EIP-1271, ERC-6492).
//
// A contract wallet (Safe, Coinbase Smart Wallet, Base Account, …) has no key that a signature could be recovered to: only
// its contract knows. A [Verifier] makes one eth_call at the latest block, without a transaction and without gas. The
// answer of a JSON-RPC end is believed, so an end must be one's own or trusted: whoever runs it can sign in as any contract
// wallet of its chain, and as nobody else.
//
// Three results are kept apart: the contract accepts, it does not accept (a revert, or any other answer), and the chain
// could not be asked ([ErrUnavailable]).
package onchain
