// Package events has the security events of the auth server: log records with a stable name that an operator, or a rule of
// theirs, watches for.
package events

import (
	"context"
	"log/slog"
)

// Security events are the records of the app's slog.Logger that an operator, or a rule of theirs, watches for. The message
// of each is its name, which is also in the attribute event. Names, and the code of a refusal (that of the problem that
// was answered), are stable. A client is an IP address, subject and by are the claim sub of a token, consent is the Request ID
// that a person signed (request_id in every record is that of the HTTP request). There is never a token, a signature,
// a nonce, a password or a secret in one.
//
//	event                level  when                                                     attributes
//	sign_in              INFO   a wallet signed in                                       subject algorithm client
//	sign_in_refused      INFO   and did not                                              code reason address (claimed) algorithm client
//	login                INFO   the administrator logged in with the password            client
//	login_refused        INFO   somebody did not                                         code client
//	refresh_refused      INFO   a refresh token was not accepted                         code client
//	refresh_reused       WARN   one was used again: it was stolen, the session has ended code subject sid client
//	wallet_joined        INFO   a wallet was joined to a subject, which ended so many sessions subject wallet by sessions client
//	wallet_left          INFO   a wallet was taken away from its subject                 subject wallet by sessions client
//	wallet_refused       INFO   a wallet was not joined, or not taken away               code reason subject address client
//	link_forged          ERROR  the database holds a link that the issuer did not write, id (the wallet or its subject)
//	                            or has lost one
//	session_forged       ERROR  the database holds sessions that the issuer did not write sid (the first) rows
//	client_created       INFO   an operator has added an OAuth client                    client_id by client
//	client_deleted       INFO   an operator has removed an OAuth client                  client_id by client
//	client_document_refused INFO the metadata document of a client could not be had       client_id reason
//	client_registered    INFO   a client has registered itself                           client_id client
//	client_forged        ERROR  the database holds a client that the issuer did not write client_id
//	session_ended        INFO   a session was ended by its holder or an operator         sid subject by client
//	logout               INFO   a session was ended by its holder                        client
//	revoked              INFO   an operator ended a token, a session or a subject        jti sid sub by sessions tokens
//	fleet_session        INFO   a token was minted for a holder of the fleet secret      jti role client
//	fleet_refused        INFO   a request with or without the secret was refused         code client [endpoint]
//	access_refused       INFO   an operator's endpoint was asked without the right token code client endpoint [subject]
//	rate_limited         INFO   a client asked too often                                 code client endpoint [left_out]
//	oauth_consent        INFO   a person allowed an OAuth client something               subject client_id scope resource consent client
//	oauth_tokens         INFO   a client got tokens                                      client_id grant subject sid scope consent client [workload]
//	oauth_refused        INFO   a request of a client was refused                        code reason client_id endpoint client
//	oauth_code_reused    WARN   a code was used again: it was stolen, its session ended  client_id by subject sid consent
//	keys_rotated         INFO   an operator had the keys rotated                         kid state by
//	key_compromised      WARN   an operator had a key removed                            kid by
//	signing_key_changed  INFO   another key signs from now on, in this process           kid alg before
//	store_went_back      ERROR  a store has lost commits; this process reads it anew     store known seq stored_seq
//	                            (WARN for one session that was found to be older than its token: store sid subject)
//	audit_head           INFO   the mint audit has grown: keep it to find a cut later    seq mac
//	audit_verified       INFO   the mint audit is whole                                  seq mac mints lost pruned
//	audit_gap            ERROR  mints were lost because the store was away               lost stored [error]
//	audit_broken         ERROR  the mint audit was tampered with                         error
const (
	SignIn                = "sign_in"
	SignInRefused         = "sign_in_refused"
	Login                 = "login"
	LoginRefused          = "login_refused"
	RefreshRefused        = "refresh_refused"
	RefreshReused         = "refresh_reused"
	WalletJoined          = "wallet_joined"
	WalletLeft            = "wallet_left"
	WalletRefused         = "wallet_refused"
	LinkForged            = "link_forged"
	SessionForged         = "session_forged"
	SessionEnded          = "session_ended"
	Logout                = "logout"
	Revoked               = "revoked"
	FleetSession          = "fleet_session"
	FleetRefused          = "fleet_refused"
	AccessRefused         = "access_refused"
	RateLimited           = "rate_limited"
	OAuthConsent          = "oauth_consent"
	OAuthTokens           = "oauth_tokens"
	OAuthRefused          = "oauth_refused"
	OAuthCodeReused       = "oauth_code_reused"
	KeysRotated           = "keys_rotated"
	KeyCompromised        = "key_compromised"
	StoreWentBack         = "store_went_back"
	AuditHead             = "audit_head"
	AuditVerified         = "audit_verified"
	AuditGap              = "audit_gap"
	AuditBroken           = "audit_broken"
	ClientCreated         = "client_created"
	ClientDeleted         = "client_deleted"
	ClientForged          = "client_forged"
	ClientRegistered      = "client_registered"
	ClientDocumentRefused = "client_document_refused"
)

// Log logs what an operator may want to know.
func Log(ctx context.Context, log *slog.Logger, event string, attributes ...any) {
	log.InfoContext(ctx, event, append([]any{"event", event}, attributes...)...)
}

// Alarm logs what an operator must look at.
func Alarm(ctx context.Context, log *slog.Logger, event string, attributes ...any) {
	log.WarnContext(ctx, event, append([]any{"event", event}, attributes...)...)
}
