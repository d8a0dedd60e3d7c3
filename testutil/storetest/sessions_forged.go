package storetest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil"
)

// forgeries is a server whose sessions are in the storage, and somebody who can write to the storage but knows no secret
// of the server: to them the storage is open as it is to the server.
type forgeries struct {
	sessionSuite
	url string
	log *logText
}

type logText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logText) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), text)
}

func withForgeries(e sessionEnv) forgeries {
	f := forgeries{sessionSuite: sessions(e), log: &logText{}}
	f.url = testutil.NewApp(e.T,
		app.ConfigMap(map[string]any{"server_auth": map[string]any{
			"algorithm": "EdDSA", "rate_limit_per_minute": 0, "auto_create_admin": true, "admin_password": "correct horse",
		}}),
		serverauth.Module, testutil.WithSessionStore(e.open()), testutil.WithClock(e.clock),
		fx.Decorate(func() *slog.Logger { return slog.New(slog.NewTextHandler(f.log, nil)) }),
	).URL + serverauth.Prefix
	return f
}

// signIn is a sign-in of a new wallet, and its session.
func (f forgeries) signIn() (tokens serverauth.Tokens, sid string) {
	f.Helper()
	w, err := testutil.NewWallet("Ed25519")
	f.ok(err)
	in, err := testutil.SignIn(background, strings.TrimSuffix(f.url, serverauth.Prefix), w)
	f.ok(err)
	return in.Tokens, f.sid(in.AccessToken)
}

func (f forgeries) login() (tokens serverauth.Tokens, sid string) {
	f.Helper()
	f.ok(testutil.Post(background, f.url+"/login", map[string]string{"email": "admin@pico.local", "password": "correct horse"}, &tokens))
	return tokens, f.sid(tokens.AccessToken)
}

func (f forgeries) sid(token string) string {
	f.Helper()
	var claims struct {
		SID string `json:"sid"`
	}
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	f.ok(err)
	f.ok(json.Unmarshal(text, &claims))
	return claims.SID
}

func (f forgeries) refresh(token string) (tokens serverauth.Tokens, err error) {
	err = testutil.Post(background, f.url+"/refresh", map[string]string{"refresh_token": token}, &tokens)
	return tokens, err
}

// refused fails unless err is a reply of 401 that says that the session has ended.
func (f forgeries) refused(err error) {
	f.Helper()
	var status *testutil.StatusError
	if !errors.As(err, &status) || status.Status != http.StatusUnauthorized || !strings.Contains(string(status.Body), "session has ended") {
		f.Errorf("the refresh is answered %v", err)
	}
}

// rewrite takes a session's row and puts another in its place.
func (f forgeries) rewrite(sid string, change func(row *store.Session)) {
	f.Helper()
	row, there, err := f.store.End(background, sid)
	f.ok(err)
	if !there {
		f.Fatalf("there is no session %s", sid)
	}
	change(&row)
	f.create(row)
}

func (f forgeries) row(sid string) store.Session {
	f.Helper()
	var found store.Session
	f.rewrite(sid, func(row *store.Session) { found = *row })
	return found
}

