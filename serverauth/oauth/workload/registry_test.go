package workload_test

import (
	"context"
	"crypto/elliptic"
	"errors"
	"log/slog"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/clientauth/verify"
	"github.com/picoauth/picoauth/serverauth/oauth/client"
	"github.com/picoauth/picoauth/serverauth/oauth/workload"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil"
)

const audience = "https://auth.example.com"

// harness is a registry and the platform that it trusts.
type harness struct {
	testing.TB
	*workload.Registry
	platform *testutil.Issuer
	clock    *testutil.Clock
	used     store.UsedStore
}

// start trusts a platform by items whose issuer and jwks_url are its own.
func start(tb testing.TB, items ...object) *harness {
	tb.Helper()
	h := &harness{TB: tb, clock: testutil.NewClock(time.Now().Truncate(time.Second))}
	h.platform = testutil.NewIssuer(tb, testutil.IssuerConfig{Name: "https://kubernetes.example.com", Audience: audience, Algorithms: []string{"EdDSA", "ES256", "RS256"}, Clock: h.clock.Now})
	h.used = store.NewInMemoryUsedStore(h.clock.Now)
	for i := range items {
		items[i] = item(items[i])
		items[i]["issuer"], items[i]["jwks_url"] = h.platform.Name, h.platform.JWKS.URL
	}
	h.Registry = h.replica(items...)
	return h
}

// replica is another registry on the same store.
func (h *harness) replica(items ...object) *workload.Registry {
	h.Helper()
	list, err := load(h, items...)
	require.NoError(h, err)
	made, err := workload.NewRegistry(workload.RegistryConfig{Workloads: list, Key: "oauth.workloads", Own: audience, ClockSkew: time.Minute,
		Used: h.used, Clock: h.clock.Now, Log: slog.New(slog.DiscardHandler)})
	require.NoError(h, err)
	return made
}

// assertion is one of a pod's, with changes.
func (h *harness) assertion(claims object) string {
	h.Helper()
	return h.platform.Mint(testutil.Token{Subject: "system:serviceaccount:payments:biller", Life: 10 * time.Minute, Claims: claims,
		Header: object{"typ": "JWT"}})
}

// reason is why the log says that an assertion is refused; whoever presents it learns the same of all.
func (h *harness) reason(err error) string {
	h.Helper()
	var refused *client.Error
	require.ErrorAs(h, err, &refused)
	assert.Equal(h, "invalid_grant", refused.Code)
	assert.Equal(h, "the assertion is refused; the server's log says why", refused.Description)
	assert.NotEmpty(h, refused.Reason)
	return refused.Reason
}

func TestAnAssertionBecomesWhatTheConfigurationSays(t *testing.T) {
	h := start(t,
		object{"subject": "system:serviceaccount:payments:biller", "claims": object{"kubernetes.io.namespace": "payments"}, "sub": "billing", "role": "biller", "scope": "read"},
		object{"client": "others"})
	first, err := h.Identify(t.Context(), h.assertion(object{"kubernetes.io": object{"namespace": "payments"}}))
	require.NoError(t, err)
	assert.Equal(t, h.platform.Name+" system:serviceaccount:payments:biller", first.Name)
	assert.Equal(t, "billing", first.Subject)
	assert.Equal(t, []any{"biller", "biller", []string{"read"}}, []any{first.Client.ID, first.Client.Role, first.Client.DefaultScopes})

	second, err := h.Identify(t.Context(), h.assertion(object{"kubernetes.io": object{"namespace": "other"}}))
	require.NoError(t, err, "the first that takes it decides")
	assert.Equal(t, second.Name, second.Subject)
	assert.Equal(t, []any{"others", "service"}, []any{second.Client.ID, second.Client.Role})
	assert.Empty(t, second.Client.Scopes)
	assert.Equal(t, h.clock.Now().Add(10*time.Minute).Unix(), second.Expires.Unix())
}

