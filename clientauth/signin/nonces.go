package signin

import (
	"net/http"
	"net/url"
	"sync"
)

// maxNonces is the maximum number of servers whose nonce is kept. The next nonce after that removes all others.
const maxNonces = 256

// nonces are the latest nonces that servers sent for proofs (RFC 9449, section 8), one for each server.
type nonces struct {
	mu       sync.Mutex
	byOrigin map[string]string
}

func originOf(u *url.URL) string { return u.Scheme + "://" + u.Host }

func (n *nonces) of(u *url.URL) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.byOrigin[originOf(u)]
}

// learn stores the nonce of a reply, and reports whether there is one.
func (n *nonces) learn(u *url.URL, reply *http.Response) bool {
	nonce := reply.Header.Get(headerNonce)
	if nonce == "" {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.byOrigin == nil || len(n.byOrigin) >= maxNonces {
		n.byOrigin = make(map[string]string)
	}
	n.byOrigin[originOf(u)] = nonce
	return true
}
