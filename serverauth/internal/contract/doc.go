// Package contract asks chains about contract wallets within a budget: each question costs money.
//
// Of all calls a half is for whoever asks first, the other for wallets that have a live session, so that junk locks none of
// them out. The same question is asked once at a time, however many wait for its answer.
package contract
