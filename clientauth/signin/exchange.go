package signin

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

const (
	tokenExchange   = "urn:ietf:params:oauth:grant-type:token-exchange"
	accessTokenType = "urn:ietf:params:oauth:token-type:access_token"
	tokenEndpoint   = "/oauth/token"
)

// Exchange returns a token with which the program acts for the subject of an access token, such as a user who has called it (RFC
// 8693). The source's own token is the actor token, and Config.ClientID the client. Config.Scope and Config.Resource limit the new
// token. It is bound to the DPoP key like the source's own tokens. To send it, use WithToken. A refusal of the server is an *Error.
func (s *Source) Exchange(ctx context.Context, subjectToken string) (*oauth2.Token, error) {
	own, key, err := s.token(ctx, "")
	if err != nil {
		return nil, err
	}
	form := url.Values{
		"grant_type":           {tokenExchange},
		"subject_token":        {subjectToken},
		"subject_token_type":   {accessTokenType},
		"actor_token":          {own.AccessToken},
		"actor_token_type":     {accessTokenType},
		"requested_token_type": {accessTokenType},
	}
	if len(s.scope) > 0 {
		form.Set("scope", strings.Join(s.scope, " "))
	}
	for _, resource := range s.resource {
		form.Add("resource", resource)
	}
	began := time.Now()
	var answer tokens
	err = s.server.send(ctx, call{path: tokenEndpoint, form: form, key: key, client: s.client}, &answer)
	if err != nil {
		return nil, err
	}
	exchanged := session{AccessToken: answer.AccessToken, Lifetime: answer.ExpiresIn, ExpiresAt: began.Add(time.Duration(answer.ExpiresIn) * time.Second)}
	if strings.EqualFold(answer.TokenType, typeDPoP) {
		exchanged.Thumbprint = key.thumbprintOrNone()
	}
	return exchanged.token(), nil
}

// tokenInContext is the context key for the token of a request.
type tokenInContext struct{}

// WithToken returns a context with a token, such as one of Exchange. A Transport uses that token, instead of the source's own, for
// requests with this context.
func WithToken(ctx context.Context, token *oauth2.Token) context.Context {
	return context.WithValue(ctx, tokenInContext{}, token)
}

func tokenOf(r *http.Request) *oauth2.Token {
	token, _ := r.Context().Value(tokenInContext{}).(*oauth2.Token)
	return token
}
