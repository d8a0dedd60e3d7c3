package oauth

import (
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/store"
)

// challengeRequest is the page's request for a message to sign.
type challengeRequest struct {
	Request   string `json:"request"` // sealed, from the page
	Address   string `json:"address"`
	Algorithm string `json:"algorithm"`
	ChainID   string `json:"chain_id"`
}

// challenge is POST /authorize/challenge. It returns the message that a person signs to allow the request.
func (s *Server) challenge(c echo.Context) error {
	var asked challengeRequest
	if err := app.DecodeJSON(c.Response(), c.Request(), &asked); err != nil {
		return err
	}
	r, err := s.reopen(c.Request().Context(), asked.Request)
	if err != nil {
		return pageProblem(err)
	}
	made, err := s.wallets.Challenge(c.Request().Context(), serverauth.ConsentChallenge{
		Address: asked.Address, Algorithm: asked.Algorithm, ChainID: asked.ChainID,
	}, s.consentText(r))
	if err != nil {
		return err
	}
	noStore(c)
	return app.WriteJSON(c.Response(), http.StatusOK, made)
}

// consentText is the content of the message that is specific to a request. The nonce is bound to it.
func (s *Server) consentText(r *request) serverauth.Consent {
	return serverauth.Consent{Statement: s.statement(r), RequestID: r.id, Resources: r.Resources}
}

// signedRequest is a signed message, as in POST /sign-in, with the request that it allows.
type signedRequest struct {
	Request string `json:"request"`
	serverauth.SignedConsent
}

// nextReply is where the page continues: at a location, or with a form that it sends there.
type nextReply struct {
	Location string            `json:"location"`
	Fields   map[string]string `json:"fields,omitempty"`
}

// signed is POST /authorize/sign-in: the wallet's signature of the request's message.
func (s *Server) signed(c echo.Context) error {
	began := s.now()
	if sameOrigin.Check(c.Request()) != nil {
		return errForeignPage
	}
	var given signedRequest
	if err := app.DecodeJSON(c.Response(), c.Request(), &given); err != nil {
		return err
	}
	r, err := s.reopen(c.Request().Context(), given.Request)
	if err != nil {
		return pageProblem(err)
	}
	var b *browser
	err = s.wallets.Prove(c, given.SignedConsent, s.consentText(r), func(subject store.Subject, proof store.WalletProof, settle func() error) (err error) {
		b, err = s.signIn(c, subject, proof, r, began, settle)
		return err
	})
	if err != nil {
		return err
	}
	b.cookie.Consents = withConsent(b.cookie.Consents, r)
	return s.next(c, r, b)
}

// next tells the page where to continue.
func (s *Server) next(c echo.Context, r *request, b *browser) error {
	if r.Device != "" {
		if err := s.allowDevice(c, r, b); err != nil {
			return pageProblem(err)
		}
		noStore(c)
		return app.WriteJSON(c.Response(), http.StatusOK, nextReply{Location: s.path + "/device?done=1"})
	}
	if err := s.remember(c, b); err != nil {
		return err
	}
	text, err := s.issue(c, r, b, r.id)
	values, answer := url.Values{"code": {text}}, nextReply{}
	switch own, isOwn := isError(err); {
	case isOwn:
		s.refused(c, r, own.Code, own.Description)
		values = errorValues(own)
	case err != nil:
		return err
	default:
		s.logConsent(c, r, b, r.id)
	}
	if r.Mode == modeFormPost {
		answer = nextReply{r.RedirectURI, s.fields(r, values)}
	} else {
		answer.Location = s.location(r, values)
	}
	noStore(c)
	return app.WriteJSON(c.Response(), http.StatusOK, answer)
}

var errForeignPage = app.NewProblem(http.StatusForbidden, "foreign_page", "only a page of this server may do this")

// pageProblem turns an error that is shown on a page into one for the page's script.
func pageProblem(err error) error {
	if page, ok := err.(*errPage); ok { //nolint:errorlint // reopen wraps none
		problem := app.NewProblem(http.StatusBadRequest, "invalid_request", page.title)
		problem.Hint = page.text
		return problem
	}
	return err
}