// sessionsForged: whoever writes to the storage can end sessions, and becomes nobody.
func sessionsForged(e sessionEnv) {
	f := withForgeries(e)
	admin, adminSID := f.login()
	other, otherSID := f.login()
	_, victimSID := f.signIn()
	adminRow, victim := f.row(adminSID), f.row(victimSID)
	if newer := f.row(otherSID); newer.Credential == adminRow.Credential {
		e.Error("two sessions have the same credential")
	}
	for name, forge := range map[string]func(row *store.Session){
		"subject":       func(row *store.Session) { row.Subject.ID = victim.Subject.ID },
		"whole subject": func(row *store.Session) { row.Subject = victim.Subject },
		"kind":          func(row *store.Session) { row.Subject.Kind = store.KindAdmin },
		"wallet":        func(row *store.Session) { row.Subject.WalletID = victim.Subject.WalletID },
		"no wallet":     func(row *store.Session) { row.Subject.WalletID = "" },
		"account":       func(row *store.Session) { row.Subject.Account = "eip155:1:0x" },
		"algorithm":     func(row *store.Session) { row.Subject.Algorithm = "eip191" },
		"moved border": func(row *store.Session) {
			row.Subject.ID, row.Subject.Kind = row.Subject.ID+"w", row.Subject.Kind[1:]
		},
		"wallet address":  func(row *store.Session) { row.Subject.Address = victim.Subject.ID },
		"wallet kind":     func(row *store.Session) { row.Subject.WalletKind = store.WalletContract },
		"message":         func(row *store.Session) { row.Proof.Message = "m" },
		"signature":       func(row *store.Session) { row.Proof.Signature = "m" },
		"end":             func(row *store.Session) { row.EndsAt += day },
		"beginning":       func(row *store.Session) { row.StartedAt++ },
		"credential":      func(row *store.Session) { row.Credential = adminRow.Credential },
		"client":          func(row *store.Session) { row.ClientID = "console" },
		"request":         func(row *store.Session) { row.RequestID = "r" },
		"address":         func(row *store.Session) { row.Client = "203.0.113.9" },
		"user agent":      func(row *store.Session) { row.UserAgent = "curl" },
		"key":             func(row *store.Session) { row.KeyThumbprint = testutil.NewProofKey("ES256").Thumbprint() },
		"no MAC":          func(row *store.Session) { row.MAC = [32]byte{} },
		"another MAC":     func(row *store.Session) { row.MAC = victim.MAC },
		"administrator's": func(row *store.Session) { id := row.ID; *row = adminRow; row.ID = id },
	} {
		forged := f.log.count("event=session_forged")
		mine, sid := f.signIn()
		f.rewrite(sid, forge)
		f.T.Log(name)
		_, err := f.refresh(mine.RefreshToken)
		f.refused(err)
		if got := f.log.count("event=session_forged"); got != forged+1 {
			e.Errorf("%s: there are %d events of a forged session", name, got-forged)
		}
		f.gone(f.store, sid)
		if err := testutil.Get(background, f.url+"/sessions", mine.AccessToken, nil); err == nil {
			e.Errorf("%s: its access token lives on", name)
		}
	}
	if f.log.count("level=ERROR") != f.log.count("event=session_forged") {
		e.Error("there are other errors")
	}
	if _, err := f.refresh(admin.RefreshToken); err != nil {
		e.Errorf("a row that was put back as it was: %v", err)
	}

	// A newer session's credential, or its whole row, over that of an older one of the same administrator.
	newer := f.row(otherSID)
	older, olderSID := f.login()
	f.rewrite(olderSID, func(row *store.Session) { row.Credential = newer.Credential })
	_, err := f.refresh(older.RefreshToken)
	f.refused(err)
	older, olderSID = f.login()
	f.rewrite(olderSID, func(row *store.Session) { *row = newer; row.ID = olderSID })
	_, err = f.refresh(older.RefreshToken)
	f.refused(err)
	if _, err := f.refresh(other.RefreshToken); err != nil {
		e.Error(err)
	}
}

// sessionsForgedLife: what a rotation changes can be written, and nothing is gained by it.
func sessionsForgedLife(e sessionEnv) {
	f := withForgeries(e)
	first, sid := f.signIn()
	ends := f.row(sid).EndsAt
	second, err := f.refresh(first.RefreshToken)
	f.ok(err)
	f.rewrite(sid, func(row *store.Session) { row.ExpiresAt += 1000 * day })
	again, err := f.refresh(first.RefreshToken) // within the grace
	f.ok(err)
	var claims struct {
		Exp int64 `json:"exp"`
	}
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(again.RefreshToken, ".")[1])
	f.ok(err)
	f.ok(json.Unmarshal(text, &claims))
	if claims.Exp > ends/1000 {
		e.Errorf("the refresh token lives for %d s longer than its session", claims.Exp-ends/1000)
	}
	if _, err := f.refresh(second.RefreshToken); err != nil {
		e.Error(err)
	}
}

