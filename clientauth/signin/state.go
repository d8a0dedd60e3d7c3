package signin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// session is the state of a session, in memory and in the state file.
type session struct {
	Issuer       string    `json:"issuer"`
	Address      string    `json:"address"` // of the key that began it
	AccessToken  string    `json:"access_token"`
	RefreshToken string    `json:"refresh_token"`
	ExpiresAt    time.Time `json:"expires_at"` // of the access token
	Lifetime     int64     `json:"expires_in"` // of the access token, seconds
	// Thumbprint is that of the key to which the tokens are bound. ProofKey is that key (PKCS #8 in base64), unless the caller
	// provided it.
	Thumbprint string `json:"dpop_jkt,omitempty"`
	ProofKey   string `json:"dpop_key,omitempty"`
}

// stateFile is the path of the file that stores the session. Without a path nothing is stored.
type stateFile string

// lockPoll is the interval between attempts to get a lock that another process holds.
const lockPoll = 20 * time.Millisecond

// exclusively runs an action while it holds the lock file. The operating system releases the lock when the process ends.
func (s stateFile) exclusively(ctx context.Context, action func() error) error {
	if s == "" {
		return action()
	}
	lock := flock.New(string(s) + ".lock")
	if locked, err := lock.TryLockContext(ctx, lockPoll); err != nil || !locked {
		return fmt.Errorf("signin: lock %s.lock: %w", s, errors.Join(err, ctx.Err()))
	}
	defer func() { _ = lock.Unlock() }()
	return action()
}

// load returns the stored session; an empty one if there is none. A damaged file counts as none.
func (s stateFile) load() (kept session, err error) {
	if s == "" {
		return kept, nil
	}
	text, err := os.ReadFile(string(s))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return kept, nil
	case err != nil:
		return kept, fmt.Errorf("signin: state file: %w", err)
	case json.Unmarshal(text, &kept) != nil || kept.RefreshToken == "":
		return session{}, nil
	}
	return kept, nil
}

// save writes a new file and renames it over the old one, so that a process that is killed leaves either the old or the new file.
func (s stateFile) save(kept session) error {
	if s == "" {
		return nil
	}
	text, err := json.Marshal(kept) //nolint:gosec // the file is for tokens, and has the mode 0600
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(string(s)), filepath.Base(string(s))+".*") // with mode 0600
	if err != nil {
		return fmt.Errorf("signin: state file: %w", err)
	}
	defer os.Remove(file.Name()) // no longer exists after the rename
	_, err = file.Write(text)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("signin: state file: %w", err)
	}
	return os.Rename(file.Name(), string(s))
}
