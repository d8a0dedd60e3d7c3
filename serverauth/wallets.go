package serverauth

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth/internal/events"
	"github.com/picoauth/picoauth/serverauth/links"
	"github.com/picoauth/picoauth/serverauth/store"
)

// walletsFlow lists the wallets of the caller, adds one and removes one.
type walletsFlow struct {
	*parts
	login     *walletLogin // reads and verifies the proof of the wallet to add
	registrar *links.Registrar
}

func newWalletsFlow(login walletLogin, registrar *links.Registrar) *walletsFlow {
	login.requireMessage = true // a person who adds a wallet reads to which subject
	return &walletsFlow{parts: login.parts, login: &login, registrar: registrar}
}

// recentSignIn is the maximum age of the sign-in of a session that removes a wallet.
const recentSignIn = 5 * time.Minute

var (
	errRecentSignIn      = app.NewProblem(http.StatusForbidden, "recent_sign_in_required", "a sign-in not older than five minutes required")
	errStatementMismatch = app.NewProblem(http.StatusUnauthorized, "statement_mismatch", "the message does not say that this wallet joins the subject")
	errWalletLeft        = app.NewProblem(http.StatusForbidden, "wallet_left", "the wallet has left its subject")
	errWalletTaken       = app.NewProblem(http.StatusConflict, "wallet_taken", "the wallet belongs to another subject")
	errSubjectExists     = app.NewProblem(http.StatusConflict, "subject_exists", "the wallet is a subject of its own")
	errLastWallet        = app.NewProblem(http.StatusConflict, "last_wallet", "the last wallet cannot leave")
	errAmbiguousWallet   = app.NewProblem(http.StatusConflict, "ambiguous_wallet", "several wallets have this name: use the account")
	errTooManyWallets    = app.NewProblem(http.StatusConflict, "too_many_wallets", "the subject has too many wallets")
	errWalletNotFound    = app.NewProblem(http.StatusNotFound, "wallet_not_found", "there is no such wallet")
)

type walletItem struct {
	Account   string `json:"account,omitempty"`
	WalletID  string `json:"wallet_id,omitempty"`
	Address   string `json:"wallet_address"`
	Algorithm string `json:"algorithm"`
	LinkedAt  string `json:"linked_at"`
}

type walletsReply struct {
	Items []walletItem `json:"items"` // the oldest first
}

type joinReply struct {
	Subject string     `json:"sub"`
	Wallet  walletItem `json:"wallet"`
}

func walletItemOf(row store.Link) walletItem {
	w := row.Wallet
	return walletItem{
		Account: w.Account, WalletID: w.WalletID, Address: w.WalletAddress(), Algorithm: w.Algorithm,
		LinkedAt: time.UnixMilli(row.LinkedAt).UTC().Format(time.RFC3339),
	}
}

// member returns the subject and wallet of the caller's session. A wallet must have begun the session at this server itself: an
// OAuth client that acts for a user must not change the user's wallets.
func (f *walletsFlow) member(c echo.Context) (links.Member, error) {
	caller, _, err := f.guard.holder(c)
	if err != nil {
		return links.Member{}, err
	}
	row, found, err := f.session(c.Request().Context(), caller)
	if err != nil {
		return links.Member{}, err
	}
	if !found || row.Subject.Kind != store.KindWallet || row.ClientID != "" || row.Subject.ID != caller.Subject {
		return links.Member{}, f.guard.refuseRole(c, caller)
	}
	return links.MemberOf(row), nil
}

func (f *walletsFlow) session(ctx context.Context, caller *clientauth.SecurityContext) (row store.Session, found bool, err error) {
	sid, _ := caller.Claims["sid"].(string)
	if sid == "" {
		return row, false, nil
	}
	rows, err := f.sessions.List(ctx, store.SessionQuery{ID: sid, Subject: caller.Subject, Limit: 1})
	if err != nil || len(rows) == 0 {
		return row, false, err
	}
	return rows[0], true, nil
}

// Purposes of the nonces with which a wallet is added to a subject. The subject is part of the purpose.
const (
	joinPurpose  = "join a wallet"
	mergePurpose = "join a wallet and merge"
)

// joinTerms are the terms of a challenge that adds a wallet to a subject.
func joinTerms(subject string, merge bool) challengeTerms {
	terms := challengeTerms{
		purpose: store.NewPurpose(joinPurpose, subject), statement: "Link this wallet to " + subject, alwaysText: true,
	}
	if merge {
		terms.purpose = store.NewPurpose(mergePurpose, subject)
		terms.statement += " and merge"
	}
	return terms
}

// terms returns the terms of a challenge that adds a wallet to the caller's subject.
func (f *walletsFlow) terms(c echo.Context, merge bool) (challengeTerms, error) {
	member, err := f.member(c)
	if err != nil {
		return challengeTerms{}, err
	}
	return joinTerms(member.Subject, merge), nil
}

