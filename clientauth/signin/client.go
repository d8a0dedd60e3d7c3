package signin

import (
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// assertionType is that of private_key_jwt (RFC 7523, section 2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// clientCredentials are the credentials of the program as an OAuth client.
type clientCredentials struct {
	id, secret, keyID string
	key               *proofKey // of private_key_jwt; nil: the secret
	issuer            string
}

// newClientCredentials returns nil if the configuration has no client.
func newClientCredentials(c Config) (*clientCredentials, error) {
	switch {
	case c.ClientID == "" && c.ClientSecret == "" && c.ClientSigner == nil:
		return nil, nil
	case c.ClientID == "":
		return nil, errors.New("signin: Config.ClientID is missing; ClientSecret and ClientSigner need it")
	case (c.ClientSecret == "") == (c.ClientSigner == nil):
		return nil, errors.New("signin: Config.ClientID needs either ClientSecret or ClientSigner")
	case !c.DPoP && c.DPoPSigner == nil:
		return nil, errors.New("signin: Config.ClientID needs Config.DPoP: the proof of its key shows the server that the source's token is the client's")
	}
	made := &clientCredentials{id: c.ClientID, secret: c.ClientSecret, keyID: c.ClientKeyID, issuer: strings.TrimSuffix(c.Issuer, "/")}
	var err error
	if c.ClientSigner != nil {
		made.key, err = newProofKey(c.ClientSigner, "Config.ClientSigner")
	}
	return made, err
}

// authenticate adds the credentials to the header or the form of a request. Each call makes a new assertion, valid for a minute.
func (c *clientCredentials) authenticate(header http.Header, form url.Values) error {
	if c.key == nil {
		r := http.Request{Header: header}
		r.SetBasicAuth(url.QueryEscape(c.id), url.QueryEscape(c.secret))
		return nil
	}
	head := map[string]any{"typ": "JWT", "alg": c.key.algorithm}
	if c.keyID != "" {
		head["kid"] = c.keyID
	}
	now := time.Now()
	assertion, err := c.key.jwt(head, map[string]any{
		"iss": c.id, "sub": c.id, "aud": c.issuer, "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	})
	form.Set("client_assertion_type", assertionType)
	form.Set("client_assertion", assertion)
	return err
}
