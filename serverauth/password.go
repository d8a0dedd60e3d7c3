package serverauth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"

	"github.com/picoauth/picoauth/app"
)

// Bounds of a PHC string's parameters: below they would protect nothing, above one login would exhaust the server.
const (
	minArgonMemory = 8           // KiB a thread, RFC 9106 section 3.1
	maxArgonMemory = 1024 * 1024 // KiB: 1 GiB
	maxArgonTime   = 64
	maxBcryptCost  = 16
)

// passwordCheck tells whether a password is the right one, in a time that does not depend on either.
type passwordCheck func(password string) bool

// newPasswordCheck reads the configured admin password: a PHC string of argon2id, a bcrypt hash, or plain text.
func newPasswordCheck(configured string) (passwordCheck, error) {
	switch {
	case configured == "":
		return nil, badPassword("must not be empty while auto_create_admin is true")
	case configured == "admin":
		return nil, badPassword("the word admin is no password")
	case strings.HasPrefix(configured, "$argon2id$"):
		return argon2idCheck(configured)
	case strings.HasPrefix(configured, "$2"):
		return bcryptCheck(configured)
	case strings.HasPrefix(configured, "$"):
		return nil, errBadPHC
	default:
		return plainCheck(configured), nil
	}
}

var errBadPHC = badPassword("begins with $ and is no valid argon2id or bcrypt string")

func badPassword(reason string) error {
	return &app.ConfigError{Key: "admin_password", Reason: reason}
}

func plainCheck(configured string) passwordCheck {
	want := sha256.Sum256([]byte(configured))
	return func(password string) bool {
		got := sha256.Sum256([]byte(password))
		return subtle.ConstantTimeCompare(got[:], want[:]) == 1
	}
}

func bcryptCheck(configured string) (passwordCheck, error) {
	cost, err := bcrypt.Cost([]byte(configured))
	if err != nil || len(configured) != 60 || cost > maxBcryptCost {
		return nil, errBadPHC
	}
	return func(password string) bool {
		return bcrypt.CompareHashAndPassword([]byte(configured), []byte(password)) == nil
	}, nil
}

// argon2idCheck reads $argon2id$v=19$m=65536,t=3,p=4$salt$hash, base64 without padding.
func argon2idCheck(configured string) (passwordCheck, error) {
	part := strings.Split(configured, "$")
	if len(part) != 6 || part[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return nil, errBadPHC
	}
	var memory, time uint32
	var threads uint8
	if _, err := fmt.Sscanf(part[3], "m=%d,t=%d,p=%d", &memory, &time, &threads); err != nil ||
		part[3] != fmt.Sprintf("m=%d,t=%d,p=%d", memory, time, threads) {
		return nil, errBadPHC
	}
	salt, saltErr := base64.RawStdEncoding.Strict().DecodeString(part[4])
	want, hashErr := base64.RawStdEncoding.Strict().DecodeString(part[5])
	if saltErr != nil || hashErr != nil || len(salt) < 8 || len(want) < 16 || len(want) > 128 || threads == 0 || time == 0 ||
		time > maxArgonTime || memory < minArgonMemory*uint32(threads) || memory > maxArgonMemory {
		return nil, errBadPHC
	}
	return func(password string) bool {
		got := argon2.IDKey([]byte(password), salt, time, memory, threads, uint32(len(want)))
		return subtle.ConstantTimeCompare(got, want) == 1
	}, nil
}

// errBusy is returned when too many password hashes wait already.
var errBusy = errors.New("serverauth: too many logins at once")

const (
	maxPasswordHashes  = 2 // that run at once
	maxPasswordWaiting = 16
)

// passwordGate lets few password hashes run at once and few more wait, since each may take much memory.
type passwordGate struct {
	running, waiting chan struct{}
}

func newPasswordGate() passwordGate {
	return passwordGate{
		running: make(chan struct{}, maxPasswordHashes),
		waiting: make(chan struct{}, maxPasswordHashes+maxPasswordWaiting),
	}
}

// enter waits for a place and returns the function that gives it back.
func (g passwordGate) enter(ctx context.Context) (leave func(), err error) {
	select {
	case g.waiting <- struct{}{}:
	default:
		return nil, errBusy
	}
	select {
	case g.running <- struct{}{}:
		return func() { <-g.running; <-g.waiting }, nil
	case <-ctx.Done():
		<-g.waiting
		return nil, ctx.Err()
	}
}
