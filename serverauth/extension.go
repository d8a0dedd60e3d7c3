package serverauth

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth/internal/events"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/serverauth/wallet"
)

// This file is for modules that add endpoints to the server, such as package oauth.

// Metadata are members that a module adds to the discovery documents (RFC 8414).
type Metadata map[string]any

// Consents returns the maker and verifier of signed consents.
func (a *AuthController) Consents() *Consents { return a.consents }

// Handler wraps a flow so that an *app.Problem that it returns becomes the reply (RFC 9457). Any other error is logged and
// answered with 503.
func (a *AuthController) Handler(flow echo.HandlerFunc) echo.HandlerFunc { return handler(a.log, flow) }

// Anonymous is Handler for an endpoint without authentication: requests are rate limited per client and endpoint.
func (a *AuthController) Anonymous(endpoint string, flow echo.HandlerFunc) echo.HandlerFunc {
	return handler(a.log, a.limits.anonymous(endpoint, flow))
}

// Operator returns the caller if its token has one of operator_roles. Otherwise the error is an *app.Problem with 401 or 403.
func (a *AuthController) Operator(c echo.Context) (*clientauth.SecurityContext, error) {
	return a.guard.operator(c)
}

// Enter admits a CPU-intensive request, or returns an *app.Problem with 503 while too many are in progress. The request
// continues with the returned context, and must call leave at its end.
func (a *AuthController) Enter(ctx context.Context) (seated context.Context, leave func(), err error) {
	return a.admission.enter(ctx)
}

// PasswordEnabled tells whether the administrator can log in with a password.
func (a *AuthController) PasswordEnabled() bool { return a.password.check != nil }

// CheckPassword returns the administrator if e-mail and password are right. Its error need not be an
// *app.Problem; Handler converts it.
func (a *AuthController) CheckPassword(c echo.Context, email, password string) (store.Subject, error) {
	who, err := a.password.verify(c, email, password)
	a.metrics.loggedIn(err)
	if err != nil {
		refusalEvent(c, a.log, events.LoginRefused, err)
		return who, err
	}
	events.Log(c.Request().Context(), a.log, events.Login, "client", app.ClientIP(c))
	return who, nil
}

// Consents makes the messages with which a user's wallet signs a consent, and verifies them, for modules such as oauth. A
// signature is valid for one consent only: a nonce of a consent is not valid at POST /sign-in, a nonce of POST /challenge is not
// valid here, and a message that differs from the server's in a single byte is refused.
type Consents struct {
	challenge *walletChallenge
	login     *walletLogin
}

// Consent is the content of a message, except for the account that signs it.
type Consent struct {
	Statement string
	// RequestID identifies what is allowed. It must be unique.
	RequestID string
	Resources []string
}

// ConsentChallenge is a request for a message, with fields as in POST /challenge. The message's domain is that of the server.
type ConsentChallenge struct{ Address, Algorithm, ChainID string }

// ConsentMessage is a message to sign, as POST /challenge returns it.
type ConsentMessage = challengeReply

// SignedConsent is a signed message, as POST /sign-in takes it.
type SignedConsent = signInRequest

// newConsents returns the consents for the server's own domain, where the consent page is, whatever allowed_domains says.
func newConsents(own wallet.Domain, challenge walletChallenge, login walletLogin) *Consents {
	messages := *challenge.messages
	messages.policy.Domains = []wallet.Domain{own}
	challenge.messages, login.messages, login.requireMessage = &messages, &messages, true
	return &Consents{challenge: &challenge, login: &login}
}

// consentPurpose binds a nonce to every byte of its message except the nonce itself.
func consentPurpose(withoutNonce string) store.Purpose {
	return store.NewPurpose("consent", withoutNonce)
}

// noNonce is the placeholder for the nonce of a message.
const noNonce = "00000000"

var errMessageRequired = app.NewProblem(http.StatusBadRequest, "message_required", "message required")

