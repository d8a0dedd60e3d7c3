package serverauth

import (
	"maps"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/serverauth/keys"
)

// discovery serves the keys and the authorization server metadata (RFC 8414, OpenID Connect Discovery). Endpoints that no standard defines
// have member names of their own. There is no authorization endpoint and no token endpoint unless a module such as oauth adds them.
type discovery struct {
	settings ServerAuthSettings
	path     string // of the issuer, mostly empty
	ring     *keys.Ring
	wallets  []string
	added    []Metadata
}

// paths are the paths of the documents. For an issuer with a path, RFC 8414 puts the well-known name before that path.
// OpenID Connect Discovery puts it after: a proxy in front of the server has to remove the path.
func (d *discovery) paths() []string {
	var paths []string
	for _, name := range []string{"openid-configuration", "oauth-authorization-server"} {
		paths = append(paths, "/.well-known/"+name)
		if d.path != "" {
			paths = append(paths, "/.well-known/"+name+d.path)
		}
	}
	return paths
}

// document is GET /.well-known/openid-configuration and /.well-known/oauth-authorization-server.
func (d *discovery) document(c echo.Context) error {
	base := d.settings.Issuer + Prefix
	document := Metadata{
		"issuer":                               d.settings.Issuer,
		"introspection_endpoint":               base + "/introspect",
		"response_types_supported":             []string{},
		"subject_types_supported":              []string{"public"},
		"picoauth_wallet_algorithms_supported": d.wallets,
		"picoauth_challenge_endpoint":          base + "/challenge",
		"picoauth_sign_in_endpoint":            base + "/sign-in",
		"picoauth_login_endpoint":              base + "/login",
		"picoauth_refresh_endpoint":            base + "/refresh",
		"picoauth_logout_endpoint":             base + "/logout",
		"picoauth_revoke_endpoint":             base + "/revoke",
		"picoauth_revoked_jtis_endpoint":       base + "/revoked-jtis",
	}
	if len(d.settings.DPoPAlgorithms) > 0 {
		document["dpop_signing_alg_values_supported"] = d.settings.DPoPAlgorithms
	}
	for _, added := range d.added {
		maps.Copy(document, added)
	}
	signs, _ := signing(d.ring.List())
	document["id_token_signing_alg_values_supported"] = []string{signs.Algorithm}
	document["jwks_uri"] = base + "/jwks"
	// Many clients cannot read a set that contains a key of type AKP, so they get a set without such keys.
	if jose.KeyType(signs.Algorithm) != "AKP" {
		document["jwks_uri"] = base + "/jwks?kty=RSA,EC,OKP"
	}
	c.Response().Header().Set(echo.HeaderCacheControl, "public, max-age=300")
	return app.WriteJSON(c.Response(), http.StatusOK, document)
}

// jwks is GET /jwks, the keys that verify access tokens. The key ring prepares the body and the ETag when its keys change; it computes the max-age for each request.
func (d *discovery) jwks(c echo.Context) error {
	var types []string
	if c.Request().URL.RawQuery != "" {
		if filter := c.QueryParam("kty"); filter != "" {
			types = strings.Split(filter, ",")
		}
	}
	document, err := d.ring.JWKS(types...)
	if err != nil {
		return err
	}
	return writeETag(c, document.Body, document.ETag, document.CacheControl())
}
