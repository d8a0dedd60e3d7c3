package testutil

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/clientauth/jose"
)

const rsaBits = 2048

// signingKey is a private key with its public half as published.
type signingKey struct {
	private any
	public  jose.Key
}

// signingKeys are an issuer's keys.
type signingKeys struct {
	mu        sync.Mutex
	active    map[string]signingKey // by algorithm
	published []jose.Key
}

// renew makes a key for each algorithm; those that were there stay published.
func (s *signingKeys) renew(tb testing.TB, algorithms []string) {
	tb.Helper()
	next := make(map[string]signingKey, len(algorithms))
	for _, alg := range algorithms {
		next[alg] = newSigningKey(tb, alg)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active = next
	for _, alg := range algorithms {
		s.published = append(s.published, next[alg].public)
	}
}

// replace makes a key for each algorithm under the id of the one that was there.
func (s *signingKeys) replace(tb testing.TB, algorithms []string) {
	tb.Helper()
	fresh := signingKeys{}
	fresh.renew(tb, algorithms)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.published = nil
	for alg, old := range s.active {
		next := fresh.active[alg]
		next.public.ID = old.public.ID
		s.active[alg], s.published = next, append(s.published, next.public)
	}
}

// dropInactive stops publishing the keys that do not sign, and returns their ids.
func (s *signingKeys) dropInactive() (dropped []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.published = slices.DeleteFunc(slices.Clone(s.published), func(key jose.Key) bool {
		if s.active[key.Algorithm].public.ID == key.ID {
			return false
		}
		dropped = append(dropped, key.ID)
		return true
	})
	return dropped
}

func (s *signingKeys) signer(alg string) (signingKey, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key, found := s.active[alg]
	return key, found
}

func (s *signingKeys) all() []jose.Key {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.published)
}

// Rotate makes a new key for each algorithm, which signs from now on. The old ones stay published.
func (i *Issuer) Rotate() {
	i.tb.Helper()
	i.keys.renew(i.tb, i.algorithms)
}

// ReplaceKeys makes a new key for each algorithm under the kid of the old one, which is gone, as a server does that
// restarts with keys in memory and kids in its configuration.
func (i *Issuer) ReplaceKeys() {
	i.tb.Helper()
	i.keys.replace(i.tb, i.algorithms)
}

// DropOldKeys stops publishing the keys that sign no more: what is left of them is in the caches of services.
func (i *Issuer) DropOldKeys() { i.keys.dropInactive() }

// Compromise does what an issuer does when its keys were stolen: it rotates, drops the old keys at once, and puts them
// on the denylist.
func (i *Issuer) Compromise() {
	i.tb.Helper()
	i.Rotate()
	for _, kid := range i.keys.dropInactive() {
		i.Revoke(clientauth.Revocation{KID: kid, Reason: "compromised"})
	}
}

// KeyID is the kid of the key that signs for an algorithm; empty is the first of the issuer's.
func (i *Issuer) KeyID(algorithm string) string {
	i.tb.Helper()
	return i.signer(algorithm).public.ID
}

// signer returns the key for an algorithm, or for the issuer's first.
func (i *Issuer) signer(algorithm string) signingKey {
	i.tb.Helper()
	if algorithm == "" {
		algorithm = i.algorithms[0]
	}
	key, found := i.keys.signer(algorithm)
	if !found {
		i.tb.Fatalf("testutil: the issuer has no key for %q; IssuerConfig.Algorithms has %v", algorithm, i.algorithms)
	}
	return key
}

func (i *Issuer) jwks(w http.ResponseWriter, r *http.Request) {
	if i.maxAge > 0 {
		w.Header().Set("Cache-Control", fmt.Sprintf("public, max-age=%d", i.maxAge/time.Second))
	}
	set := jose.Set{Keys: i.keys.all()}
	if wanted := r.URL.Query().Get("kty"); wanted != "" {
		types := strings.Split(wanted, ",")
		set.Keys = slices.DeleteFunc(set.Keys, func(key jose.Key) bool {
			return !slices.Contains(types, jose.KeyType(key.Algorithm))
		})
	}
	writeJSON(w, set)
}

// newSigningKey makes a key for an algorithm. Its id is its thumbprint.
func newSigningKey(tb testing.TB, alg string) signingKey {
	tb.Helper()
	private, public, err := newKeyPair(tb, alg)
	if err != nil {
		tb.Fatalf("testutil: a key for %q: %v", alg, err)
	}
	id, err := jose.Thumbprint(public)
	if err != nil {
		tb.Fatalf("testutil: %v", err)
	}
	return signingKey{private, jose.Key{ID: id, Algorithm: alg, Public: public}}
}

func newKeyPair(tb testing.TB, alg string) (private, public any, err error) {
	switch jose.KeyType(alg) {
	case jose.KeyTypeRSA:
		key, err := borrowRSA(tb)
		if err != nil {
			return nil, nil, err
		}
		return key, &key.PublicKey, nil
	case jose.KeyTypeEC:
		curve := elliptic.P256()
		if alg == jose.ES384 {
			curve = elliptic.P384()
		}
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			return nil, nil, err
		}
		return key, &key.PublicKey, nil
	case jose.KeyTypeOKP:
		public, private, err := ed25519.GenerateKey(rand.Reader)
		return private, public, err
	case jose.KeyTypeAKP:
		key, err := jose.GenerateMLDSAKey(alg)
		if err != nil {
			return nil, nil, err
		}
		return key, key.Public(), nil
	}
	return nil, nil, fmt.Errorf("%w; there are %v", jose.ErrUnsupportedAlgorithm, jose.Algorithms())
}

// idleRSA are the RSA keys of tests that have ended: they take too long to make one for each test. No two tests that
// run have the same.
var idleRSA struct {
	sync.Mutex
	keys []*rsa.PrivateKey
}

func borrowRSA(tb testing.TB) (key *rsa.PrivateKey, err error) {
	idleRSA.Lock()
	if last := len(idleRSA.keys) - 1; last >= 0 {
		key, idleRSA.keys = idleRSA.keys[last], idleRSA.keys[:last]
	}
	idleRSA.Unlock()
	if key == nil {
		if key, err = rsa.GenerateKey(rand.Reader, rsaBits); err != nil {
			return nil, err
		}
	}
	tb.Cleanup(func() {
		idleRSA.Lock()
		defer idleRSA.Unlock()
		idleRSA.keys = append(idleRSA.keys, key)
	})
	return key, nil
}
