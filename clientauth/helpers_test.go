package clientauth_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/testutil/tokentest"
)

const (
	issuerName = tokentest.IssuerName
	audience   = tokentest.Audience
)

type (
	clock  = tokentest.Clock
	signer = tokentest.Signer
	object = tokentest.Object
)

var (
	epoch       = tokentest.Epoch
	newClock    = tokentest.NewClock
	signers     = tokentest.Signers
	fresh       = tokentest.Fresh
	keysOf      = tokentest.KeysOf
	trusting    = tokentest.Trusting
	with        = tokentest.With
	claims      = tokentest.Claims
	newServer   = tokentest.NewServer
	serveText   = tokentest.ServeText
	serveStatus = tokentest.ServeStatus
	serveKeys   = tokentest.ServeKeys
	eventually  = tokentest.Eventually

	quiet = slog.New(slog.DiscardHandler)
)

func must[T any](value T, err error) T { return tokentest.Must(value, err) }

func newValidator(t testing.TB, cfg clientauth.ValidatorConfig) *clientauth.TokenValidator {
	t.Helper()
	v, err := clientauth.NewTokenValidator(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// list is a denylist endpoint as the issuer serves it.
type list struct {
	mu       sync.Mutex
	items    []clientauth.Revocation
	noSeq    bool
	queries  []string
	notModif int
	header   http.Header
}

func (l *list) revoke(items ...clientauth.Revocation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.items = append(l.items, items...)
}

func (l *list) serve(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queries, l.header = append(l.queries, r.URL.RawQuery), r.Header.Clone()
	since, _ := strconv.Atoi(r.URL.Query().Get("since"))
	reply := map[string]any{"items": append([]clientauth.Revocation{}, l.items[min(since, len(l.items)):]...), "seq": len(l.items), "x": []int{1}}
	if l.noSeq {
		reply["items"] = l.items
		delete(reply, "seq")
	}
	body := must(json.Marshal(reply))
	etag := fmt.Sprintf(`"%x"`, len(body))
	w.Header().Set("ETag", etag)
	if r.Header.Get("If-None-Match") == etag {
		l.notModif++
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write(body)
}

// failing is a denylist, a key set and a role resolver of which nothing can be had.
type failing struct{ err error }

func (f failing) Denied(context.Context, clientauth.TokenRef) (bool, error) { return false, f.err }
func (f failing) Key(context.Context, string, string) (*jose.Key, error)    { return nil, f.err }
func (f failing) ResolveRoles(context.Context, *clientauth.SecurityContext) ([]string, error) {
	return nil, f.err
}

func walletClaims() object {
	return claims(object{"algorithm": "eip191", "wallet_address": "0x52908400098527886E0F7030069857D2E4169EE7", "account": "eip155:1:0x52908400098527886E0F7030069857D2E4169EE7",
		"wallet_id": strings.Repeat("t", 43), "jti": strings.Repeat("j", 32), "sid": strings.Repeat("s", 32), "sub": "0x52908400098527886E0F7030069857D2E4169EE7"})
}

// publicOf is the public key of an Ed25519 signer.
func publicOf(s signer) []byte { return s.Key.Public.(ed25519.PublicKey) }

// hashOf is the claim ath of a token.
func hashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return jose.EncodeBase64(sum[:])
}
