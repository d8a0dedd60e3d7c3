package oauth

import (
	"cmp"
	"context"
	"crypto/sha256"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/picoauth/picoauth/serverauth/dpop"
	"github.com/picoauth/picoauth/serverauth/oauth/client"
)

// readParameters reads the other parameters.
func (s *Server) readParameters(ctx context.Context, r *request, values url.Values) (err error) {
	if r.Mode = values.Get("response_mode"); r.Mode != modeFormPost {
		r.Mode = modeQuery
	}
	for _, name := range singleParameters {
		switch {
		case len(values[name]) > 1:
			return errInvalidRequest(name + " is there twice")
		case !utf8.ValidString(values.Get(name)):
			return errInvalidRequest(name + " is not valid UTF-8")
		}
	}
	for _, name := range []string{"request", "request_uri", "registration"} {
		if values.Get(name) != "" {
			return &Error{Code: name + "_not_supported", Description: "the parameter " + name + " is not supported"}
		}
	}
	if err := cmp.Or(checkResponse(r, values), readChallenge(r, values), readPrompt(r, values)); err != nil {
		return err
	}
	if r.Nonce, r.LoginHint = values.Get("nonce"), values.Get("login_hint"); len(r.Nonce) > maxNonce {
		return errInvalidRequest("nonce has more than 512 bytes")
	}
	if hint := values.Get("id_token_hint"); hint != "" {
		if r.Hint = s.readHint(ctx, hint).Subject; r.Hint == "" {
			return errInvalidRequest("id_token_hint is not an ID token of this server")
		}
	}
	if r.KeyThumbprint = values.Get("dpop_jkt"); r.KeyThumbprint != "" && !dpop.IsThumbprint(r.KeyThumbprint) {
		return errInvalidRequest("dpop_jkt is not a SHA-256 thumbprint in base64url")
	}
	r.Scope, r.Resources, err = s.catalogue.grant(values, r.client)
	return err
}

func checkResponse(r *request, values url.Values) error {
	switch mode, kind := values.Get("response_mode"), values.Get("response_type"); {
	case !r.client.AllowsGrant(client.GrantCode):
		return errUnauthorizedClient("the client may not use the grant authorization_code")
	case kind == "":
		return errInvalidRequest("response_type is missing")
	case kind != "code":
		return &Error{Code: "unsupported_response_type", Description: "response_type must be code"}
	case mode != "" && mode != modeQuery && mode != modeFormPost:
		return errInvalidRequest("response_mode must be query or form_post")
	case mode == modeFormPost && !strings.HasPrefix(r.RedirectURI, "http"):
		return errInvalidRequest("response_mode form_post needs a redirect_uri of http or https")
	default:
		return nil
	}
}

// readChallenge requires PKCE with S256 (RFC 7636).
func readChallenge(r *request, values url.Values) error {
	r.Challenge = values.Get("code_challenge")
	switch raw, err := base64url.DecodeString(r.Challenge); {
	case r.Challenge == "":
		return errInvalidRequest("code_challenge is missing: PKCE is required")
	case values.Get("code_challenge_method") != "S256":
		return errInvalidRequest("code_challenge_method must be S256")
	case err != nil || len(raw) != sha256.Size:
		return errInvalidRequest("code_challenge is not a SHA-256 hash in base64url")
	default:
		return nil
	}
}

func readPrompt(r *request, values url.Values) error {
	r.Prompt = splitScope(values.Get("prompt"))
	for _, prompt := range r.Prompt {
		if !slices.Contains([]string{promptNone, promptLogin, promptConsent, promptSelect}, prompt) {
			return errInvalidRequest("prompt " + shorten(prompt) + " is unknown")
		}
	}
	if r.asks(promptNone) && len(r.Prompt) > 1 {
		return errInvalidRequest("prompt none cannot be combined with other values")
	}
	if text := values.Get("max_age"); text != "" {
		age, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return errInvalidRequest("max_age is not a number of seconds")
		}
		r.MaxAge = int64(age)
	}
	return nil
}
