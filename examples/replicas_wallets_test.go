package examples_test

import (
	"encoding/json"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/testutil"
	"github.com/picoauth/picoauth/testutil/services"
)

// One subject with several wallets is the same at two instances, whatever storage they share, and after a kill -9 of both.
func TestSeveralWalletsAtTwoInstances(t *testing.T) {
	for name, storage := range map[string]func(t *testing.T) []string{
		"SQLite": func(t *testing.T) []string {
			return replicaSettings("SERVER_AUTH__DATA_DIR=" + filepath.Join(t.TempDir(), "data"))
		},
		"PostgreSQL and Redis": func(t *testing.T) []string { return sharedStorage(t, services.Postgres(t), services.Redis(t)) },
		"Redis": func(t *testing.T) []string {
			return replicaSettings("SERVER_AUTH__STORAGE_URL="+services.Redis(t).NewDatabase(t), "SERVER_AUTH__KEY_ENCRYPTION_KEY="+encryptionKey)
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := startPair(t, storage(t))
			first, second := newWallet(t), newWallet(t)
			_, err := testutil.SignIn(t.Context(), b.url, newWallet(t)) // b has just read that there is no link
			require.NoError(t, err)
			in := a.signsIn(t, first)
			require.NoError(t, testutil.JoinWallet(t.Context(), a.url, in.AccessToken, second, false))
			assert.Equal(t, in.Address, claim[string](t, b.signsIn(t, second).AccessToken, "sub"))
			oneOfManyJoins(t, a, b)
			mergedElsewhere(t, a, b)
			leavesWhileItSignsIn(t, a, b, first, second)
			for _, r := range []*replica{a, b} {
				r.kill()
				r.start()
			}
			assert.Equal(t, in.Address, claim[string](t, b.signsIn(t, first).AccessToken, "sub"))
			b.left(t, second)
		})
	}
}

func (r *replica) signsIn(t *testing.T, w *testutil.Wallet) testutil.SignedIn {
	t.Helper()
	in, err := testutil.SignIn(t.Context(), r.url, w)
	require.NoError(t, err)
	return in
}

func (r *replica) left(t *testing.T, w *testutil.Wallet) {
	t.Helper()
	answer := r.ask(t, "POST", "/sign-in", "", r.signInRequest(t, w))
	assert.Equal(t, 403, answer.status, answer.body)
	assert.Contains(t, answer.body, `"wallet_left"`)
}

// joinRequest is a proof of a wallet that only has to be sent.
func (r *replica) joinRequest(t *testing.T, token string, w *testutil.Wallet) map[string]any {
	t.Helper()
	challenge := decode[testutil.Challenge](t, r.ask(t, "POST", "/challenge", token, map[string]any{"address": w.Address, "algorithm": w.Algorithm, "join": true}))
	request, err := testutil.SignInRequest(w, challenge)
	require.NoError(t, err)
	return request
}

// atOnce sends requests at one moment, by turns to two instances.
func atOnce(t *testing.T, a, b *replica, number int, request func(i int) (method, path, token string, in any)) []reply {
	t.Helper()
	answers := make([]reply, number)
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range number {
		method, path, token, in := request(i)
		all.Go(func() {
			<-start
			answer, err := send(t.Context(), oneShot, method, []*replica{a, b}[i%2].url+authPath+path, token, in)
			if assert.NoError(t, err) {
				answers[i] = answer
			}
		})
	}
	close(start)
	all.Wait()
	return answers
}

// oneOfManyJoins: 64 subjects ask for one wallet.
func oneOfManyJoins(t *testing.T, a, b *replica) {
	wanted := newWallet(t)
	const subjects = 64
	tokens, requests := make([]testutil.SignedIn, subjects), make([]map[string]any, subjects)
	for i := range subjects {
		tokens[i] = a.signsIn(t, newWallet(t))
		requests[i] = b.joinRequest(t, tokens[i].AccessToken, wanted)
	}
	answers := atOnce(t, a, b, subjects, func(i int) (string, string, string, any) {
		return "POST", "/wallets", tokens[i].AccessToken, requests[i]
	})
	var winner string
	for i, answer := range answers {
		switch answer.status {
		case 200:
			assert.Empty(t, winner, "a second one")
			winner = tokens[i].Address
		case 503: // too many at once: nothing was spent
		default:
			assert.Equal(t, 409, answer.status, answer.body)
			assert.Contains(t, answer.body, `"wallet_taken"`)
		}
	}
	require.NotEmpty(t, winner)
	assert.Equal(t, winner, claim[string](t, b.signsIn(t, wanted).AccessToken, "sub"))
}

// mergedElsewhere: the sessions that a wallet has at one instance end when it is merged at the other.
func mergedElsewhere(t *testing.T, a, b *replica) {
	host, guest := newWallet(t), newWallet(t)
	in, own := a.signsIn(t, host), b.signsIn(t, guest)
	err := testutil.JoinWallet(t.Context(), a.url, in.AccessToken, guest, false)
	var refused *testutil.StatusError
	require.ErrorAs(t, err, &refused)
	assert.Contains(t, string(refused.Body), `"subject_exists"`)
	require.NoError(t, testutil.JoinWallet(t.Context(), a.url, in.AccessToken, guest, true))
	assert.Equal(t, 401, b.refresh(t, own.RefreshToken).status)
	assert.Less(t, b.endsWithin(t, own.AccessToken), 5*time.Second)
	assert.Equal(t, in.Address, claim[string](t, b.signsIn(t, guest).AccessToken, "sub"))
}

// endsWithin is how long a token is accepted yet.
func (r *replica) endsWithin(t *testing.T, token string) time.Duration {
	t.Helper()
	began := time.Now()
	for r.ask(t, "GET", "/wallets", token, nil).status != 401 {
		require.Less(t, time.Since(began), patience)
	}
	return time.Since(began)
}

// leavesWhileItSignsIn: whatever a wallet gets at either instance while it is taken away is worth nothing soon.
func leavesWhileItSignsIn(t *testing.T, a, b *replica, stays, leaves *testutil.Wallet) {
	keeper := a.signsIn(t, stays)
	const requests = 17
	proofs := make([]map[string]any, requests)
	for i := range proofs {
		proofs[i] = a.signInRequest(t, leaves)
	}
	answers := atOnce(t, a, b, requests, func(i int) (string, string, string, any) {
		if i == requests/2 {
			return "DELETE", "/wallets/" + leaves.Address, keeper.AccessToken, nil
		}
		return "POST", "/sign-in", "", proofs[i]
	})
	begun := 0
	for i, answer := range answers {
		switch {
		case i == requests/2:
			require.Equal(t, 204, answer.status, answer.body)
		case answer.status == 200:
			begun++
			var in testutil.SignedIn
			require.NoError(t, json.Unmarshal([]byte(answer.body), &in))
			for _, r := range []*replica{a, b} {
				assert.Equal(t, 401, r.refresh(t, in.RefreshToken).status)
				assert.Less(t, r.endsWithin(t, in.AccessToken), 5*time.Second)
			}
		case answer.status != 503:
			assert.Equal(t, 403, answer.status, answer.body)
			assert.Contains(t, answer.body, `"wallet_left"`)
		}
	}
	t.Logf("%d of %d sign-ins came before", begun, requests-1)
	a.left(t, leaves)
	b.left(t, leaves)
}