// list is GET /wallets.
func (f *walletsFlow) list(c echo.Context) error {
	member, err := f.member(c)
	if err != nil {
		return err
	}
	if _, err := queryParameters(c); err != nil {
		return err
	}
	rows, err := f.registrar.Wallets(c.Request().Context(), member)
	if err != nil {
		return err
	}
	answer := walletsReply{Items: []walletItem{}}
	for _, row := range rows {
		answer.Items = append(answer.Items, walletItemOf(row))
	}
	return reply(c, answer)
}

// join is POST /wallets.
func (f *walletsFlow) join(c echo.Context) error {
	member, err := f.member(c)
	if err != nil {
		return err
	}
	var request signInRequest
	joined, err := f.exchange(c, member, &request)
	if err != nil {
		refusalEvent(c, f.log, events.WalletRefused, err, "subject", member.Subject, "address", request.claimed())
		return err
	}
	if joined.New {
		events.Log(c.Request().Context(), f.log, events.WalletJoined, "subject", member.Subject, "wallet", joined.Link.Wallet.ID,
			"by", member.Wallet.ID, "sessions", joined.Sessions, "client", app.ClientIP(c))
	}
	return reply(c, joinReply{member.Subject, walletItemOf(joined.Link)})
}

func (f *walletsFlow) exchange(c echo.Context, member links.Member, request *signInRequest) (links.Joined, error) {
	ctx := c.Request().Context()
	if err := app.DecodeJSON(c.Response(), c.Request(), request); err != nil {
		return links.Joined{}, err
	}
	proof, err := f.login.parse(request)
	if err != nil {
		return links.Joined{}, err
	}
	merge, err := f.allows(&proof, member.Subject)
	if err != nil {
		return links.Joined{}, err
	}
	if err := f.sessions.Ready(ctx); err != nil {
		return links.Joined{}, err // before the nonce is spent
	}
	ctx, leave, err := f.admission.enter(ctx)
	if err != nil {
		return links.Joined{}, err
	}
	defer leave()
	spend := sync.OnceValue(func() error { return f.login.spend(ctx, proof) })
	joining, err := f.login.prove(ctx, proof, spend)
	if err == nil {
		err = spend()
	}
	if err != nil {
		return links.Joined{}, err // where a chain gives no answer, nothing is spent
	}
	return f.registrar.Join(ctx, member, joining, merge)
}

// allows sets the purpose that the nonce of a proof must have, and reports whether the proof allows a merge. That follows from the
// statement of the signed message, or from the nonce if a raw key signed the nonce alone.
func (f *walletsFlow) allows(proof *walletProof, subject string) (merge bool, err error) {
	join, merging := joinTerms(subject, false), joinTerms(subject, true)
	knower, known := f.login.store.(store.NonceKnower)
	if proof.text == textNonce {
		merge = known && knower.IsFor(merging.purpose.Owner(proof.address.Challenge()), proof.nonce)
	} else {
		merge = proof.message.Statement == merging.statement
		switch {
		case merge || proof.message.Statement == join.statement:
		case known && !knower.IsLive(join.purpose, proof.nonce) && !knower.IsLive(merging.purpose, proof.nonce):
			return false, errInvalidChallenge // such as a message to sign in with
		default:
			return false, hinted(errStatementMismatch, "the statement must be "+join.statement+", or "+merging.statement+" to merge")
		}
	}
	proof.purpose = join.purpose
	if merge {
		proof.purpose = merging.purpose
	}
	return merge, nil
}

// leave is DELETE /wallets/{wallet}.
func (f *walletsFlow) leave(c echo.Context) error {
	member, err := f.member(c)
	if err != nil {
		return err
	}
	if _, err := queryParameters(c); err != nil {
		return err
	}
	left, err := f.takeAway(c, member)
	if err != nil {
		refusalEvent(c, f.log, events.WalletRefused, err, "subject", member.Subject, "address", shorten(c.Param("wallet")))
		return err
	}
	events.Log(c.Request().Context(), f.log, events.WalletLeft, "subject", member.Subject, "wallet", left.Link.Wallet.ID,
		"by", member.Wallet.ID, "sessions", left.Sessions, "client", app.ClientIP(c))
	return c.NoContent(http.StatusNoContent)
}

func (f *walletsFlow) takeAway(c echo.Context, member links.Member) (links.Left, error) {
	if f.now().Sub(time.UnixMilli(member.Since)) > recentSignIn {
		return links.Left{}, errRecentSignIn
	}
	name, err := url.PathUnescape(c.Param("wallet")) // encodeURIComponent writes %3A for the colons of an account
	if err != nil {
		return links.Left{}, errWalletNotFound
	}
	return f.registrar.Leave(c.Request().Context(), member, name)
}
