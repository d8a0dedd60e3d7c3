package oauth_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/oauth"
	"github.com/picoauth/picoauth/testutil"
)

// startEcho runs a server that is called in process.
func startEcho(tb testing.TB, auth map[string]any) *echo.Echo {
	tb.Helper()
	var e *echo.Echo
	own := map[string]any{"issuer": "https://auth.example.com", "algorithm": "EdDSA", "rate_limit_per_minute": 0}
	for key, value := range auth {
		own[key] = value
	}
	testutil.NewApp(tb, serverauth.Module, oauth.Module, fx.Populate(&e), app.ConfigMap(map[string]any{
		"app": map[string]any{"log_level": "error"}, "server_auth": own, "oauth": map[string]any{
			"clients": withDevices(), "dynamic_registration": "open", "scopes": map[string]any{"read": "read your data"},
			"resources": []any{map[string]any{"uri": mcp, "name": "Tools", "scopes": map[string]any{"tools": "use the tools"}}},
		},
	}))
	return e
}

func serve(e *echo.Echo, method, path, contentType, body string) *httptest.ResponseRecorder {
	request := &http.Request{Method: method, URL: &url.URL{Path: path}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Host: "auth.example.com", RemoteAddr: "192.0.2.1:1"}
	if method == http.MethodGet {
		request.URL.RawQuery = body
	} else {
		request = httptest.NewRequest(method, path, strings.NewReader(body))
		request.Header.Set("Content-Type", contentType)
	}
	reply := httptest.NewRecorder()
	e.ServeHTTP(reply, request)
	return reply
}

// FuzzAuthorizationRequest looks for a request that leads anywhere but to a redirect URI of its client, to a code without
// anybody who signed, or to the server's own fault.
func FuzzAuthorizationRequest(f *testing.F) {
	e := startEcho(f, nil)
	for _, asked := range []ask{
		newAsk(), newAsk("client_id", "cli", "redirect_uri", "http://127.0.0.1:99/callback"), newAsk("prompt", "none"), newAsk("resource", mcp),
		newAsk("max_age", "0", "login_hint", "0x"), newAsk("response_mode", "form_post"), newAsk("redirect_uri", "https://evil.example/"),
		newAsk("scope", "root"), newAsk("response_type", "token"),
	} {
		f.Add(asked.Encode())
	}
	f.Add("client_id=grafana&client_id=cli")
	f.Add("client_id=%00&redirect_uri=%0d%0aSet-Cookie:a=b")
	f.Fuzz(func(t *testing.T, query string) {
		reply := serve(e, http.MethodGet, oauth.Prefix+"/authorize", "", query)
		location := reply.Header().Get("Location")
		switch {
		case reply.Code != http.StatusOK && reply.Code != http.StatusFound && reply.Code != http.StatusBadRequest:
			t.Fatalf("status %d: %s", reply.Code, reply.Body)
		case (location != "") != (reply.Code == http.StatusFound):
			t.Fatalf("status %d leads to %q", reply.Code, location)
		case location != "" && !strings.HasPrefix(location, redirect+"?") && !strings.HasPrefix(location, "http://127.0.0.1"):
			t.Fatalf("leads to %q", location)
		case strings.Contains(location, "code="):
			if at, err := url.Parse(location); err != nil || at.Query().Has("code") {
				t.Fatalf("a code for nobody: %q", location)
			}
		}
	})
}

// FuzzDevicePage looks for a text that the page of devices shows as a code, or answers a fault of the server's own.
func FuzzDevicePage(f *testing.F) {
	e := startEcho(f, nil)
	shown := regexp.MustCompile(`name="user_code" value="([BCDFGHJKLMNPQRSTVWXZ]{8})?"`)
	for _, text := range []string{"", "bcdf-ghjk", "BCDF GHJK", "AEIOU", "%", "BCDFGHJK\x00", `"><script>`, "ſſſſſſſſ", "ııııbcdf"} {
		f.Add("user_code=" + url.QueryEscape(text))
	}
	f.Add("done=1")
	f.Add("user_code=%&user_code=BCDFGHJK")
	f.Fuzz(func(t *testing.T, query string) {
		reply := serve(e, http.MethodGet, oauth.Prefix+"/device", "", query)
		if text := reply.Body.String(); reply.Code != http.StatusOK || strings.Contains(text, "user_code") && !shown.MatchString(text) {
			t.Fatalf("status %d: %s", reply.Code, text)
		}
	})
}

