package main

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/testutil"
)

func start(t *testing.T) string {
	t.Helper()
	return testutil.NewApp(t, Options(), app.ConfigMap(map[string]any{"app.port": 0})).URL
}

func fetch(t *testing.T, method, url string, header http.Header) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header = header.Clone()
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply, string(body)
}

func TestPageIsServedToEveryoneUnderItsPolicy(t *testing.T) {
	url := start(t)
	for name, contentType := range map[string]string{
		"/": "text/html; charset=utf-8", "/style.css": "text/css; charset=utf-8", "/main.js": "text/javascript; charset=utf-8",
		"/icon.svg": "image/svg+xml",
	} {
		reply, body := fetch(t, http.MethodGet, url+name, nil)
		if reply.StatusCode != http.StatusOK || body == "" {
			t.Errorf("%s: status %d, %d bytes", name, reply.StatusCode, len(body))
		}
		if got := reply.Header.Get("Content-Type"); got != contentType {
			t.Errorf("%s: type %q, want %q", name, got, contentType)
		}
		if got := reply.Header.Values("Content-Security-Policy"); len(got) != 1 || got[0] != contentPolicy {
			t.Errorf("%s: policy %q", name, got)
		}
		again, _ := fetch(t, http.MethodGet, url+name, http.Header{"If-None-Match": {reply.Header.Get("ETag")}})
		if again.StatusCode != http.StatusNotModified {
			t.Errorf("%s: status %d for its own ETag", name, again.StatusCode)
		}
		if head, _ := fetch(t, http.MethodHead, url+name, nil); head.StatusCode != http.StatusOK {
			t.Errorf("%s: status %d for HEAD", name, head.StatusCode)
		}
	}
}

func TestAllElseNeedsAToken(t *testing.T) {
	url := start(t)
	for _, name := range []string{"/api/profile", "/page/index.html", "/index.html", "/main.js/", "/nothing"} {
		if reply, _ := fetch(t, http.MethodGet, url+name, nil); reply.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: status %d", name, reply.StatusCode)
		}
	}
}

// A policy that lets nothing inline run is kept by having nothing inline, and every file is there that another names.
func TestPageKeepsItsPolicy(t *testing.T) {
	inline := regexp.MustCompile(`(?i)<script>|<style|\sstyle\s*=|\son[a-z]+\s*=|javascript:|innerHTML|outerHTML|insertAdjacentHTML|\beval\(`)
	names := regexp.MustCompile(`(?:src|href|from|import)\s*=?\s*"(?:\./|/)([^"#]+)"`)
	elsewhere := regexp.MustCompile(`(?:https?:)?//[a-z0-9.-]+\.[a-z]+`)
	entries, err := os.ReadDir("page")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		text, err := files.ReadFile(path.Join("page", entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if found := inline.Find(text); found != nil {
			t.Errorf("%s: %q", entry.Name(), found)
		}
		for _, found := range elsewhere.FindAllString(string(text), -1) {
			if found != "http://www.w3.org" { // the name of a namespace
				t.Errorf("%s: goes to %s", entry.Name(), found)
			}
		}
		for _, found := range names.FindAllStringSubmatch(string(text), -1) {
			if found[1] == "api/v1/auth/client.js" { // the server's own
				continue
			}
			if _, err := files.ReadFile(path.Join("page", found[1])); err != nil {
				t.Errorf("%s: %v", entry.Name(), err)
			}
		}
	}
}

func TestSignInAndProfile(t *testing.T) {
	url := start(t)
	for _, algorithm := range []string{"eip191", testutil.SolanaWallet} {
		wallet, err := testutil.NewWallet(algorithm)
		if err != nil {
			t.Fatal(err)
		}
		in, err := testutil.SignIn(t.Context(), url, wallet)
		if err != nil {
			t.Fatalf("%s: %v", algorithm, err)
		}
		var profile Profile
		if err := testutil.Get(t.Context(), url+"/api/profile", in.AccessToken, &profile); err != nil {
			t.Fatalf("%s: %v", algorithm, err)
		}
		if profile.Subject != wallet.Address || profile.Role != "wallet" || profile.SignedInWith != wallet.Algorithm ||
			!strings.HasSuffix(profile.Account, ":"+wallet.Address) {
			t.Errorf("%s: %+v", algorithm, profile)
		}
	}
}

func TestDefaultsLieBelowTheEnvironment(t *testing.T) {
	wallet, err := testutil.NewWallet("eip191")
	if err != nil {
		t.Fatal(err)
	}
	ask := func(url, domain string) error {
		body := map[string]string{"address": wallet.Address, "domain": domain}
		return testutil.Post(t.Context(), url+serverauth.Prefix+"/challenge", body, nil)
	}
	url := start(t)
	for _, domain := range []string{"localhost:8300", "127.0.0.1:8300"} {
		if err := ask(url, domain); err != nil {
			t.Errorf("%s: %v", domain, err)
		}
	}
	t.Setenv("SERVER_AUTH__ALLOWED_DOMAINS", "app.example.com")
	url = start(t)
	if err := ask(url, "app.example.com"); err != nil {
		t.Error(err)
	}
	var refused *testutil.StatusError
	if err := ask(url, "localhost:8300"); !errors.As(err, &refused) || refused.Status != http.StatusBadRequest {
		t.Errorf("got %v", err)
	}
}
