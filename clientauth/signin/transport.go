package signin

import (
	"io"
	"net/http"
	"strings"

	"golang.org/x/oauth2"
)

// Transport is an http.RoundTripper that adds the access token to requests, and a proof if the token is bound to a key.
type Transport struct {
	source *Source
	base   http.RoundTripper
	nonces nonces
}

// NewTransport returns a transport. base nil: http.DefaultTransport. The transport repeats a request without a body, or whose
// body can be read again (http.Request.GetBody): once with a new token after a 401 with invalid_token, unless the token is that
// of WithToken, and once with a new proof after a 401 that asks for a nonce (use_dpop_nonce) or refuses the proof. If the
// http.Client follows a redirect to another host or scheme, that request gets no token.
func NewTransport(source *Source, base http.RoundTripper) *Transport {
	if base == nil {
		base = http.DefaultTransport
	}
	return &Transport{source: source, base: base}
}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if isRedirectElsewhere(r) {
		return t.base.RoundTrip(r)
	}
	a := attempt{transport: t, request: r}
	if err := a.useToken(""); err != nil {
		closeBody(r)
		return nil, err
	}
	first, err := a.signed()
	if err != nil {
		closeBody(r)
		return nil, err
	}
	reply, err := t.base.RoundTrip(first)
	for err == nil && a.mayRepeat(reply) {
		again, failed := a.again()
		if failed != nil {
			return reply, nil //nolint:nilerr // the server's answer says more
		}
		_, _ = io.Copy(io.Discard, io.LimitReader(reply.Body, maxReply))
		_ = reply.Body.Close()
		reply, err = t.base.RoundTrip(again)
	}
	if err == nil {
		t.nonces.learn(r.URL, reply)
	}
	return reply, err
}

// attempt is a request and the token for it.
type attempt struct {
	transport *Transport
	request   *http.Request
	token     *oauth2.Token
	key       *proofKey

	refused             bool // the last reply refused the token
	renewed, provedAnew bool
}

// useToken sets the token: that of the request's context, or one of the source that is not the refused one.
func (a *attempt) useToken(refused string) (err error) {
	a.token, a.key, err = a.transport.source.token(a.request.Context(), refused)
	if err == nil && tokenOf(a.request) != nil {
		a.token = tokenOf(a.request)
	}
	return err
}

// signed returns the request with the token and a new proof.
func (a *attempt) signed() (*http.Request, error) {
	clone := a.request.Clone(a.request.Context())
	clone.Header.Del(headerProof)
	if !strings.EqualFold(a.token.TokenType, typeDPoP) {
		clone.Header.Set("Authorization", "Bearer "+a.token.AccessToken)
		return clone, nil
	}
	if a.key == nil {
		return nil, errNoKey
	}
	clone.Header.Set("Authorization", typeDPoP+" "+a.token.AccessToken)
	return clone, a.key.prove(clone, a.token.AccessToken, &a.transport.nonces)
}

// mayRepeat reports whether to repeat the request with another token or another proof, each at most once.
func (a *attempt) mayRepeat(reply *http.Response) bool {
	if reply.StatusCode != http.StatusUnauthorized || a.request.Body != nil && a.request.Body != http.NoBody && a.request.GetBody == nil {
		return false
	}
	said := strings.Join(reply.Header.Values("WWW-Authenticate"), ", ")
	learned := a.transport.nonces.learn(a.request.URL, reply)
	switch {
	case strings.Contains(said, `"`+errorNonce+`"`) && learned || strings.Contains(said, `"`+errorProof+`"`):
		again := !a.provedAnew && a.key != nil
		a.refused, a.provedAnew = false, true
		return again
	case strings.Contains(said, "invalid_token"):
		again := !a.renewed && tokenOf(a.request) == nil
		a.refused, a.renewed = true, true
		return again
	default:
		return false
	}
}

// again returns a copy of the request with its body from the beginning.
func (a *attempt) again() (*http.Request, error) {
	if a.refused {
		if err := a.useToken(a.token.AccessToken); err != nil {
			return nil, err
		}
	}
	again, err := a.signed()
	if err == nil && a.request.GetBody != nil {
		again.Body, err = a.request.GetBody()
	}
	return again, err
}

// isRedirectElsewhere reports whether the request follows a redirect to another host or scheme than that of the first request.
func isRedirectElsewhere(r *http.Request) bool {
	first := r
	for first.Response != nil && first.Response.Request != nil {
		first = first.Response.Request
	}
	return first.URL.Host != r.URL.Host || first.URL.Scheme != r.URL.Scheme
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
}