func TestAnAssertionServesOnceAcrossReplicas(t *testing.T) {
	h := start(t, nil)
	other := h.replica(item(object{"issuer": h.platform.Name, "jwks_url": h.platform.JWKS.URL}))
	for name, claims := range map[string]object{"with jti": nil, "without": {"jti": nil}, "with an empty one": {"jti": ""}} {
		text := h.assertion(claims)
		firsts := make(chan bool, 20)
		var all sync.WaitGroup
		for i := range cap(firsts) {
			registry := []*workload.Registry{h.Registry, other}[i%2]
			all.Go(func() {
				found, err := registry.Identify(t.Context(), text)
				if err == nil {
					err = registry.Spend(t.Context(), found)
				}
				firsts <- err == nil
			})
		}
		all.Wait()
		close(firsts)
		once := 0
		for first := range firsts {
			if first {
				once++
			}
		}
		assert.Equal(t, 1, once, name)
	}

	again := h.assertion(object{"jti": "the same"})
	found, err := h.Identify(t.Context(), again)
	require.NoError(t, err)
	require.NoError(t, h.Spend(t.Context(), found))
	another, err := h.Identify(t.Context(), h.assertion(object{"jti": "the same", "n": 1}))
	require.NoError(t, err)
	var refused *client.Error
	require.ErrorAs(t, h.Spend(t.Context(), another), &refused)
	assert.Equal(t, "the assertion was used before", refused.Description)

	h.clock.Advance(20 * time.Minute)
	_, err = h.used.Prune(t.Context(), h.clock.Now().UnixMilli(), 100)
	require.NoError(t, err)
	_, err = h.Identify(t.Context(), h.assertion(nil))
	require.NoError(t, err)
	h.clock.Advance(-20 * time.Minute)
	_, err = h.Identify(t.Context(), again)
	assert.Contains(t, h.reason(err), "expired", "a clock that is set back brings nothing back that was forgotten")
}

// An assertion of ES256 has another signature that is right too: it is the same assertion.
func TestAnotherSignatureOfAnAssertionIsNoOtherAssertion(t *testing.T) {
	h := start(t, nil)
	text := h.platform.Mint(testutil.Token{Algorithm: "ES256", Subject: "system:serviceaccount:payments:biller", Claims: object{"jti": nil}})
	input, signature := text[:strings.LastIndexByte(text, '.')], text[strings.LastIndexByte(text, '.')+1:]
	raw, err := jose.DecodeBase64(signature)
	require.NoError(t, err)
	s := new(big.Int).SetBytes(raw[32:])
	s.Sub(elliptic.P256().Params().N, s).FillBytes(raw[32:])
	twin := input + "." + jose.EncodeBase64(raw)
	require.NotEqual(t, text, twin)
	first, err := h.Identify(t.Context(), text)
	require.NoError(t, err)
	require.NoError(t, h.Spend(t.Context(), first))
	second, err := h.Identify(t.Context(), twin)
	require.NoError(t, err, "the other signature is right too")
	assert.Error(t, h.Spend(t.Context(), second))
}

