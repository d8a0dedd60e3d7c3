package keys_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/picoauth/picoauth/serverauth/keys"
)

func TestRecordValidate(t *testing.T) {
	good, other := keyRecord(t, "ES256"), keyRecord(t, "ES256")
	with := func(change func(*keys.Record)) keys.Record {
		r := good.Clone()
		change(&r)
		return r
	}
	tests := []struct {
		name   string
		record keys.Record
		valid  bool
	}{
		{"a key", good, true},
		{"a key without its private part", with(func(r *keys.Record) { r.Private = nil }), true},
		{"a tombstone", with(func(r *keys.Record) { r.Private, r.CompromisedAt = nil, start }), true},
		{"a secret", secretRecord("refresh"), true},
		{"nothing", keys.Record{}, false},
		{"no creation time", with(func(r *keys.Record) { r.CreatedAt = time.Time{} }), false},
		{"no token lifetime", with(func(r *keys.Record) { r.TokenLifetime = 0 }), false},
		{"unknown kind", with(func(r *keys.Record) { r.Kind = "lock" }), false},
		{"algorithm of another type", with(func(r *keys.Record) { r.Algorithm = "RS256" }), false},
		{"algorithm that does not sign", with(func(r *keys.Record) { r.Algorithm = "HS256" }), false},
		{"id of another key", with(func(r *keys.Record) { r.ID = other.ID }), false},
		{"public part of another key", with(func(r *keys.Record) { r.Public = other.Public }), false},
		{"private part of another key", with(func(r *keys.Record) { r.Private = other.Private }), false},
		{"private part that is none", with(func(r *keys.Record) { r.Private = []byte("secret bytes") }), false},
		{"private part in the public one", with(func(r *keys.Record) {
			r.Public = bytes.Replace(r.Public, []byte(`"x":`), []byte(`"d":"AAAA","x":`), 1)
		}), false},
		{"a tombstone with a private part", with(func(r *keys.Record) { r.CompromisedAt = start }), false},
		{"a secret of another size", keys.Record{ID: "secret.a", Kind: keys.KindSecret, CreatedAt: start, Private: []byte{1}}, false},
		{"a secret with a path for a name", keys.Record{
			ID: "secret.../../a", Kind: keys.KindSecret, CreatedAt: start, Private: make([]byte, keys.SecretSize),
		}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := test.record.Validate()
			if test.valid && err != nil || !test.valid && !errors.Is(err, keys.ErrInvalidRecord) {
				t.Fatalf("got %v", err)
			}
			if err != nil && strings.Contains(err.Error(), "secret bytes") {
				t.Fatalf("the error shows the private part: %v", err)
			}
		})
	}
}

func TestEveryAlgorithmMakesValidRecords(t *testing.T) {
	for _, algorithm := range keys.Algorithms() {
		t.Run(algorithm, func(t *testing.T) {
			r := keyRecord(t, algorithm)
			if err := r.Validate(); err != nil {
				t.Fatal(err)
			}
			if len(r.ID) != 43 {
				t.Fatalf("the id %q is no thumbprint", r.ID)
			}
		})
	}
}

func TestPrintingShowsNoSecret(t *testing.T) {
	r := secretRecord("refresh")
	r.Private = bytes.Repeat([]byte("Q"), keys.SecretSize)
	key, err := keys.ParseEncryptionKey(strings.Repeat("51", 32)) // "QQ…"
	if err != nil {
		t.Fatal(err)
	}
	var printed strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&printed, verb+verb+verb+verb, r, &r, key, []keys.Record{r})
	}
	slog.New(slog.NewJSONHandler(&printed, nil)).Info("x", "record", r, "key", key)
	text := printed.String()
	for _, secret := range []string{"QQQQ", "81 81", "0x51, 0x51", hex.EncodeToString([]byte("QQQQ"))} {
		if strings.Contains(text, secret) {
			t.Fatalf("%q is in %s", secret, text)
		}
	}
}
