package claims

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
	"unicode/utf8"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/app/config"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/serverauth/wallet"
)

const (
	signatureHeader = "X-Picoauth-Signature"
	// patience is the time-out of a request to claims_url.
	patience = 5 * time.Second
	// maxReply is the maximum size of its reply in bytes.
	maxReply = 64 << 10
	// minSecret is the minimum length of claims_secret in characters.
	minSecret = 16
)

// remote is the Provider of claims_url.
type remote struct {
	url    string
	secret []byte
	client *http.Client
}

// question is the body of the request to claims_url. The members for wallets are empty for other subjects.
type question struct {
	Subject       string `json:"sub"`
	Kind          string `json:"kind"`
	Algorithm     string `json:"algorithm"`
	Account       string `json:"account"`
	WalletID      string `json:"wallet_id"`
	WalletAddress string `json:"wallet_address"`
}

// answer is the reply of claims_url. Unknown members are ignored.
type answer struct {
	Role    string                     `json:"role"`
	Groups  []string                   `json:"groups"`
	Scope   string                     `json:"scope"`
	Email   string                     `json:"email"`
	Name    string                     `json:"name"`
	Claims  map[string]json.RawMessage `json:"claims"`
	Blocked bool                       `json:"blocked"`
}

// CheckURL accepts https, and http for loopback hosts only, because the reply decides who is an operator. A URL needs a secret of
// at least minSecret characters.
func CheckURL(text, secret string) error {
	if text == "" {
		return nil
	}
	fault := &config.Error{Key: "claims_url", Reason: "must be an https URL (http for loopback hosts only) without user information or fragment"}
	u, err := url.Parse(text)
	if err != nil || u.User != nil || u.Fragment != "" {
		return fault
	}
	if site, err := wallet.ParseDomain(u.Host); err != nil || u.Scheme == "" || !site.Allows(u.Scheme, site.Host) {
		return fault
	}
	if length := utf8.RuneCountInString(secret); length < minSecret {
		reason := fmt.Sprintf("must have at least %d characters if claims_url is set, and has %d", minSecret, length)
		return &config.Error{Key: "claims_secret", Reason: reason}
	}
	return nil
}

// newRemote returns the Provider of a URL. It does not follow redirects.
func newRemote(rawURL, secret string) (*remote, error) {
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return nil, errors.New("serverauth: http.DefaultTransport is not an *http.Transport")
	}
	transport = transport.Clone()
	transport.MaxIdleConnsPerHost, transport.MaxResponseHeaderBytes = 16, maxReply
	return &remote{url: rawURL, secret: []byte(secret), client: &http.Client{
		Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}}, nil
}

// Claims implements Provider. An error that is not a refusal contains neither the URL's query nor the reply, except
// for names of members in it.
func (r *remote) Claims(ctx context.Context, subject store.Subject) (Claims, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	request, err := r.request(ctx, subject)
	if err != nil {
		return Claims{}, err
	}
	response, err := r.client.Do(request)
	if err != nil {
		return Claims{}, fmt.Errorf("claims_url: %w", withoutURL(err))
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
		return readClaims(response.Body)
	case http.StatusForbidden:
		return Claims{}, fmt.Errorf("claims_url: 403: %w", ErrSubjectRefused)
	default:
		return Claims{}, fmt.Errorf("claims_url: the reply has status %d instead of 200 or 403", response.StatusCode)
	}
}

func (r *remote) request(ctx context.Context, subject store.Subject) (*http.Request, error) {
	body, err := json.Marshal(question{
		Subject: subject.ID, Kind: subject.Kind, Algorithm: subject.Algorithm, Account: subject.Account,
		WalletID: subject.WalletID, WalletAddress: subject.WalletAddress(),
	})
	if err != nil {
		return nil, fmt.Errorf("claims_url: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("claims_url: the URL is not valid")
	}
	mac := hmac.New(sha256.New, r.secret)
	mac.Write(body)
	request.Header.Set(signatureHeader, "sha256="+hex.EncodeToString(mac.Sum(nil)))
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	return request, nil
}

func readClaims(body io.Reader) (Claims, error) {
	text, err := io.ReadAll(io.LimitReader(body, maxReply+1))
	switch {
	case err != nil:
		return Claims{}, fmt.Errorf("claims_url: read the reply: %w", withoutURL(err))
	case len(text) > maxReply:
		return Claims{}, fmt.Errorf("claims_url: the reply is larger than %d bytes", maxReply)
	}
	var a answer
	if err := app.DecodeObject(text, &a); err != nil {
		return Claims{}, errors.New("claims_url: the reply is not valid: " + err.Error()) // an error of that server is no problem of the client's
	}
	if a.Blocked {
		return Claims{}, fmt.Errorf("claims_url: blocked: %w", ErrSubjectRefused)
	}
	extra := make(map[string]any, len(a.Claims))
	for name, value := range a.Claims {
		extra[name] = value // unchanged: a number keeps its digits
	}
	if err := CheckFree(extra); err != nil {
		return Claims{}, fmt.Errorf("claims_url: the reply is not valid: %w", err)
	}
	return Claims{Role: a.Role, Groups: a.Groups, Scope: a.Scope, Email: a.Email, Name: a.Name, Extra: extra}, nil
}

// withoutURL removes the URL from an error of net/http, because its query may contain a key.
func withoutURL(err error) error {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return failed.Err
	}
	return err
}
