package clientauth_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/clientauth/jose"
)

func TestProofsBehindProxies(t *testing.T) {
	s := signers()[jose.EdDSA]
	jwk := object{"kty": "OKP", "crv": "Ed25519", "x": jose.EncodeBase64(publicOf(s))}
	jwks := newServer(t, serveKeys([]signer{s}))
	trusted := echo.ExtractIPFromXFFHeader(echo.TrustLoopback(true), echo.TrustPrivateNet(false))
	for name, test := range map[string]struct {
		extract   echo.IPExtractor
		publicURL string
		peer, htu string
		header    []string
		want      int
	}{
		"no proxy":               {nil, "", "127.0.0.1:1", "http://api.internal/me", nil, 200},
		"nobody is trusted":      {nil, "", "127.0.0.1:1", "https://api.example.com/me", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "api.example.com"}, 401},
		"a trusted proxy":        {trusted, "", "127.0.0.1:1", "https://api.example.com/me", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "api.example.com"}, 200},
		"with TLS only":          {trusted, "", "127.0.0.1:1", "https://api.internal/me", []string{"X-Forwarded-Proto", "HTTPS"}, 200},
		"another peer":           {trusted, "", "203.0.113.1:1", "https://api.example.com/me", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "api.example.com"}, 401},
		"the nearest counts":     {trusted, "", "127.0.0.1:1", "https://evil.example/me", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "evil.example, api.example.com"}, 401},
		"in two lines":           {trusted, "", "127.0.0.1:1", "https://api.example.com/me", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "evil.example", "X-Forwarded-Host", "api.example.com"}, 200},
		"a strange scheme":       {trusted, "", "127.0.0.1:1", "ftp://api.internal/me", []string{"X-Forwarded-Proto", "ftp"}, 401},
		"public_url":             {nil, "https://example.com/api", "127.0.0.1:1", "https://example.com/api/me", []string{"X-Forwarded-Host", "evil.example"}, 200},
		"public_url and another": {trusted, "https://example.com/api", "127.0.0.1:1", "https://evil.example/me", []string{"X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "https"}, 401},
	} {
		section := object{"issuer": issuerName, "audience": audience, "jwks_url": jwks.URL, "public_url": test.publicURL}
		c := newClock()
		h := newHost(c, section)
		h.echo.IPExtractor = test.extract
		startHost(t, h)
		token := s.Token(claims(object{"cnf": object{"jkt": must(jose.Thumbprint(s.Key.Public))}}))
		proof := s.Sign(object{"typ": "dpop+jwt", "alg": jose.EdDSA, "jwk": jwk},
			object{"jti": "1", "htm": "GET", "htu": test.htu, "iat": epoch.Unix(), "ath": hashOf(token)})
		r := httptest.NewRequest("GET", "http://api.internal/me", nil)
		r.RemoteAddr = test.peer
		r.Header.Set("Authorization", "DPoP "+token)
		r.Header.Set("DPoP", proof)
		for i := 0; i+1 < len(test.header); i += 2 {
			r.Header.Add(test.header[i], test.header[i+1])
		}
		w := httptest.NewRecorder()
		h.echo.ServeHTTP(w, r)
		if w.Code != test.want {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

func TestSettingsOfProofs(t *testing.T) {
	s := signers()[jose.EdDSA]
	jwks := newServer(t, serveKeys([]signer{s}))
	h := newHost(newClock(), object{"issuer": issuerName, "audience": audience, "jwks_url": jwks.URL, "require_dpop": true, "dpop_algorithms": "PS256, ES256"})
	startHost(t, h)
	w := h.me(s.Token(claims(nil)))
	if got := w.Header().Get("WWW-Authenticate"); w.Code != 401 || !strings.HasPrefix(got, `DPoP algs="PS256 ES256", error="invalid_token"`) {
		t.Errorf("%d %s", w.Code, got)
	}
	for key, value := range map[string]any{"dpop_algorithms": "HS256", "dpop_cache_size": 0, "public_url": "api.example.com"} {
		err := newHost(newClock(), object{"issuer": issuerName, "audience": audience, key: value}).Err()
		if err == nil || !strings.Contains(err.Error(), clientauth.SettingsSection+"."+key) {
			t.Errorf("%s: %v", key, err)
		}
	}
}
