package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/picoauth/picoauth/serverauth"
)

const (
	defaultURL   = "http://localhost:8100"
	maxReply     = 4 << 20
	replyTimeout = 30 * time.Second
)

// refusal is an error reply of the server.
type refusal struct {
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Hint   string `json:"hint"`
	// OAuthCode and OAuthDetail replace Detail at OAuth endpoints (RFC 6749, section 5.2).
	OAuthCode   string `json:"error"`
	OAuthDetail string `json:"error_description"`
}

func (r *refusal) Error() string {
	text := fmt.Sprintf("the server answered %d %s", r.Status, http.StatusText(r.Status))
	if detail := cmp.Or(r.Detail, r.OAuthDetail, r.OAuthCode); detail != "" {
		text += ": " + printable(detail)
	}
	if r.Hint != "" {
		text += " (" + printable(r.Hint) + ")"
	}
	return text
}

// hasEnded reports whether a refusal means that a session has ended, or that its client was removed.
func hasEnded(err error) bool {
	refused := (*refusal)(nil)
	return errors.As(err, &refused) && (refused.Status == http.StatusUnauthorized || refused.OAuthCode == "invalid_grant")
}

// operator calls a server with an operator's session.
type operator struct {
	http     *http.Client
	sessions sessionFile
	session  session
}

// newOperator reads the session that login has stored.
func newOperator(c *cobra.Command) (*operator, error) {
	file, err := sessionFileOf(c)
	if err != nil {
		return nil, err
	}
	o := &operator{http: newHTTPClient(), sessions: file}
	return o, o.resume(c.Context())
}

// newHTTPClient returns a client that follows no redirects: tokens must go to their own server only.
func newHTTPClient() *http.Client {
	return &http.Client{
		Timeout:       replyTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// resume reads the session, and renews it if its token is about to expire. A file lock keeps other processes from doing so
// at the same time.
func (o *operator) resume(ctx context.Context) error {
	return o.sessions.exclusively(ctx, func() error {
		kept, err := o.sessions.load()
		if err != nil {
			return err
		}
		o.session = kept
		if time.Until(kept.ExpiresAt) > tokenMargin {
			return nil
		}
		began := time.Now()
		var answer tokens
		path, body := kept.renewal()
		err = send(ctx, o.http, http.MethodPost, kept.Issuer+serverauth.Prefix+path, "", body, &answer)
		if hasEnded(err) {
			return errors.New("the session has ended; sign in again: picoauth login")
		}
		if err != nil {
			return err
		}
		o.session = kept.with(answer, began)
		return o.sessions.save(o.session)
	})
}

// call sends a request to a path below the prefix, and decodes the reply. body and into may be nil.
func (o *operator) call(ctx context.Context, method, path string, body, into any) error {
	err := send(ctx, o.http, method, o.session.Issuer+serverauth.Prefix+path, o.session.AccessToken, body, into)
	refused := (*refusal)(nil)
	if !errors.As(err, &refused) {
		return err
	}
	switch refused.Status {
	case http.StatusNotFound:
		return fmt.Errorf("%w: %s", errNotFound, printable(refused.Detail))
	case http.StatusUnauthorized:
		return fmt.Errorf("%w; sign in again: picoauth login", err)
	case http.StatusForbidden:
		return fmt.Errorf("%w; the session needs one of server_auth.operator_roles: give its subject such a role in server_auth.subjects, then sign in again: picoauth login", err)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return fmt.Errorf("%w; try again in a moment", err)
	default:
		return err
	}
}

// call sends one request with the session that login has stored.
func call(c *cobra.Command, method, path string, body, into any) error {
	o, err := newOperator(c)
	if err != nil {
		return err
	}
	return o.call(c.Context(), method, path, body, into)
}

// list reads pages until there are as many items as wanted, or no more.
func (o *operator) list(ctx context.Context, path string, query url.Values, wanted int) ([]json.RawMessage, error) {
	all, cursor := []json.RawMessage{}, "before"
	if path == clientsPath { // ordered by name, not by time
		cursor = "after"
	}
	for {
		query.Set("limit", fmt.Sprint(min(wanted-len(all), 1000)))
		var got struct {
			Items []json.RawMessage `json:"items"`
			Next  string            `json:"next"`
		}
		if err := o.call(ctx, http.MethodGet, path+"?"+query.Encode(), nil, &got); err != nil {
			return nil, err
		}
		all = append(all, got.Items...)
		if got.Next == "" || len(got.Items) == 0 || len(all) >= wanted {
			return all, nil
		}
		query.Set(cursor, got.Next)
	}
}

// send sends a request. Its body is a form (url.Values), another value as JSON, or nil. A reply with a status other than
// 2xx is a *refusal.
func send(ctx context.Context, client *http.Client, method, target, token string, body, into any) error {
	content, kind := "", "application/json"
	switch body := body.(type) {
	case nil:
		kind = ""
	case url.Values:
		content, kind = body.Encode(), "application/x-www-form-urlencoded"
	default:
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = string(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(content))
	if err != nil {
		return err
	}
	if kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	reply, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("the server cannot be reached: %w; does it run there? Find out with: picoauth doctor --issuer %s", err, origin(target))
	}
	defer func() { _ = reply.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(reply.Body, maxReply))
	if err != nil {
		return fmt.Errorf("the reply was cut off: %w", err)
	}
	if reply.StatusCode < 200 || reply.StatusCode > 299 {
		refused := &refusal{}
		_ = json.Unmarshal(text, refused) // a reply that is not a problem document has no detail
		refused.Status = reply.StatusCode
		return refused
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("the reply of %s is not that of a picoauth server; check --url", origin(target))
	}
	return nil
}

func origin(target string) string {
	u, err := url.Parse(target)
	if err != nil {
		return target
	}
	return strings.TrimSuffix(u.Scheme+"://"+u.Host, "/")
}