func TestWhatIsNoAssertionOfAWorkloadIsRefused(t *testing.T) {
	h := start(t, object{"audience": []string{audience, audience + "/token"}, "claims": object{"level": 2}})
	good := func(changes object) string {
		all := object{"level": 2}
		for name, value := range changes {
			all[name] = value
		}
		return h.assertion(all)
	}
	_, err := h.Identify(t.Context(), good(nil))
	require.NoError(t, err)
	_, err = h.Identify(t.Context(), good(object{"aud": []string{audience, audience + "/token"}}))
	require.NoError(t, err)
	h.clock.Advance(time.Second)
	now := h.clock.Now().Unix()
	stranger := testutil.NewIssuer(t, testutil.IssuerConfig{Algorithms: []string{"EdDSA"}, Audience: audience, Clock: h.clock.Now})
	header := func(header object) string {
		return h.platform.Mint(testutil.Token{Subject: "system:serviceaccount:payments:biller", Claims: object{"level": 2}, Header: header})
	}
	attacks := map[string]string{
		"nothing":                       "",
		"no token":                      "a.b.c",
		"five parts":                    "a.b.c.d.e",
		"a huge one":                    good(object{"padding": strings.Repeat("x", jose.MaxTokenBytes)}),
		"another audience":              good(object{"aud": "https://other.example.com"}),
		"no audience":                   good(object{"aud": nil}),
		"an audience more":              good(object{"aud": []string{audience, "https://other.example.com"}}),
		"an audience that is an object": good(object{"aud": object{"a": audience}}),
		"an audience among numbers":     good(object{"aud": []any{audience, 1}}),
		"part of the audience":          good(object{"aud": audience + "/"}),
		"another subject":               good(object{"sub": "system:serviceaccount:default:biller"}),
		"a subject that only contains":  good(object{"sub": "x system:serviceaccount:payments:biller"}),
		"a subject of another case":     good(object{"sub": "System:serviceaccount:payments:biller"}),
		"no subject":                    good(object{"sub": nil}),
		"a subject that is a list":      good(object{"sub": []string{"system:serviceaccount:payments:biller"}}),
		"a subject that is too long":    good(object{"sub": "system:serviceaccount:payments:" + strings.Repeat("x", 2048)}),
		"another value of a claim":      good(object{"level": 3}),
		"a claim that is missing":       good(object{"level": nil}),
		"a claim that is a text":        good(object{"level": object{"2": 2}}),
		"issued in the future":          good(object{"iat": now + 120}),
		"valid in the future":           good(object{"nbf": now + 120}),
		"expired":                       good(object{"exp": now - 120}),
		"expired within the leeway":     good(object{"exp": now - 5}),
		"without expiry":                good(object{"exp": nil}),
		"an expiry that is a text":      good(object{"exp": "2099-01-01"}),
		"good for days":                 good(object{"exp": now + 100_000}),
		"an ID token":                   good(object{"nonce": "n"}),
		"a refresh token":               good(object{"typ": "Refresh"}),
		"a jti that is a number":        good(object{"jti": 5}),
		"an unknown issuer":             stranger.Mint(testutil.Token{Subject: "system:serviceaccount:payments:biller", Claims: object{"level": 2}}),
		"another's signature":           stranger.Mint(testutil.Token{Subject: "system:serviceaccount:payments:biller", Claims: object{"level": 2, "iss": h.platform.Name}, Header: object{"kid": h.platform.KeyID("EdDSA")}}),
		"a proof":                       header(object{"typ": "dpop+jwt"}),
		"a logout token":                header(object{"typ": "logout+jwt"}),
		"an encrypted one":              header(object{"typ": "JWE"}),
		"alg none":                      header(object{"alg": "none"}),
		"alg HS256":                     header(object{"alg": "HS256"}),
		"an extension":                  header(object{"crit": []string{"exp"}}),
		"a kid that is a number":        header(object{"kid": 1}),
		"a claim twice":                 h.platform.MintRaw("EdDSA", `{"alg":"EdDSA","kid":"`+h.platform.KeyID("EdDSA")+`"}`, `{"iss":"`+h.platform.Name+`","sub":"x","sub":"system:serviceaccount:payments:biller","aud":"`+audience+`","level":2,"exp":`+big.NewInt(now+60).String()+`}`),
	}
	for _, flaw := range testutil.Flaws() {
		attacks["flaw: "+string(flaw)] = h.platform.Mint(testutil.Token{Subject: "system:serviceaccount:payments:biller", Claims: object{"level": 2}, Flaw: flaw})
	}
	for name, text := range attacks {
		t.Run(name, func(t *testing.T) {
			found, err := h.Identify(t.Context(), text)
			assert.Nil(t, found)
			t.Log((&harness{TB: t}).reason(err))
		})
	}
	_, err = h.Identify(t.Context(), header(object{"jku": stranger.JWKS.URL, "x5u": stranger.URL, "x5c": []string{"AA=="}, "typ": "JOSE"}))
	assert.NoError(t, err, "what names or holds keys is not read")
	assert.Zero(t, stranger.JWKS.Requests(), "nobody was asked for the keys that a header names")
}

