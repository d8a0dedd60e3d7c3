// Package links manages which wallets belong to which subject: a user may add several wallets to one subject, sign in with any of
// them, and remove one again, for example after a key was lost.
//
// A [Book] reads the links: at a sign-in it returns the subject of the wallet ([Book.Owner]). A [Registrar] changes them:
// [Registrar.Join] adds a wallet, [Registrar.Leave] removes one, and both end the sessions that must not continue.
//
// Every row has a MAC of the issuer, and no row is ever deleted: the row of a removed wallet says that it was removed. Somebody who
// can write to the database but has no key can lock wallets out, but cannot assign one to another subject: a row that was changed
// or copied, or is missing while other rows still refer to its wallet, counts as that of a removed wallet.
package links
