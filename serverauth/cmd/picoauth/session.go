package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
	"github.com/spf13/cobra"

	"github.com/picoauth/picoauth/serverauth/oauth/client"
)

// tokenMargin is the shortest remaining life of an access token that is used.
const tokenMargin = 20 * time.Second

// lockPoll is the interval between attempts to get a lock that another process holds.
const lockPoll = 20 * time.Millisecond

// session is the content of the session file. Package signin writes the same format.
type session struct {
	Issuer       string    `json:"issuer"`
	Address      string    `json:"address"`
	AccessToken  string    `json:"access_token"`
	RefreshToken string    `json:"refresh_token"`
	ExpiresAt    time.Time `json:"expires_at"`
	Lifetime     int64     `json:"expires_in"` // seconds
	// ClientID is the OAuth client of the session; empty for a sign-in without OAuth.
	ClientID string `json:"client_id,omitempty"`
}

// tokens is a token response (RFC 6749, section 5.1).
type tokens struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	ExpiresIn    int64  `json:"expires_in"` // seconds
}

// with returns the session with new tokens, which were requested at began.
func (s session) with(t tokens, began time.Time) session {
	s.AccessToken, s.RefreshToken, s.Lifetime = t.AccessToken, t.RefreshToken, t.ExpiresIn
	s.ExpiresAt = began.Add(time.Duration(t.ExpiresIn) * time.Second)
	return s
}

// renewal returns the request for new tokens.
func (s session) renewal() (path string, body any) {
	if s.ClientID == "" {
		return "/refresh", map[string]string{"refresh_token": s.RefreshToken}
	}
	return tokenPath, url.Values{"grant_type": {client.GrantRefresh}, "refresh_token": {s.RefreshToken}, "client_id": {s.ClientID}}
}

// farewell returns the request that ends the session.
func (s session) farewell() (path string, body any) {
	if s.ClientID == "" {
		return "/logout", map[string]string{"refresh_token": s.RefreshToken}
	}
	return "/oauth/revoke", url.Values{"token": {s.RefreshToken}, "client_id": {s.ClientID}}
}

// sessionFile is the file of an operator's session, with mode 0600, and its lock.
type sessionFile struct {
	path string
	lock *flock.Flock
}

func sessionFlag(c *cobra.Command) {
	c.PersistentFlags().String("session", "", "`file` of the operator's session (default: picoauth/session.json in the user's configuration folder)")
}

// sessionFileOf returns the file that the flag of a command names.
func sessionFileOf(c *cobra.Command) (sessionFile, error) {
	path, err := c.Flags().GetString("session")
	if err != nil {
		return sessionFile{}, err
	}
	return openSessionFile(path)
}

// openSessionFile creates the folder. An empty path is the default.
func openSessionFile(path string) (sessionFile, error) {
	if path == "" {
		folder, err := os.UserConfigDir()
		if err != nil {
			return sessionFile{}, fmt.Errorf("%w; name a file with --session", err)
		}
		path = filepath.Join(folder, "picoauth", "session.json")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return sessionFile{}, err
	}
	return sessionFile{path, flock.New(path + ".lock")}, nil
}

func (f sessionFile) exclusively(ctx context.Context, action func() error) error {
	if locked, err := f.lock.TryLockContext(ctx, lockPoll); err != nil || !locked {
		return fmt.Errorf("lock %s.lock: %w", f.path, errors.Join(err, ctx.Err()))
	}
	defer func() { _ = f.lock.Unlock() }()
	return action()
}

func (f sessionFile) load() (session, error) {
	var kept session
	text, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return kept, errors.New("nobody is signed in; begin with: picoauth login --email E, --wallet FILE or --device")
	}
	if err != nil {
		return kept, err
	}
	if json.Unmarshal(text, &kept) != nil || kept.RefreshToken == "" || kept.Issuer == "" {
		return kept, fmt.Errorf("%s holds no session; sign in again: picoauth login", f.path)
	}
	return kept, nil
}

// save replaces the file atomically.
func (f sessionFile) save(kept session) error {
	text, err := json.Marshal(kept) //nolint:gosec // the file is for tokens, and has the mode 0600
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(f.path), filepath.Base(f.path)+".*") // with mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }() // no effect after the rename
	_, err = file.Write(text)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), f.path)
}

func (f sessionFile) remove() error {
	if err := os.Remove(f.path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
