package oauth_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/testutil"
)

// person is somebody with a browser and a wallet. It does what the page's script does.
type person struct {
	wallet *testutil.Wallet
	// browser keeps cookies and follows no redirect.
	browser *http.Client
	// signed are the messages that the wallet has signed.
	signed []string
}

func newPerson(t *testing.T) *person {
	t.Helper()
	wallet, err := testutil.NewWallet("eip191")
	require.NoError(t, err)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &person{wallet: wallet, browser: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

var (
	pageRequest = regexp.MustCompile(`data-request="([^"]*)"`)
	pageBase    = regexp.MustCompile(`data-base="([^"]*)"`)
	formAction  = regexp.MustCompile(`<form method="post" action="([^"]*)"`)
	formField   = regexp.MustCompile(`<input (?:type="hidden"|id="user_code") name="(request|csrf|user_code)" value="([^"]*)"`)
)

// get fetches a page; location is where it redirects to, or empty.
func (p *person) get(ctx context.Context, address string) (body, location string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", "", err
	}
	request.Header.Set("Accept", "text/html")
	reply, err := p.browser.Do(request)
	if err != nil {
		return "", "", err
	}
	defer func() { _ = reply.Body.Close() }()
	text, err := io.ReadAll(reply.Body)
	if target, none := reply.Location(); none == nil {
		location = target.String()
	}
	return string(text), location, err
}

// allow opens an authorization request, or the page of a device with its code, signs what is asked for, and returns where the
// browser is sent then.
func (p *person) allow(ctx context.Context, authorize string) (location string, err error) {
	body, location, err := p.get(ctx, authorize)
	if err != nil || location != "" {
		return location, err
	}
	page, err := url.Parse(authorize)
	if err != nil {
		return "", err
	}
	if strings.Contains(body, `name="user_code"`) {
		if _, body, err = p.send(ctx, page, body, url.Values{}); err != nil {
			return "", err
		}
	}
	request, base := pageRequest.FindStringSubmatch(body), pageBase.FindStringSubmatch(body)
	if request == nil || base == nil {
		return p.press(ctx, page, body)
	}
	sealed, endpoint := html.UnescapeString(request[1]), page.Scheme+"://"+page.Host+html.UnescapeString(base[1])
	var challenge struct{ Challenge, Message string }
	if err := p.post(ctx, endpoint+"/authorize/challenge", object{"request": sealed, "address": p.wallet.Address}, &challenge); err != nil {
		return "", err
	}
	signature, err := p.wallet.Sign([]byte(challenge.Message))
	if err != nil {
		return "", err
	}
	p.signed = append(p.signed, challenge.Message)
	var next struct{ Location string }
	err = p.post(ctx, endpoint+"/authorize/sign-in", object{"request": sealed, "address": p.wallet.Address, "challenge": challenge.Challenge,
		"message": challenge.Message, "signature": "0x" + hex.EncodeToString(signature)}, &next)
	return next.Location, err
}

// press allows a request by the button of its page, which a browser shows whose person is known.
func (p *person) press(ctx context.Context, page *url.URL, body string) (location string, err error) {
	header, _, err := p.send(ctx, page, body, url.Values{"action": {"allow"}})
	if err != nil {
		return "", err
	}
	_, location, leadsOn := strings.Cut(header.Get("Refresh"), "url=")
	if !leadsOn {
		return "", errors.New("the button does not lead on")
	}
	return location, nil
}

// send sends the form of a page with what is hidden in it, and returns the header and the body of the answer.
func (p *person) send(ctx context.Context, page *url.URL, body string, form url.Values) (http.Header, string, error) {
	action := formAction.FindStringSubmatch(body)
	for _, field := range formField.FindAllStringSubmatch(body, -1) {
		form.Set(field[1], html.UnescapeString(field[2]))
	}
	if action == nil || form.Get("csrf") == "" {
		return nil, "", fmt.Errorf("this page asks for no wallet and has no form: %.3000s", body)
	}
	target, err := page.Parse(html.UnescapeString(action[1]))
	if err != nil {
		return nil, "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), strings.NewReader(form.Encode()))
	if err != nil {
		return nil, "", err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Sec-Fetch-Site", "same-origin")
	reply, err := p.browser.Do(request)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = reply.Body.Close() }()
	given, err := io.ReadAll(reply.Body)
	if err == nil && reply.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %d %.3000s", target, reply.StatusCode, given)
	}
	return reply.Header, string(given), err
}

func (p *person) post(ctx context.Context, address string, body, answer any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(text))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Sec-Fetch-Site", "same-origin")
	reply, err := p.browser.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = reply.Body.Close() }()
	given, err := io.ReadAll(reply.Body)
	switch {
	case err != nil:
		return err
	case reply.StatusCode != http.StatusOK:
		return fmt.Errorf("%s: %d %s", address, reply.StatusCode, given)
	}
	return json.Unmarshal(given, answer)
}

// visit opens a page of a site that is behind a sign-in, signs in where issuer asks for it, and returns the page and its header.
func (p *person) visit(ctx context.Context, address, issuer string) (string, error) {
	for range 12 {
		if strings.HasPrefix(address, issuer) {
			next, err := p.allow(ctx, address)
			if err != nil {
				return "", err
			}
			address = next
			continue
		}
		body, location, err := p.get(ctx, address)
		if err != nil || location == "" {
			return body, err
		}
		address = location
	}
	return "", fmt.Errorf("it redirects for ever: %s", address)
}

// serve lets scripts ask the person: POST / with the URL of an authorization request is answered with where the browser
// is sent then.
func (p *person) serve(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		address, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
		if err == nil {
			err = p.answer(r.Context(), w, string(address))
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func (p *person) answer(ctx context.Context, w io.Writer, address string) error {
	location, err := p.allow(ctx, address)
	if err == nil {
		_, err = io.WriteString(w, location)
	}
	return err
}