// FuzzForms looks for a body of the endpoints of clients, and of those that pages and programs send JSON to, that gets tokens, or is
// the server's own fault.
func FuzzForms(f *testing.F) {
	e := startEcho(f, nil)
	paths := []string{"/token", "/revoke", "/introspect", "/authorize", "/authorize/decide", "/authorize/password", "/logout",
		"/device_authorization", "/device", "/register", "/authorize/challenge", "/authorize/sign-in", "/clients"}
	for _, body := range []string{
		"", "%", "a=b&a=c", "grant_type=authorization_code&client_id=cli&code=a.b", "grant_type=refresh_token&client_id=cli&refresh_token=a.b.c",
		"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=a.b.c",
		"client_id=cli&token=a.b.c", "request=a.b&action=allow&csrf=x", "client_id=grafana&client_secret=" + url.QueryEscape("x"),
		"client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=a.b.c",
		"client_id=tv&scope=openid&resource=" + url.QueryEscape(mcp), "user_code=BCDF-GHJK&csrf=x", "token=a.b&token_type_hint=refresh_token&client_id=cli",
		"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&client_id=tv&device_code=a.b",
	} {
		for i := range paths {
			f.Add(i, echo.MIMEApplicationForm, body)
		}
	}
	for _, body := range []string{
		"", "{}", "[]", `{"redirect_uris": ["http://127.0.0.1/cb"], "token_endpoint_auth_method": "private_key_jwt"}`, `{"redirect_uris": ["https://a/"], "jwks": {"keys": []}}`,
		`{"redirect_uris": ["javascript:"]}`, `{"request": "a.b", "address": "0x"}`, `{"request": "a.b", "message": "", "signature": "0x00"}`,
	} {
		for i := range paths {
			f.Add(i, echo.MIMEApplicationJSON, body)
		}
	}
	f.Add(0, "text/plain", "grant_type=authorization_code")
	f.Fuzz(func(t *testing.T, i int, contentType, body string) {
		path := paths[uint(i)%uint(len(paths))]
		reply := serve(e, http.MethodPost, oauth.Prefix+path, contentType, body)
		if reply.Code >= 500 || strings.Contains(reply.Body.String(), `"access_token":`) || strings.Contains(reply.Header().Get("Location"), "code=eyJ") {
			t.Fatalf("%s: status %d: %s", path, reply.Code, reply.Body)
		}
	})
}

// FuzzTokenExchange looks for an exchange of good tokens that gets more than the person allowed and the agent may, or that gets
// anything for tokens that were changed.
func FuzzTokenExchange(f *testing.F) {
	s := agentServer(f, map[string]any{"real_clock": true, "access_token_expire_minutes": 600})
	subject, actor := s.person("openid read tools", "resource", mcp), s.own("agent")
	f.Add("", "", "scope=read")
	f.Add("", "", "scope=tools&resource="+url.QueryEscape(mcp))
	f.Add("", "", "audience=pico&requested_token_type="+url.QueryEscape(accessToken))
	f.Add("a.b.c", "", "subject_token_type=x")
	f.Add("", subject[:20], "actor_token_type=&scope=*")
	f.Fuzz(func(t *testing.T, subjectSuffix, actorSuffix, more string) {
		extra, err := url.ParseQuery(more)
		if err != nil {
			return
		}
		form := url.Values{}
		given := exchanging(subject+subjectSuffix, actor+actorSuffix)
		for i := 0; i < len(given); i += 2 {
			form.Set(given[i], given[i+1])
		}
		for name, values := range extra {
			if name != "subject_token" && name != "actor_token" && name != "grant_type" {
				form[name] = values
			}
		}
		within := *s
		within.TB = t
		reply := within.postClientForm("/token", "agent", form, "")
		if reply.StatusCode >= 500 {
			t.Fatalf("status %d: %s", reply.StatusCode, reply.body)
		}
		if reply.StatusCode != http.StatusOK {
			return
		}
		got := claimsOf(t, reply.json(t)["access_token"])
		scope, _ := got["scope"].(string)
		for _, name := range strings.Fields(scope) {
			if name != "openid" && name != "read" && name != "tools" {
				t.Fatalf("the scope %q for %s", scope, form.Encode())
			}
		}
		if subjectSuffix+actorSuffix != "" || got["aud"] != mcp {
			t.Fatalf("a token for %v for %s", got["aud"], form.Encode())
		}
	})
}
