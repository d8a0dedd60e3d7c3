package serverauth

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/serverauth/keys"
)

// metadata is the issuer's discovery document (RFC 8414). Endpoints that are not those of a standard have names of
// their own.
type metadata struct {
	Issuer                string   `json:"issuer"`
	JWKSURI               string   `json:"jwks_uri"`
	IntrospectionEndpoint string   `json:"introspection_endpoint"`
	ResponseTypes         []string `json:"response_types_supported"`
	SubjectTypes          []string `json:"subject_types_supported"`
	SigningAlgorithms     []string `json:"id_token_signing_alg_values_supported"`
	WalletAlgorithms      []string `json:"picoauth_wallet_algorithms_supported"`
	ChallengeEndpoint     string   `json:"picoauth_challenge_endpoint"`
	SignInEndpoint        string   `json:"picoauth_sign_in_endpoint"`
	LoginEndpoint         string   `json:"picoauth_login_endpoint"`
	RefreshEndpoint       string   `json:"picoauth_refresh_endpoint"`
	LogoutEndpoint        string   `json:"picoauth_logout_endpoint"`
	RevokeEndpoint        string   `json:"picoauth_revoke_endpoint"`
	RevokedListEndpoint   string   `json:"picoauth_revoked_jtis_endpoint"`
}

// discovery serves the well-known documents.
type discovery struct {
	settings ServerAuthSettings
	ring     *keys.Ring
	wallets  []string
}

// document is GET /.well-known/openid-configuration and /.well-known/oauth-authorization-server.
func (d *discovery) document(c echo.Context) error {
	base := d.settings.Issuer + Prefix
	document := metadata{
		Issuer:                d.settings.Issuer,
		JWKSURI:               base + "/jwks",
		IntrospectionEndpoint: base + "/introspect",
		ResponseTypes:         []string{},
		SubjectTypes:          []string{"public"},
		WalletAlgorithms:      d.wallets,
		ChallengeEndpoint:     base + "/challenge",
		SignInEndpoint:        base + "/sign-in",
		LoginEndpoint:         base + "/login",
		RefreshEndpoint:       base + "/refresh",
		LogoutEndpoint:        base + "/logout",
		RevokeEndpoint:        base + "/revoke",
		RevokedListEndpoint:   base + "/revoked-jtis",
	}
	signs := ""
	for _, key := range d.ring.List() {
		if key.State == keys.StateActive {
			signs = key.Algorithm
		}
	}
	document.SigningAlgorithms = []string{signs}
	// Many clients fail on a whole set that holds one AKP key, so they are shown a set without.
	if jose.KeyType(signs) != "AKP" {
		document.JWKSURI += "?kty=RSA,EC,OKP"
	}
	c.Response().Header().Set(echo.HeaderCacheControl, "public, max-age=300")
	return app.WriteJSON(c.Response(), http.StatusOK, document)
}
