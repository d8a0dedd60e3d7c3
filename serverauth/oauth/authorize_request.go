package oauth

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/url"
	"slices"
	"time"

	"github.com/picoauth/picoauth/serverauth/oauth/client"
)

const (
	// maxRequest is the maximum length of an authorization request's query in bytes.
	maxRequest = 8 << 10
	// requestTTL is how long a person may take to answer a page.
	requestTTL = time.Hour
	// maxResources is the maximum number of resources. maxGrant is the maximum of their and the scope's bytes: refresh tokens
	// contain them.
	maxResources = 8
	maxGrant     = 1500
	// maxNonce is the maximum length in bytes: codes contain it.
	maxNonce = 512
)

// Values of prompt (OpenID Connect Core, section 3.1.2.1).
const (
	promptNone    = "none"
	promptLogin   = "login"
	promptConsent = "consent"
	promptSelect  = "select_account"
)

const (
	modeQuery    = "query"
	modeFormPost = "form_post"
)

// request is an authorization request. The server does not store it: it is in the page, with a MAC. Each has a random value.
type request struct {
	ClientID    string   `json:"client_id"`
	RedirectURI string   `json:"redirect_uri"`
	Scope       []string `json:"scope"`
	Resources   []string `json:"resource"`
	Challenge   string   `json:"code_challenge"` // of S256
	State       string   `json:"state"`
	Nonce       string   `json:"nonce"`
	Mode        string   `json:"response_mode"`
	LoginHint   string   `json:"login_hint"`
	// KeyThumbprint is `dpop_jkt` (RFC 9449, section 10).
	KeyThumbprint string `json:"dpop_jkt"`
	// Prompt, MaxAge and Hint are checked again when the button of the page is pressed.
	Prompt   []string `json:"prompt"`
	MaxAge   int64    `json:"max_age"` // seconds; -1: any
	Hint     string   `json:"hint"`    // the subject of id_token_hint
	IssuedAt int64    `json:"iat"`     // Unix seconds
	Random   string   `json:"random"`
	Device   string   `json:"device,omitempty"` // id of the device, in the device flow, which has no redirect

	client *client.Client
	byForm bool // a form of this server was sent, whose reply must not redirect to another site
	sealed string
	id     string // SHA-256 of the sealed JSON, base64url
}

// asks reports whether the request has a prompt.
func (r *request) asks(prompt string) bool { return slices.Contains(r.Prompt, prompt) }

// singleParameters are the parameters of an authorization request that must not be repeated.
var singleParameters = []string{
	"response_type", "client_id", "redirect_uri", "scope", "state", "code_challenge", "code_challenge_method", "nonce", "prompt",
	"max_age", "login_hint", "response_mode", "request", "request_uri", "registration", "id_token_hint", "dpop_jkt",
}

// errPage is an error that is shown on a page, never sent by a redirect: the redirect URI is not verified.
type errPage struct{ title, text string }

// Error implements error.
func (e *errPage) Error() string { return e.title + ": " + e.text }

// readRequest reads an authorization request. The error is an *errPage, or an *Error with a request that has its redirect URI.
func (s *Server) readRequest(ctx context.Context, query string) (*request, error) {
	if len(query) > maxRequest {
		return nil, &errPage{"The request is too long", "An authorization request has at most 8192 bytes."}
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, &errPage{"The request cannot be read", "Its query string is not valid."}
	}
	r := &request{State: values.Get("state"), Mode: modeQuery, MaxAge: -1, IssuedAt: s.now().Unix(), Random: randomID()}
	if err := s.readClient(ctx, r, values); err != nil {
		return nil, err
	}
	if err := s.readParameters(ctx, r, values); err != nil {
		return r, err
	}
	return r, s.keep(r)
}

// readClient reads client_id and redirect_uri, which must be valid before anything is redirected.
func (s *Server) readClient(ctx context.Context, r *request, values url.Values) error {
	for _, name := range []string{"client_id", "redirect_uri"} {
		if len(values[name]) > 1 {
			return &errPage{"The request cannot be read", "It has " + name + " twice."}
		}
	}
	id, redirect := values.Get("client_id"), values.Get("redirect_uri")
	if id == "" {
		return &errPage{"The program is unknown", "The request has no client_id."}
	}
	known, err := s.clients.Find(ctx, id)
	switch {
	case errors.Is(err, client.ErrUnreachable):
		return &errPage{"The program cannot be looked up", "The document at its client_id, " + shorten(id) + ", cannot be fetched now."}
	case errors.Is(err, client.ErrUnknown):
		return &errPage{"The program is unknown", "No client has the client_id " + shorten(id) + "."}
	case err != nil:
		return err
	case redirect == "":
		return &errPage{"The request does not say where to go back to", "It has no redirect_uri."}
	case !known.AllowsRedirect(redirect):
		return &errPage{"This address is not registered for the program", "The redirect_uri " + shorten(redirect) + " is not registered for the client."}
	}
	r.client, r.ClientID, r.RedirectURI = known, known.ID, redirect
	return nil
}

// keep seals the request and sets its id.
func (s *Server) keep(r *request) error {
	sealed, payload, err := s.requests.seal(r)
	r.sealed, r.id = sealed, requestID(payload)
	return err
}

func requestID(payload []byte) string {
	sum := sha256.Sum256(payload)
	return base64url.EncodeToString(sum[:])
}

var errRequestGone = &errPage{"This page is too old", "Go back to the program that sent you here, and sign in again."}

// reopen reads a request that a page sends back. The client may have changed or been removed in the meantime.
func (s *Server) reopen(ctx context.Context, sealed string) (*request, error) {
	r := new(request)
	payload, ok := s.requests.open(sealed, r)
	if age := s.now().Unix() - r.IssuedAt; !ok || age > int64(requestTTL/time.Second) || age < -int64(requestTTL/time.Second) {
		return nil, errRequestGone
	}
	known, err := s.clients.Find(ctx, r.ClientID)
	if errors.Is(err, client.ErrUnknown) || err == nil && !r.isDeviceRequest(known) && (!known.AllowsRedirect(r.RedirectURI) || !known.AllowsGrant(client.GrantCode)) {
		return nil, errRequestGone
	}
	r.client, r.sealed, r.id = known, sealed, requestID(payload)
	return r, err
}