// sessionsForgedOwner: revoking a subject reaches nobody else by what somebody has written into a row of theirs.
func sessionsForgedOwner(e sessionEnv) {
	f := withForgeries(e)
	admin, adminSID := f.login()
	_, mineSID := f.signIn()
	victim, victimSID := f.signIn()
	victimRow, mine := f.row(victimSID), f.row(mineSID)
	f.rewrite(mineSID, func(row *store.Session) { row.Subject.WalletID = victimRow.Subject.WalletID })
	revoke := map[string]string{"sub": mine.Subject.ID}
	f.ok(testutil.PostAs(background, f.url+"/revoke", admin.AccessToken, revoke, nil))
	f.gone(f.store, mineSID)
	if f.log.count("event=session_forged") != 1 {
		e.Error("there is no event of a forged session")
	}
	if _, err := f.refresh(victim.RefreshToken); err != nil {
		e.Errorf("another's session: %v", err)
	}

	// A list shows what is authentic, and ends what is not.
	var forged []string
	for range 3 {
		_, sid := f.signIn()
		f.rewrite(sid, func(row *store.Session) { row.StartedAt += 7; row.Client = "203.0.113.9" })
		forged = append(forged, sid)
	}
	admin, newSID := f.login()
	var page struct {
		Items []struct {
			SID string `json:"sid"`
		} `json:"items"`
		Next string `json:"next"`
	}
	seen := map[string]bool{}
	for n := 0; n == 0 || page.Next != ""; n++ {
		query := "?limit=2&before=" + page.Next
		page.Items, page.Next = nil, ""
		f.ok(testutil.Get(background, f.url+"/sessions"+query, admin.AccessToken, &page))
		for _, item := range page.Items {
			seen[item.SID] = true
		}
	}
	if want := (map[string]bool{newSID: true, adminSID: true, victimSID: true}); fmt.Sprint(seen) != fmt.Sprint(want) {
		e.Errorf("listed %v, not %v", seen, want)
	}
	for _, sid := range forged {
		f.gone(f.store, sid)
	}
}

// sessionsForgedKey: a session that is bound to a key stays bound, whoever takes the key out of its row.
func sessionsForgedKey(e sessionEnv) {
	f := withForgeries(e)
	key := testutil.NewProofKey("ES256")
	refresh := func(token string) (tokens serverauth.Tokens) {
		body, err := json.Marshal(map[string]string{"refresh_token": token})
		f.ok(err)
		request, err := http.NewRequestWithContext(background, http.MethodPost, f.url+"/refresh", bytes.NewReader(body))
		f.ok(err)
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("DPoP", key.Proof(http.MethodPost, f.url+"/refresh", "", map[string]any{"iat": e.clock.Now().Unix()}))
		reply, err := http.DefaultClient.Do(request)
		f.ok(err)
		defer reply.Body.Close()
		if reply.StatusCode != http.StatusOK {
			f.Fatalf("the refresh with a proof is answered %d", reply.StatusCode)
		}
		f.ok(json.NewDecoder(reply.Body).Decode(&tokens))
		return tokens
	}
	in, sid := f.signIn()
	if bound := refresh(in.RefreshToken); bound.TokenType != "DPoP" || f.row(sid).KeyThumbprint != key.Thumbprint() {
		f.Errorf("bound: %s, the row %+v", bound.TokenType, f.row(sid))
	}
	f.rewrite(sid, func(row *store.Session) { row.KeyThumbprint = "" })
	_, err := f.refresh(in.RefreshToken) // of before it was bound, within the grace
	f.refused(err)
	f.gone(f.store, sid)

	// A storage that went back to before the session was bound binds it again.
	in, sid = f.signIn()
	before := f.row(sid)
	bound := refresh(in.RefreshToken)
	f.rewrite(sid, func(row *store.Session) { *row = before })
	if again := refresh(bound.RefreshToken); again.TokenType != "DPoP" || f.row(sid).KeyThumbprint != key.Thumbprint() {
		f.Errorf("bound again: %s, the row %+v", again.TokenType, f.row(sid))
	}
}
