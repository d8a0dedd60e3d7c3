package redisstore

import (
	"errors"
	"fmt"
	"testing"

	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/audit"
	"github.com/picoauth/picoauth/serverauth/store"
)

// What comes from the network is read whole or refused.
func FuzzRows(f *testing.F) {
	session := store.Session{
		ID: "sid", Subject: serverauth.Subject{ID: "0xab \x00", Kind: "wallet", Algorithm: "eip191", WalletID: "id", Account: "eip155:1:0xab"},
		Counter: 1<<64 - 1, StartedAt: -1, RotatedAt: 2, ExpiresAt: 3, EndsAt: 4, Credential: "c",
		ClientID: "client", RequestID: "request", Client: "::1", UserAgent: "curl", KeyThumbprint: "key", MAC: [32]byte{1},
	}
	contract := session
	contract.Subject.Address, contract.Subject.WalletKind = "0xab", store.WalletContract
	contract.Proof, contract.CheckedAt = store.WalletProof{Message: "m", Signature: "\x00"}, 5
	mint := audit.Entry{Seq: 7, MAC: audit.MAC{1}, Mint: audit.Mint{ID: "jti", Subject: "\xff", ExpiresAt: 1 << 62}}
	f.Add(string(appendSession(nil, session)))
	f.Add(string(appendSession(nil, contract)))
	session.KeyThumbprint = ""
	f.Add(string(appendSession(nil, session)))
	f.Add(string(appendRevocation([]byte("5 "), store.Revocation{JTI: "j", Sub: "s", RevokedAt: 1, Exp: 2, Reason: "r"})))
	f.Add(string(appendAudit(nil, mint)))
	mint.Mint.Act = `{"sub":"agent"}`
	f.Add(string(appendAudit(nil, mint)))
	f.Add(string(appendAudit(nil, audit.Entry{Seq: 9, Pruned: 3, Seal: audit.MAC{2}})))
	f.Add(string(appendAudit(nil, audit.Entry{Seq: 9, Lost: 3})))
	f.Add(headText(mint.Head()))
	f.Add(string(appendLink(nil, store.Link{Wallet: session.Subject, Subject: "0xcd \x00", LinkedAt: 1, LeftAt: 2, Version: [16]byte{3}, MAC: [32]byte{4}})))
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
		if link := readLink(text); link.Wallet.ID != "" {
			same(t, link, readLink(string(appendLink(nil, link))), nil)
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
