package examples_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/testutil"
)

// sessions signs in, refreshes, and logs out or revokes, until the server is killed.
func (a *answered) sessions(url, operator string, n int) {
	for ; ; n++ {
		tokens, alive := a.signIn(url)
		if !alive {
			return
		}
		old := tokens.RefreshToken
		done, err := post(url+authPath+"/refresh", "", refreshBody(old), &tokens)
		switch {
		case err != nil:
			a.note(func() { a.lost = append(a.lost, old) })
			return
		case !done:
			continue
		}
		a.note(func() { a.refreshes++ })
		switch n % 3 {
		case 0:
			a.note(func() { a.current = append(a.current, rotation{old, tokens.RefreshToken}) })
		case 1:
			done, err = post(url+authPath+"/logout", "", refreshBody(tokens.RefreshToken), nil)
			if done {
				a.note(func() { a.loggedOut = append(a.loggedOut, tokens); a.logouts++ })
			}
		default:
			jti := jtiOf(tokens.AccessToken)
			done, err = post(url+authPath+"/revoke", operator, map[string]string{"jti": jti}, new(any))
			if done {
				a.note(func() { a.revoked = append(a.revoked, tokens); a.revokedIDs = append(a.revokedIDs, jti) })
			}
		}
		if err != nil {
			return
		}
	}
}

// signIn returns false when the server was killed.
func (a *answered) signIn(url string) (tokens serverauth.Tokens, alive bool) {
	w, err := testutil.NewWallet("Ed25519")
	if err != nil {
		return tokens, false
	}
	var challenge testutil.Challenge
	if _, err := post(url+authPath+"/challenge", "", map[string]string{"address": w.Address}, &challenge); err != nil {
		return tokens, false
	}
	request, err := testutil.SignInRequest(w, challenge)
	if err != nil {
		return tokens, false
	}
	if _, err := post(url+authPath+"/sign-in", "", request, &tokens); err != nil {
		a.note(func() { a.unsure = append(a.unsure, request) })
		return tokens, false
	}
	a.note(func() { a.spent = append(a.spent, request); a.signIns++ })
	return tokens, true
}

// check looks for everything that was answered in the last life.
func (a *answered) check(t *testing.T, r *replica) {
	t.Helper()
	operator := login(t, r.url)
	a.checkSpent(t, r)
	a.checkRefreshes(t, r)
	for _, tokens := range a.revoked {
		require.False(t, r.active(t, operator, tokens.AccessToken), "a revoked token")
	}
	for _, tokens := range a.loggedOut {
		require.False(t, r.active(t, operator, tokens.AccessToken), "an access token after the logout")
		require.Equal(t, 401, r.refresh(t, tokens.RefreshToken).status, "a refresh token after the logout")
	}
	known := decode[struct{ Items []signingKey }](t, r.ask(t, "GET", "/keys", operator, nil)).Items
	for _, key := range a.keys {
		assert.Contains(t, known, key, "the key that was appointed, at its time")
	}
	document := r.ask(t, "GET", "/jwks", "", nil).body
	for _, kid := range a.compromised {
		require.False(t, strings.Contains(document, kid), "a compromised key is published")
	}
}

func (a *answered) checkSpent(t *testing.T, r *replica) {
	t.Helper()
	for _, request := range a.spent {
		require.Equal(t, 401, r.ask(t, "POST", "/sign-in", "", request).status, "a nonce again")
	}
	for _, request := range a.unsure {
		assert.Contains(t, []int{200, 401}, r.ask(t, "POST", "/sign-in", "", request).status)
		require.Equal(t, 401, r.ask(t, "POST", "/sign-in", "", request).status, "a nonce again")
	}
}

// checkRefreshes spends every other current token, and presents the previous one of the others.
func (a *answered) checkRefreshes(t *testing.T, r *replica) {
	t.Helper()
	for i, session := range a.current {
		if i%2 == 0 {
			require.Equal(t, 200, r.refresh(t, session.next).status, "the current refresh token")
			a.refusedAgain(t, r, session.next)
			continue
		}
		require.Equal(t, 401, r.refresh(t, session.old).status, "the previous refresh token, without a grace")
		require.Equal(t, 401, r.refresh(t, session.next).status, "which has ended the session")
	}
	for _, token := range a.lost {
		assert.Contains(t, []int{200, 401}, r.refresh(t, token).status)
		a.refusedAgain(t, r, token)
	}
}

// refusedAgain presents a refresh token that was presented a moment ago. Times of sessions are in milliseconds, and within
// the same one even no grace at all is enough for the same answer again.
func (a *answered) refusedAgain(t *testing.T, r *replica, token string) {
	t.Helper()
	time.Sleep(2 * time.Millisecond)
	require.Equal(t, 401, r.refresh(t, token).status, "a refresh token again")
}

// jtiOf is claim for a goroutine that is not the test's.
func jtiOf(token string) string {
	var claims struct{ JTI string }
	if parts := strings.Split(token, "."); len(parts) == 3 {
		if text, err := rawURL.DecodeString(parts[1]); err == nil {
			_ = json.Unmarshal(text, &claims) // a token of the server's own
		}
	}
	return claims.JTI
}
