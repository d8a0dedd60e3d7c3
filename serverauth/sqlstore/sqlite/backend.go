package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/picoauth/picoauth/serverauth/sqlstore/internal/sqlcore"
	"github.com/picoauth/picoauth/serverauth/store"
)

const scheme = "sqlite"

// Backend opens SQLite files.
type Backend struct {
	wrap     func(driver.Connector) driver.Connector // for tests that break connections; nil: none
	patience time.Duration                           // for tests on a busy machine; 0: the default
}

var _ store.Backend = (*Backend)(nil)

// New returns the backend.
func New() *Backend { return &Backend{} }

// Schemes implements store.Backend.
func (*Backend) Schemes() []string { return []string{scheme} }

// CheckURL returns an error for a URL that Open refuses without opening anything.
func (*Backend) CheckURL(url string) error {
	_, err := filePath(url)
	return err
}

// Open implements store.Backend. The URL is sqlite: and the path of a file, absolute or relative to the working directory; the
// file and its folder are created if necessary. There is no key store: keys are files.
func (b *Backend) Open(ctx context.Context, c store.BackendConfig) (*store.Stores, error) {
	path, err := filePath(c.URL)
	if err != nil {
		return nil, err
	}
	if err := prepare(ctx, path, c.Log); err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	e, err := newEngine(path, b.wrap)
	if err != nil {
		return nil, err
	}
	stores, err := sqlcore.Open(ctx, e, c, sqlcore.Options{Patience: b.patience})
	if err != nil {
		return nil, fmt.Errorf("sqlite: %s: %w", path, err)
	}
	return stores, nil
}

// filePath returns the path in a URL: sqlite:path, sqlite:/path or sqlite:///path.
func filePath(text string) (string, error) {
	path, found := strings.CutPrefix(text, scheme+":")
	if rest, slashes := strings.CutPrefix(path, "//"); slashes {
		if path = rest; !strings.HasPrefix(path, "/") {
			return "", errors.New("sqlite: the URL must be sqlite:path or sqlite:/path, without a host")
		}
	}
	switch {
	case !found || path == "":
		return "", errors.New("sqlite: the URL names no file: write sqlite:path")
	case strings.HasPrefix(path, ":"):
		return "", errors.New("sqlite: a SQLite database in memory is not supported; use memory: instead")
	case strings.ContainsAny(path, "?#\x00"):
		return "", errors.New("sqlite: the path must not contain ?, # or NUL; the URL has no parameters")
	}
	return path, nil
}

// dataSource returns the driver's name for a file with its settings.
func dataSource(path string, pragmas ...string) string {
	u := url.URL{Path: filepath.ToSlash(path)}
	return "file:" + u.EscapedPath() + "?" + url.Values{"_pragma": pragmas}.Encode()
}
