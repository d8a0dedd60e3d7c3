package serverauth_test

import (
	"encoding/base64"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"

	"github.com/picoauth/picoauth/serverauth"
)

func argon2idString(password string, memory, time uint32, threads uint8) string {
	salt := []byte("sixteen bytes ok")
	hash := argon2.IDKey([]byte(password), salt, time, memory, threads, 32)
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", memory, time, threads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(hash))
}

func TestLoginWithEachFormOfPassword(t *testing.T) {
	bcrypted, err := bcrypt.GenerateFromPassword([]byte("correct horse"), bcrypt.MinCost)
	require.NoError(t, err)
	for name, configured := range map[string]string{
		"plain": "correct horse", "argon2id": argon2idString("correct horse", 64, 1, 1), "bcrypt": string(bcrypted),
	} {
		t.Run(name, func(t *testing.T) {
			s := startServer(t, map[string]any{"auto_create_admin": true, "admin_password": configured})
			in := s.post("/login", map[string]any{"email": "admin@pico.local", "password": "correct horse"}).tokens(t)
			assert.Equal(t, "Bearer", in.Type)
			assert.Equal(t, 900, in.ExpiresIn)
			claims := jwtPart(t, in.Access, 1)
			assert.Equal(t, "admin@pico.local", claims["sub"])
			assert.Equal(t, "admin", claims["role"])
			assert.NotContains(t, claims, "wallet_address")

			for _, wrong := range []map[string]any{
				{"email": "admin@pico.local", "password": "wrong"},
				{"email": "admin@pico.local", "password": configured + "x"},
				{"email": "eve@pico.local", "password": "correct horse"},
				{"email": "admin@pico.local"}, {"password": "correct horse"}, {},
			} {
				s.post("/login", wrong).problem(t, 401, "invalid credentials")
			}
		})
	}
}

func TestTheHashItselfIsNoPassword(t *testing.T) {
	configured := argon2idString("correct horse", 64, 1, 1)
	s := startServer(t, map[string]any{"auto_create_admin": true, "admin_password": configured})
	s.post("/login", map[string]any{"email": "admin@pico.local", "password": configured}).problem(t, 401, "invalid credentials")
}

func TestLoginIsDisabledByDefault(t *testing.T) {
	s := startServer(t, map[string]any{"admin_password": "correct horse"})
	s.post("/login", map[string]any{"email": "admin@pico.local", "password": "correct horse"}).problem(t, 403, "password login disabled")
}

func TestAdminPasswordsThatRefuseToStart(t *testing.T) {
	for name, password := range map[string]string{
		"empty": "", "the word admin": "admin", "unknown PHC": "$scrypt$ln=4$YWFh$YWFh", "truncated argon2id": "$argon2id$v=19$m=64,t=1,p=1$YWFh",
		"argon2id without work": "$argon2id$v=19$m=64,t=0,p=1$c2l4dGVlbiBieXRlcyBvaw$c2l4dGVlbiBieXRlcyBvaw",
		"argon2id of too much":  "$argon2id$v=19$m=99999999,t=1,p=1$c2l4dGVlbiBieXRlcyBvaw$c2l4dGVlbiBieXRlcyBvaw",
		"argon2id with a tail":  argon2idString("x", 64, 1, 1) + "$x", "half a bcrypt": "$2a$10$abcdefg", "argon2i": "$argon2i$v=19$m=64,t=1,p=1$YWFhYWFhYWFh$YWFhYWFhYWFhYWFhYWFhYWFhYWFh",
	} {
		t.Run(name, func(t *testing.T) {
			settings := serverauth.DefaultServerAuthSettings()
			settings.AutoCreateAdmin, settings.AdminPassword = true, password
			err := settings.Validate()
			require.ErrorContains(t, err, "admin_password")
			if len(password) > 5 {
				assert.NotContains(t, err.Error(), password, "an error never shows a secret")
			}
		})
	}
}

func TestManyLoginsAtOnceAreServedOrTurnedAway(t *testing.T) {
	s := startServer(t, map[string]any{"auto_create_admin": true, "admin_password": argon2idString("correct horse", 8*1024, 1, 1)})
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			r := s.post("/login", map[string]any{"email": "admin@pico.local", "password": "correct horse"})
			if r.status == 429 {
				assert.NotEmpty(t, r.header.Get("Retry-After"))
			} else {
				assert.Equal(t, 200, r.status)
			}
		})
	}
	wg.Wait()
	s.post("/login", map[string]any{"email": "admin@pico.local", "password": "correct horse"}).tokens(t)
}

func TestClosingPasswordLoginEndsAdminSessions(t *testing.T) {
	backend := newSharedBackend(t)
	settings := map[string]any{"storage_url": "shared:", "auto_create_admin": true, "admin_password": "correct horse"}
	open := startServer(t, settings, backend)
	in := open.post("/login", map[string]any{"email": "admin@pico.local", "password": "correct horse"}).tokens(t)
	settings["auto_create_admin"] = false
	closed := startServer(t, settings, backend)
	closed.refresh(in.Refresh).problem(t, 401, "refresh invalid: session has ended")
}
