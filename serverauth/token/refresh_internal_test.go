package token

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/picoauth/picoauth/serverauth/internal/mac"
	"github.com/picoauth/picoauth/serverauth/store"
)

// FuzzRefreshTokenDecode looks for a refresh token that its codec did not make and reads all the same, and for claims
// that come back changed.
func FuzzRefreshTokenDecode(f *testing.F) {
	now := time.Unix(1_800_000_000, 0)
	codec := NewRefreshCodec("http://issuer", mac.Fixed([]byte("0123456789abcdef0123456789abcdef")))
	stranger := NewRefreshCodec("http://issuer", mac.Fixed([]byte("another key of just as many byte")))
	row := store.Session{ID: "0123456789012345678901", Subject: store.Subject{ID: "subject"}, Counter: 7, RotatedAt: now.UnixMilli(), ExpiresAt: now.Add(time.Hour).UnixMilli()}
	genuine, err := codec.Encode(row, Grant{})
	if err != nil {
		f.Fatal(err)
	}
	foreign, _ := stranger.Encode(row, Grant{})
	header, rest, _ := strings.Cut(genuine, ".")
	payload, mac, _ := strings.Cut(rest, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"rt+jwt"}`))
	for _, token := range []string{
		"", ".", "..", genuine, foreign, genuine + ".", genuine + "=", header + "." + payload + ".", none + "." + payload + "." + mac, payload + "." + mac,
		header + ".." + mac, strings.Repeat("a", maxRefreshTokenSize+1), header + "." + payload + "." + mac[:len(mac)-1] + "_", strings.ToUpper(genuine),
	} {
		f.Add(token, int64(0))
	}
	f.Add(genuine, int64(3599))
	f.Add(genuine, int64(3600))
	f.Fuzz(func(t *testing.T, token string, later int64) {
		claims, err := codec.Decode(token, now.Add(time.Duration(later%7200)*time.Second))
		switch {
		case token != genuine && (!errors.Is(err, ErrRefreshInvalid) || claims.SessionID != ""):
			t.Fatalf("%q: %+v %v", token, claims, err)
		case token == genuine && (err != nil) != (later%7200 >= 3600):
			t.Fatalf("after %d s: %v", later%7200, err)
		case token == genuine && (claims.SessionID != row.ID || claims.Counter != row.Counter || claims.Subject != "subject"):
			t.Fatalf("%+v", claims)
		}
	})
}
