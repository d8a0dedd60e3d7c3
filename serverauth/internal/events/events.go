// Package events contains the security events of the auth server: log records with a stable name, for operators and their alerts.
package events

import (
	"context"
	"log/slog"
)

// Security events are records of the app's slog.Logger for operators and their alerts. The message is the name of the event, which
// is also in the attribute event. The names are stable, and so is the code of a refusal, which is that of the error response.
// client is an IP address. subject and by are the claim sub of a token. consent is the Request ID that the user signed (request_id
// in every record is that of the HTTP request). No record contains a token, a signature, a nonce, a password or a secret.
//
//	event                level  when                                                     attributes
//	sign_in              INFO   a wallet signed in                                       subject algorithm client
//	sign_in_refused      INFO   a wallet sign-in was refused                             code reason address (claimed) algorithm
//	                                                                                     client
//	login                INFO   the administrator logged in with the password            client
//	login_refused        INFO   a login with the password was refused                    code reason client
//	refresh_refused      INFO   a refresh token was not accepted                         code reason client
//	refresh_reused       WARN   a used one came again: it was stolen; session was ended  code subject sid client
//	wallet_joined        INFO   a wallet was added to a subject, its own sessions ended  subject wallet by sessions client
//	wallet_left          INFO   a wallet was removed from its subject                    subject wallet by sessions client
//	wallet_refused       INFO   adding or removing a wallet was refused                  code reason subject address client
//	link_forged          ERROR  the database holds a link that the issuer did not write, id (the wallet or its subject)
//	                            or has lost one
//	session_forged       ERROR  the database holds sessions that the issuer did not write sid (the first) rows
//	client_created       INFO   an operator has added an OAuth client                    client_id by client
//	client_deleted       INFO   an operator has removed an OAuth client                  client_id by client
//	client_document_refused INFO a document or the keys of a client could not be fetched  client_id or url, reason
//	client_registered    INFO   a client has registered itself                           client_id client
//	client_forged        ERROR  the database holds a client that the issuer did not write client_id
//	session_ended        INFO   a session was ended by its holder or an operator         sid subject by client
//	logout               INFO   a session was ended by its holder                        client [subject client_id]
//	revoked              INFO   an operator or OAuth client revoked a token, a session   jti sid sub by [sessions tokens]
//	                            or a subject
//	fleet_session        INFO   a token was issued to a holder of the fleet secret       jti role client
//	fleet_refused        INFO   a request with or without the secret was refused         code reason client [endpoint]
//	access_refused       INFO   a request to an operator's endpoint was refused          code reason client endpoint [subject]
//	rate_limited         INFO   a client sent too many requests                          code reason client endpoint [left_out]
//	oauth_consent        INFO   a user gave consent to an OAuth client                   subject client_id scope resource consent
//	                                                                                     client
//	oauth_tokens         INFO   a client got tokens                                      client_id grant subject sid scope consent
//	                                                                                     client [workload actors]
//	oauth_refused        INFO   a request of a client was refused                        code reason client_id endpoint client
//	oauth_code_reused    WARN   a used code came again: it was stolen; session was ended client_id by subject sid consent
//	keys_rotated         INFO   an operator rotated the keys                             kid state by
//	key_compromised      WARN   an operator marked a key compromised                     kid by
//	signing_key_changed  INFO   another key signs from now on, in this process           kid alg before
//	store_went_back      ERROR  a store has lost commits; this process reads it again    store known seq stored_seq (keys: store
//	                                                                                     lost do, or store error)
//	                            (WARN for one session that is older than its token: store sid subject)
//	audit_head           INFO   the mint audit has grown: keep it to detect a later cut  seq mac
//	audit_verified       INFO   the mint audit is complete and unchanged                 seq mac mints lost pruned
//	audit_gap            ERROR  mints were lost because the store was unavailable        lost stored [error]
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

// Log logs an event with level INFO.
func Log(ctx context.Context, log *slog.Logger, event string, attributes ...any) {
	log.InfoContext(ctx, event, append([]any{"event", event}, attributes...)...)
}

// Alarm logs an event with level WARN, for operators to look at.
func Alarm(ctx context.Context, log *slog.Logger, event string, attributes ...any) {
	log.WarnContext(ctx, event, append([]any{"event", event}, attributes...)...)
}
