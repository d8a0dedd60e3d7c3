package testutil

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"

	"github.com/picoauth/picoauth/clientauth"
)

// revokedList is an issuer's denylist. The sequence number of an item is its place, from 1.
type revokedList struct {
	mu    sync.Mutex
	items []clientauth.Revocation
}

func (l *revokedList) add(item clientauth.Revocation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.items = append(l.items, item)
}

// since returns the items after a sequence number, or all when there is no such number, and the last number.
func (l *revokedList) since(seq string) (items []clientauth.Revocation, last int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	last = len(l.items)
	from, err := strconv.Atoi(seq)
	if err != nil || from < 0 || from > last {
		from = 0
	}
	return append(items, l.items[from:]...), last
}

// Revoke puts an item on the denylist, which hits tokens by their JTI, SID, Sub or KID. A RevokedAt of 0 is now.
func (i *Issuer) Revoke(item clientauth.Revocation) {
	if item.RevokedAt == 0 {
		item.RevokedAt = i.now().Unix()
	}
	i.revoked.add(item)
}

// RevokeToken puts a token of the issuer's on the denylist by its jti.
func (i *Issuer) RevokeToken(token string) {
	i.tb.Helper()
	claims, err := TokenClaims(token)
	jti, _ := claims["jti"].(string)
	if err != nil || jti == "" {
		i.tb.Fatalf("testutil: a token without a jti cannot be revoked by it (%v)", err)
	}
	i.Revoke(clientauth.Revocation{JTI: jti})
}

func (i *Issuer) revokedJTIs(w http.ResponseWriter, r *http.Request) {
	if !i.isSecret(r.Header) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	items, last := i.revoked.since(r.URL.Query().Get("since"))
	tag := fmt.Sprintf(`"%d"`, last)
	w.Header().Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if items == nil {
		items = []clientauth.Revocation{}
	}
	writeJSON(w, map[string]any{"items": items, "seq": last})
}