// Challenge makes the message for an account.
func (k *Consents) Challenge(ctx context.Context, asked ConsentChallenge, of Consent) (ConsentMessage, error) {
	w := k.challenge
	request := challengeRequest{Address: &asked.Address, Algorithm: asked.Algorithm, ChainID: asked.ChainID, Domain: w.messages.policy.Domains[0].Host}
	if err := w.normalise(&request); err != nil {
		return ConsentMessage{}, err
	}
	draft, err := w.messages.draft(request, "", false)
	if err != nil {
		return ConsentMessage{}, err
	}
	if draft == nil {
		return ConsentMessage{}, errMessageRequired
	}
	draft.Statement, draft.RequestID = of.Statement, of.RequestID
	if len(of.Resources) > 0 { // an empty list would be a heading without items
		draft.Resources = of.Resources
	}
	issued := w.now()
	expires := issued.Add(w.messageTTL)
	blank, err := w.messages.finish(draft, noNonce, issued, expires)
	if err != nil {
		return ConsentMessage{}, err
	}
	nonce, err := w.store.Create(ctx, consentPurpose(blank).Owner(request.owner()), w.messageTTL)
	if err != nil {
		return ConsentMessage{}, err
	}
	text, err := w.messages.finish(draft, nonce, issued, expires)
	return ConsentMessage{
		Challenge: nonce, TTL: int64(w.messageTTL / time.Second), ExpiresAt: expires.UTC().Format(time.RFC3339), Message: text,
	}, err
}

// BeginConsent begins what was consented to, for the subject that signed. proof is what the session has to store to verify a
// contract wallet again. BeginConsent must call settle, which uses up the nonce, once it knows whether the subject is allowed.
type BeginConsent func(subject store.Subject, proof store.WalletProof, settle func() error) error

// Prove verifies a signed message, and calls begin with the subject that signed it. Its error need not be an
// *app.Problem; Handler converts it.
func (k *Consents) Prove(c echo.Context, signed SignedConsent, of Consent, begin BeginConsent) error {
	w := k.login
	subject, err := k.prove(c.Request().Context(), &signed, of, begin)
	w.metrics.signedIn(w.verifier, signed.Algorithm, err)
	if err != nil {
		refusalEvent(c, w.log, events.SignInRefused, err, "algorithm", shorten(signed.Algorithm), "address", signed.claimed())
		return err
	}
	events.Log(c.Request().Context(), w.log, events.SignIn, "subject", subject.ID, "algorithm", subject.Algorithm, "client", app.ClientIP(c))
	return nil
}

func (k *Consents) prove(ctx context.Context, signed *SignedConsent, of Consent, begin BeginConsent) (store.Subject, error) {
	w := k.login
	proof, err := w.parse(signed)
	if err != nil {
		return store.Subject{}, err
	}
	if proof.purpose, err = purposeOf(proof, of); err != nil {
		return store.Subject{}, err
	}
	if err := w.sessions.Ready(ctx); err != nil {
		return store.Subject{}, err // before the nonce is spent
	}
	ctx, leave, err := w.admission.enter(ctx)
	if err != nil {
		return store.Subject{}, err
	}
	defer leave()
	spend := sync.OnceValue(func() error { return w.spend(ctx, proof) })
	subject, err := w.prove(ctx, proof, spend)
	if err != nil {
		return store.Subject{}, err
	}
	return subject, begin(subject, proof.kept(subject), spend)
}

// purposeOf returns the purpose of the nonce that the server made for a message and a consent. A message that the server cannot
// have made for the consent is an error.
func purposeOf(proof walletProof, of Consent) (store.Purpose, error) {
	if proof.message == nil {
		return "", errMessageRequired
	}
	if proof.message.RequestID != of.RequestID || proof.message.String() != proof.shown {
		return "", errInvalidChallenge
	}
	blank := *proof.message
	blank.Nonce = noNonce
	return consentPurpose(blank.String()), nil
}
