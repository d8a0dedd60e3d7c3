package redisstore

import (
	"errors"
	"fmt"
	"testing"

	"github.com/picoauth/picoauth/serverauth"
)

// What comes from the network is read whole or refused.
func FuzzRows(f *testing.F) {
	session := serverauth.Session{
		ID: "sid", Subject: serverauth.Subject{ID: "0xab \x00", Kind: "wallet", Algorithm: "eip191", WalletID: "id", Account: "eip155:1:0xab"},
		Counter: 1<<64 - 1, StartedAt: -1, RotatedAt: 2, ExpiresAt: 3, EndsAt: 4, Credential: "c",
	}
	mint := serverauth.AuditEntry{Seq: 7, MAC: serverauth.AuditMAC{1}, Mint: serverauth.Mint{ID: "jti", Subject: "\xff", ExpiresAt: 1 << 62}}
	f.Add(string(appendSession(nil, session)))
	f.Add(string(appendRevocation([]byte("5 "), serverauth.Revocation{JTI: "j", Sub: "s", RevokedAt: 1, Exp: 2, Reason: "r"})))
	f.Add(string(appendAudit(nil, mint)))
	f.Add(string(appendAudit(nil, serverauth.AuditEntry{Seq: 9, Pruned: 3, Seal: serverauth.AuditMAC{2}})))
	f.Add(string(appendAudit(nil, serverauth.AuditEntry{Seq: 9, Lost: 3})))
	f.Add(headText(mint.Head()))
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := readSession(text); err == nil {
			again, err := readSession(string(appendSession(nil, s)))
			same(t, s, again, err)
		} else if !errors.Is(err, errDamaged) {
			t.Error(err)
		}
		if n, r, err := readRevocation(text); err == nil {
			m, again, err := readRevocation(string(appendRevocation(fmt.Appendf(nil, "%d ", n), r)))
			same(t, r, again, err)
			same(t, n, m, err)
		}
		if e, err := readAudit(text); err == nil {
			again, err := readAudit(string(appendAudit(nil, e)))
			same(t, e, again, err)
		}
		if h, err := readHead(text); err == nil {
			again, err := readHead(headText(h))
			same(t, h, again, err)
		}
	})
}

func same[T comparable](t *testing.T, first, again T, err error) {
	t.Helper()
	if err != nil || first != again {
		t.Errorf("%+v is read again as %+v, %v", first, again, err)
	}
}

// A URL is refused without a word of it, and never turns off what bounds a call.
func FuzzURL(f *testing.F) {
	for _, url := range []string{
		"redis://:secret@localhost:6379/1", "rediss://user:secret@[::1]", "redis://h?read_timeout=0&pool_timeout=-1", "redis://h/1/2",
		"redis://:se/cret@h", "redis://:se?cret@h", "redis://:se#cret@h", "redis:secret", "redis://h?dial_timeout=1h&pool_size=-5",
	} {
		f.Add(url)
	}
	f.Fuzz(func(t *testing.T, url string) {
		o, err := options(url)
		if err != nil {
			if !errors.Is(err, errURL) && !errors.Is(err, errParameter) {
				t.Errorf("the error may show something: %v", err)
			}
			return
		}
		if o.ReadTimeout <= 0 || o.WriteTimeout <= 0 || o.DialTimeout <= 0 || o.PoolTimeout <= 0 || o.MaxRetries != -1 {
			t.Errorf("%+v", o)
		}
	})
}