func TestKeysThatCannotBeHadAreNoFaultOfTheAssertion(t *testing.T) {
	for name, fault := range map[string]testutil.Fault{
		"away": testutil.Outage(), "an error": testutil.StatusCode(500), "no keys": testutil.Empty(), "another page": testutil.Garbage(), "without end": testutil.Huge(),
		"elsewhere": testutil.RedirectTo("https://other.example.com/keys"),
	} {
		t.Run(name, func(t *testing.T) {
			h := start(t, nil)
			h.platform.JWKS.Break(fault)
			text := h.assertion(nil)
			_, err := h.Identify(t.Context(), text)
			require.ErrorIs(t, err, verify.ErrUnavailable)
			h.platform.JWKS.Heal()
			h.clock.Advance(2 * time.Second)
			found, err := h.Identify(t.Context(), text)
			require.NoError(t, err)
			assert.NoError(t, h.Spend(t.Context(), found), "it was not used up")
		})
	}
}

func TestTheKeysOfAnIssuerMayRotate(t *testing.T) {
	h := start(t, nil, object{"subject": "*"})
	_, err := h.Identify(t.Context(), h.assertion(nil))
	require.NoError(t, err)
	h.platform.Compromise()
	h.clock.Advance(time.Minute)
	_, err = h.Identify(t.Context(), h.assertion(nil))
	require.NoError(t, err)
	assert.Equal(t, 2, h.platform.JWKS.Requests(), "the items of an issuer share its keys")
}

func TestARegistryThatCannotBe(t *testing.T) {
	list, err := load(t, item(nil), item(object{"issuer": audience}))
	require.NoError(t, err)
	_, err = workload.NewRegistry(workload.RegistryConfig{Workloads: list, Key: "oauth.workloads", Own: audience, Clock: time.Now})
	assert.Equal(t, []string{"oauth.workloads[1].issuer"}, faults(err), "%v", err)
	list, err = load(t, item(object{"ca_file": "/does/not/exist.pem"}))
	require.NoError(t, err)
	_, err = workload.NewRegistry(workload.RegistryConfig{Workloads: list, Key: "oauth.workloads", Own: audience, Clock: time.Now})
	assert.Equal(t, []string{"oauth.workloads[0].ca_file"}, faults(err), "%v", err)
}

// No text is taken but those that the platform has signed.
func FuzzIdentify(f *testing.F) {
	h := start(f, nil)
	good := []string{h.assertion(nil), h.assertion(object{"jti": nil, "aud": []string{audience}})}
	for _, text := range good {
		f.Add(text)
		f.Add(text + "A")
	}
	f.Add(h.assertion(object{"sub": "x"}))
	f.Add(h.assertion(object{"aud": []string{audience, "x"}}))
	for _, flaw := range testutil.Flaws() {
		f.Add(h.platform.Mint(testutil.Token{Subject: "system:serviceaccount:payments:biller", Flaw: flaw}))
	}
	_, _ = h.Identify(context.Background(), good[0]) // the keys are fetched before
	f.Fuzz(func(t *testing.T, text string) {
		found, err := h.Identify(context.Background(), text)
		var refused *client.Error
		switch {
		case text == good[0] || text == good[1]:
			if err != nil || found == nil {
				t.Fatalf("a good one: %v", err)
			}
		case found != nil || !errors.As(err, &refused):
			t.Fatalf("%q: %v, %v", text, found, err)
		}
	})
}
