// Package wallet knows how wallets sign and what they sign: the signature
// schemes, the addresses that name a key, and the texts that a wallet shows to
// the person who signs in.
//
// The threat it answers is a client that claims an address which is not its
// own. So nothing is derived from what a client typed: a [Scheme] first proves
// which key signed ([Scheme.Verify]), and only then is the claimed address
// held against that key ([Scheme.Identify]). The [Identity] that comes out,
// not the request, is what a token may be issued for.
//
// A signed text is worth as much as the rules it is read by. [ParseMessage] is
// the one parser for the three kinds of text (EIP-4361 for Ethereum, Sign-In
// with Solana, CAIP-122 for keys without a chain); it accepts the grammar and
// nothing beside it. [MessagePolicy.Check] then holds domain, URI, chain and
// times against the site's own rules. Whether the nonce is alive is for the
// caller to ask, with [Message.Nonce].
//
// Every function takes bytes of any length and content and answers with an
// error, never with a panic. [Code] names the rule that refused.
//
// The package has no state, does no input or output, and may be used from any
// number of goroutines.
package wallet
