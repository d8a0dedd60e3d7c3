// Package contract verifies signatures of contract wallets with calls to their chains, within a limit: each call costs money.
//
// One half of all calls is for any request, the other half for wallets that have a live session, so that a flood of requests
// cannot lock them out. Concurrent equal questions share one call.
package contract
