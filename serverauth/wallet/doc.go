// Package wallet verifies the signatures of wallets and parses what they sign:
// signature schemes, addresses, and the messages that a person signs to sign
// in.
//
// The threat it answers is a client that claims the address of another user.
// [Scheme.Verify] first determines which key signed. Only then does
// [Scheme.Identify] compare the claimed address with that key. A token may be
// issued only for the resulting [Identity], not for what the request claims.
//
// [ParseMessage] is the only parser of the three kinds of message: EIP-4361 for
// Ethereum, Sign-In with Solana, and CAIP-122 for keys without a chain. It is
// strict. [MessagePolicy.Check] then checks domain, URI, chain and times
// against the policy of the site. The caller must check that [Message.Nonce] is
// a valid challenge.
//
// Every function accepts input of any length and content. Invalid input is an
// error, never a panic. [Code] returns the name of the rule that was violated.
//
// The package does no input or output and is safe for concurrent use. Its only
// state is the cache of keys in each ML-DSA scheme.
package wallet
